# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be keyed, and that it means the same as the track."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.motion.axes import points_to_blender, rotations_to_blender
from pixel3dmm_blender.motion.curves import (
    FIRST_FRAME,
    Owner,
    bone_frames,
    bone_quaternions,
    describe_track,
)
from pixel3dmm_blender.motion.rotation import matrix_from_axis_angle, matrix_from_quaternion
from tests.fakes.tracked import make_rig, make_track


def test_every_moving_name_has_its_curve_and_still_ones_have_none() -> None:
    rig, track = make_rig(), make_track(640, 480, 10)

    curves = describe_track(rig, track, np.zeros(3, np.float32))

    paths = {curve.data_path for curve in curves}
    assert 'key_blocks["jawOpen"].value' in paths
    assert 'key_blocks["tongueOut"].value' not in paths
    assert 'pose.bones["jaw"].rotation_quaternion' in paths
    assert {"location", "rotation_quaternion"} <= paths
    assert all(curve.frames[0] == FIRST_FRAME and len(curve.values) == 10 for curve in curves)


def test_the_location_is_the_head_in_the_world_and_its_place() -> None:
    rig, track = make_rig(), make_track(640, 480, 10)

    curves = describe_track(rig, track, np.array([1.0, 2.0, 3.0], np.float32))

    found = [curve.values for curve in curves if curve.data_path == "location"]
    np.testing.assert_allclose(
        np.stack(found, axis=1),
        points_to_blender(track.transl) + np.array([1.0, 2.0, 3.0]),
        atol=1e-6,
    )
    assert all(curve.owner is Owner.RIG for curve in curves if curve.data_path == "location")


def test_a_bone_turned_in_its_rest_frame_is_the_joint_turned_in_the_head() -> None:
    rig, track = make_rig(), make_track(640, 480, 3)
    frames = bone_frames(rig)

    turns = matrix_from_quaternion(bone_quaternions(rig, track))

    expected = rotations_to_blender(matrix_from_axis_angle(track.joint_rotation))
    np.testing.assert_allclose(frames @ turns @ np.swapaxes(frames, 1, 2), expected, atol=1e-6)


def test_bones_lie_along_y_and_their_x_is_the_subjects_left() -> None:
    rig = make_rig()

    frames = bone_frames(rig)

    along = points_to_blender(rig.bone_tails - rig.bone_heads)
    np.testing.assert_allclose(
        frames[:, :, 1], along / np.linalg.norm(along, axis=1)[:, None], atol=1e-6
    )
    assert (frames[:, 0, 0] > 0.99).all()
    np.testing.assert_allclose(np.linalg.det(frames), 1.0, atol=1e-12)
