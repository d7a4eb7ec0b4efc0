# SPDX-License-Identifier: GPL-3.0-or-later
"""The view angles of a head and the calibration that depends on them."""

from __future__ import annotations

import numpy as np
import pytest

from server.heads.model import ViewCalibration
from server.heads.view import (
    PITCH_LIMIT_RAD,
    YAW_LIMIT_RAD,
    calibration_offsets,
    view_angles,
    view_roll,
    view_rotation,
    view_terms,
)

NOSE = np.array([0.0, 0.0, 1.0])
CROWN = np.array([0.0, 1.0, 0.0])
VIEWS = [(0.3, 0.1, 0.0), (-0.7, 0.2, 0.5), (0.0, -0.4, -1.2), (0.6, 0.0, 3.0)]


def calibration(seed: int = 0) -> ViewCalibration:
    coefficients = np.random.default_rng(seed).normal(0, 1e-3, (7, 5, 2)).astype(np.float32)
    return ViewCalibration(coefficients=coefficients)


def test_a_frontal_head_has_no_angles() -> None:
    assert view_angles(np.diag([1.0, -1.0, -1.0])) == (0.0, 0.0)
    assert view_roll(np.diag([1.0, -1.0, -1.0])) == 0.0
    np.testing.assert_allclose(view_rotation(0.0, 0.0), np.diag([1.0, -1.0, -1.0]), atol=1e-12)


def test_turning_to_its_left_moves_the_nose_to_the_right_of_the_image() -> None:
    assert (view_rotation(0.3, 0.0) @ NOSE)[0] > 0.2


def test_looking_up_moves_the_nose_up_in_the_image() -> None:
    assert (view_rotation(0.0, 0.3) @ NOSE)[1] < -0.2


def test_rolling_clockwise_moves_the_crown_to_the_right_of_the_image() -> None:
    assert (view_rotation(0.0, 0.0, 0.3) @ CROWN)[0] > 0.2


@pytest.mark.parametrize(("yaw", "pitch", "roll"), VIEWS)
def test_angles_and_rotation_are_inverse(yaw: float, pitch: float, roll: float) -> None:
    rotation = view_rotation(yaw, pitch, roll)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    np.testing.assert_allclose((*view_angles(rotation), view_roll(rotation)), (yaw, pitch, roll))


def test_turning_the_image_leaves_yaw_and_pitch() -> None:
    upright, turned = view_rotation(0.4, -0.2), view_rotation(0.4, -0.2, 1.9)
    np.testing.assert_allclose(view_angles(upright), view_angles(turned))


def test_offsets_are_the_polynomial_of_the_view() -> None:
    measured = calibration()
    expected = sum(
        term * block
        for term, block in zip(view_terms(0.2, -0.1), measured.coefficients, strict=True)
    )
    np.testing.assert_allclose(calibration_offsets(measured, 0.2, -0.1), expected, atol=1e-9)


def test_offsets_beyond_the_measured_views_are_those_of_the_limit() -> None:
    measured = calibration()
    np.testing.assert_array_equal(
        calibration_offsets(measured, 1.5, -1.0),
        calibration_offsets(measured, YAW_LIMIT_RAD, -PITCH_LIMIT_RAD),
    )


def test_offsets_turn_with_the_head() -> None:
    measured = calibration()
    upright = calibration_offsets(measured, 0.1, 0.1)
    turned = calibration_offsets(measured, 0.1, 0.1, roll=np.pi / 2)
    np.testing.assert_allclose(turned, np.stack([-upright[:, 1], upright[:, 0]], axis=1), atol=1e-9)
