# SPDX-License-Identifier: GPL-3.0-or-later
"""The change of basis: there and back, and what can be said in words."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.motion.axes import (
    TO_BLENDER,
    camera_from_blender,
    camera_to_blender,
    points_from_blender,
    points_to_blender,
    rotations_to_blender,
)
from pixel3dmm_blender.motion.rotation import matrix_from_axis_angle
from tests.fakes.tracked import make_camera


def test_the_nose_points_to_minus_y_the_crown_up_and_left_stays_left() -> None:
    nose, crown, left = points_to_blender(np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], np.float32))

    assert nose.tolist() == [0, -1, 0]
    assert crown.tolist() == [0, 0, 1]
    assert left.tolist() == [1, 0, 0]


def test_the_change_of_basis_is_a_rotation() -> None:
    assert np.linalg.det(TO_BLENDER) == 1.0
    np.testing.assert_array_equal(TO_BLENDER @ TO_BLENDER.T, np.eye(3))


def test_points_come_back_unchanged_and_keep_their_type() -> None:
    points = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)

    turned = points_to_blender(points)

    assert turned.dtype == np.float32
    np.testing.assert_array_equal(points_from_blender(turned), points)
    np.testing.assert_allclose(turned, points @ TO_BLENDER.T, atol=1e-7)


def test_a_turned_vector_is_the_turn_of_the_changed_axes() -> None:
    vectors = np.random.default_rng(1).normal(size=(9, 3))

    changed = rotations_to_blender(matrix_from_axis_angle(vectors))

    np.testing.assert_allclose(
        changed, matrix_from_axis_angle(points_to_blender(vectors)), atol=1e-12
    )


def test_a_camera_comes_back_unchanged() -> None:
    camera = make_camera(640, 480)

    back = camera_from_blender(camera_to_blender(camera))

    np.testing.assert_allclose(back, camera.world_to_camera, atol=1e-12)


def test_a_camera_before_the_face_looks_along_plus_y() -> None:
    camera = make_camera(640, 480)

    placed = camera_to_blender(camera)

    assert (-placed[:3, 2])[1] > 0.9
    assert placed[2, 1] > 0.9
    assert placed[1, 3] < -0.6
