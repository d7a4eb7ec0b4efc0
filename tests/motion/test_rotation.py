# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations in three forms that agree."""

from __future__ import annotations

import numpy as np
import pytest

from pixel3dmm_blender.motion.rotation import (
    matrix_from_axis_angle,
    matrix_from_quaternion,
    quaternion_from_axis_angle,
    unwrap_quaternions,
)


@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-4, 0.5, 3.1, np.pi, 5.0])
def test_matrix_and_quaternion_of_one_vector_agree(size: float) -> None:
    axis = np.array([0.36, -0.48, 0.8])

    matrix = matrix_from_axis_angle(size * axis)

    np.testing.assert_allclose(
        matrix_from_quaternion(quaternion_from_axis_angle(size * axis)), matrix, atol=1e-12
    )
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(matrix @ axis, axis, atol=1e-12)
    assert np.trace(matrix) == pytest.approx(1 + 2 * np.cos(size), abs=1e-12)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    matrix = matrix_from_axis_angle(np.array([0.0, 0.0, np.pi / 2]))

    np.testing.assert_allclose(matrix @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-15)


def test_no_step_of_an_unwrapped_turn_flips() -> None:
    angles = np.linspace(0.0, 6 * np.pi, 200)
    wrapped = (angles + np.pi) % (2 * np.pi) - np.pi
    turns = quaternion_from_axis_angle(wrapped[:, None] * np.array([0.0, 0.6, 0.8]))
    assert np.abs(np.diff(turns, axis=0)).max() > 1.0

    smooth = unwrap_quaternions(turns)

    assert np.abs(np.diff(smooth, axis=0)).max() < 0.06
    np.testing.assert_allclose(
        matrix_from_quaternion(smooth), matrix_from_quaternion(turns), atol=1e-12
    )
    np.testing.assert_array_equal(smooth[0], turns[0])
