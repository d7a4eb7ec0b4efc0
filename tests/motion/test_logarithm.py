# SPDX-License-Identifier: GPL-3.0-or-later
"""From quaternions back to axis-angle vectors."""

from __future__ import annotations

import numpy as np
import pytest

from pixel3dmm_blender.motion.logarithm import axis_angle_from_quaternion
from pixel3dmm_blender.motion.rotation import quaternion_from_axis_angle

AXIS = np.array([0.36, -0.48, 0.8])


@pytest.mark.parametrize("size", [0.0, 1e-14, 1e-7, 1e-3, 0.5, 3.1, np.pi - 1e-9])
def test_a_vector_of_less_than_half_a_turn_comes_back(size: float) -> None:
    back = axis_angle_from_quaternion(quaternion_from_axis_angle(size * AXIS))

    np.testing.assert_allclose(back, size * AXIS, atol=1e-12)


def test_both_signs_of_a_quaternion_are_one_turn() -> None:
    turns = quaternion_from_axis_angle(np.array([0.2, 1.0, 2.5])[:, None] * AXIS)

    np.testing.assert_array_equal(
        axis_angle_from_quaternion(-turns), axis_angle_from_quaternion(turns)
    )


def test_more_than_half_a_turn_comes_back_as_the_shorter_one_the_other_way() -> None:
    back = axis_angle_from_quaternion(quaternion_from_axis_angle(4.0 * AXIS))

    np.testing.assert_allclose(back, (4.0 - 2.0 * np.pi) * AXIS, atol=1e-12)
