# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, bones and place of a head, against answers that can be written down."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pixel3dmm_blender.motion.posing import (
    apply_keys,
    joint_rotations,
    key_values,
    pose_head,
    skin,
)
from pixel3dmm_blender.wire import Defect
from tests.fakes.tracked import BONES, make_rig, make_track, make_tracked


def test_a_resting_head_is_its_neutral() -> None:
    rig = make_rig()

    vertices = skin(rig, apply_keys(rig, np.zeros(len(rig.key_names))), np.zeros((5, 3)))

    np.testing.assert_allclose(vertices, rig.neutral, atol=1e-9)


def test_keys_add_up() -> None:
    rig = make_rig()
    values = np.array([0.5, 0.0, 1.0, 0.0, 0.0], np.float32)

    vertices = apply_keys(rig, values)

    np.testing.assert_allclose(vertices, rig.neutral + 0.5 * rig.keys[0] + rig.keys[2], atol=1e-7)


def test_turning_the_root_turns_the_whole_head_about_its_joint() -> None:
    rig = make_rig()
    turns = np.zeros((5, 3))
    turns[0, 2] = np.pi / 2

    vertices = skin(rig, rig.neutral.astype(np.float64), turns)

    centred = rig.neutral - rig.bone_heads[0]
    expected = np.stack((-centred[:, 1], centred[:, 0], centred[:, 2]), axis=1) + rig.bone_heads[0]
    np.testing.assert_allclose(vertices, expected, atol=1e-7)


def test_a_child_turns_after_its_parent() -> None:
    rig = make_rig()
    only_jaw = np.zeros((len(BONES), len(rig.neutral)), np.float32)
    only_jaw[2] = 1.0
    rig = dataclasses.replace(rig, skin_weights=only_jaw)
    turns = np.zeros((5, 3))
    turns[1], turns[2] = [0, np.pi / 2, 0], [np.pi / 2, 0, 0]
    point = rig.bone_heads[2].astype(np.float64) + np.array([0.0, 0.01, 0.0])

    moved = skin(
        dataclasses.replace(rig, skin_weights=only_jaw[:, :1], groups=rig.groups[:, :1],
                            neutral=rig.neutral[:1], keys=rig.keys[:, :1], mirror=rig.mirror[:1]),
        point[None], turns,
    )[0]  # fmt: skip

    # The jaw takes up (0, .01, 0) to (0, 0, .01); the head then turns z to x about its own joint.
    above = rig.bone_heads[2] - rig.bone_heads[1] + [0.0, 0.0, 0.01]
    expected = rig.bone_heads[1] + [above[2], above[1], -above[0]]
    np.testing.assert_allclose(moved, expected, atol=1e-7)


def test_a_clip_places_the_head_in_the_world() -> None:
    tracked = make_tracked(frame_count=3)
    turned = dataclasses.replace(
        tracked.track,
        rotation=np.zeros((3, 3), np.float32),
        transl=np.array([[0, 0, 0], [0, 0, 0], [1, 2, 3]], np.float32),
    )

    moved = pose_head(tracked.rig, turned, 2) - pose_head(
        tracked.rig, dataclasses.replace(turned, transl=np.zeros((3, 3), np.float32)), 2
    )

    np.testing.assert_allclose(moved, np.broadcast_to([1.0, 2.0, 3.0], moved.shape), atol=1e-9)


def test_names_decide_which_key_and_which_bone_is_meant() -> None:
    rig, track = make_rig(), make_track(640, 480, 2)
    shuffled = dataclasses.replace(
        track,
        expression_names=track.expression_names[::-1],
        expression=track.expression[:, ::-1],
        joint_names=track.joint_names[::-1],
        joint_rotation=track.joint_rotation[:, ::-1],
    )

    np.testing.assert_array_equal(key_values(rig, shuffled), key_values(rig, track))
    np.testing.assert_array_equal(joint_rotations(rig, shuffled), joint_rotations(rig, track))
    assert key_values(rig, track)[0, 4] == 0.0


def test_a_name_that_the_head_lacks_is_an_error() -> None:
    rig, track = make_rig(), make_track(640, 480, 1)
    strange = dataclasses.replace(track, expression_names=("jawOpen", "a", "b", "antennaLeft"))

    with pytest.raises(Defect, match="'a'"):
        key_values(rig, strange)
