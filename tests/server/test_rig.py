# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig on the wire is the head model with its identity fixed."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.motion.posing import apply_keys, skin
from server.heads.deform import expressed, neutral, pose
from server.heads.rig import make_rig
from tests.fakes.head import make_fake_head

HEAD = make_fake_head()
RANDOM = np.random.default_rng(4)
IDENTITY = RANDOM.normal(0, 1, len(HEAD.identity_names)).astype(np.float32)


def test_a_rig_carries_the_person_and_every_expression():
    rig = make_rig(HEAD, IDENTITY)

    np.testing.assert_array_equal(rig.neutral, neutral(HEAD, IDENTITY))
    assert rig.key_names == HEAD.expression_names
    assert rig.licence and rig.provenance


def test_bones_start_at_the_persons_own_joints():
    rig = make_rig(HEAD, IDENTITY)

    joints = HEAD.joints(neutral(HEAD, IDENTITY))
    np.testing.assert_allclose(rig.bone_heads, joints, atol=1e-7)
    assert np.abs(joints - HEAD.joints(HEAD.template)).max() > 1e-4
    np.testing.assert_allclose(rig.bone_tails - rig.bone_heads, HEAD.bone_tails, atol=1e-7)


def test_blenders_posing_and_the_servers_deformation_agree():
    rig = make_rig(HEAD, IDENTITY)
    values = RANDOM.uniform(0, 1, len(HEAD.expression_names)).astype(np.float32)
    rotations = RANDOM.normal(0, 0.3, (5, 3)).astype(np.float32)
    person = neutral(HEAD, IDENTITY)

    theirs = skin(rig, apply_keys(rig, values), rotations)

    ours = pose(HEAD, HEAD.joints(person), expressed(HEAD, person, values), rotations)
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
