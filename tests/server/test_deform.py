# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape, expression and pose of a head whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from server.heads.deform import expressed, joint_transforms, neutral, pose, surface_points
from tests.fakes.head import make_fake_head

HEAD = make_fake_head()
STILL = np.zeros((5, 3), np.float32)


def random_face(seed: int = 0):
    random = np.random.default_rng(seed)
    identity = random.normal(0, 1, len(HEAD.identity_names)).astype(np.float32)
    expression = random.uniform(0, 1, len(HEAD.expression_names)).astype(np.float32)
    return identity, expression


def test_no_numbers_give_the_template():
    person = neutral(HEAD, np.zeros(len(HEAD.identity_names), np.float32))

    np.testing.assert_array_equal(person, HEAD.template)
    np.testing.assert_array_equal(expressed(HEAD, person, np.zeros(8, np.float32)), HEAD.template)


def test_identity_and_expression_add_up():
    identity, expression = random_face()

    vertices = expressed(HEAD, neutral(HEAD, identity), expression)

    offsets = np.einsum("s,svc->vc", identity, HEAD.identity)
    offsets += np.einsum("e,evc->vc", expression, HEAD.expression)
    np.testing.assert_allclose(vertices, HEAD.template + offsets, atol=1e-7)


def test_a_head_at_rest_is_not_moved_by_its_joints():
    vertices = expressed(HEAD, HEAD.template, random_face()[1])

    posed = pose(HEAD, HEAD.joints(HEAD.template), vertices, STILL)

    np.testing.assert_allclose(posed, vertices, atol=1e-7)


def test_the_root_joint_turns_the_whole_head_rigidly():
    joints = HEAD.joints(HEAD.template)
    rotation = STILL.copy()
    rotation[0] = [0.1, -0.4, 0.2]

    posed = pose(HEAD, joints, HEAD.template, rotation)

    before = np.linalg.norm(HEAD.template - joints[0], axis=1)
    np.testing.assert_allclose(np.linalg.norm(posed - joints[0], axis=1), before, atol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(posed[5] - posed[150]),
        np.linalg.norm(HEAD.template[5] - HEAD.template[150]),
        atol=1e-6,
    )


def test_an_eye_joint_turns_its_eyeball_alone():
    joints = HEAD.joints(HEAD.template)
    rotation = STILL.copy()
    rotation[3] = [0.0, 0.5, 0.0]

    moved = np.linalg.norm(pose(HEAD, joints, HEAD.template, rotation) - HEAD.template, axis=1)

    ball = HEAD.groups[HEAD.group_names.index("eye_L")] > 0
    assert moved[ball].max() > 0.004
    np.testing.assert_allclose(moved[~ball], 0.0, atol=1e-7)


def test_a_positive_turn_about_y_looks_to_the_subjects_left():
    rotation = STILL.copy()
    rotation[1] = [0.0, 0.3, 0.0]

    moved = pose(HEAD, HEAD.joints(HEAD.template), HEAD.template, rotation)

    nose = HEAD.template[:, 2].argmax()
    assert moved[nose, 0] > HEAD.template[nose, 0] + 0.01


def test_a_child_joint_follows_its_parent():
    joints = HEAD.joints(HEAD.template)
    rotation = STILL.copy()
    rotation[1] = [0.2, 0.3, -0.1]

    chain = joint_transforms(HEAD, joints, rotation)

    np.testing.assert_allclose(chain[2], chain[1], atol=1e-12)
    assert not np.allclose(chain[0], chain[1])


@pytest.mark.parametrize("joint", range(5))
def test_small_turns_agree_with_the_cross_product(joint: int):
    joints = HEAD.joints(HEAD.template).astype(np.float64)
    rotation = STILL.astype(np.float64)
    rotation[joint] = 1e-4 * np.array([1.0, -2.0, 0.5])

    chain = joint_transforms(HEAD, joints, rotation)

    point = np.array([0.03, 0.01, 0.07])
    moved = chain[joint][:, :3] @ point + chain[joint][:, 3]
    np.testing.assert_allclose(
        moved - point, np.cross(rotation[joint], point - joints[joint]), atol=1e-8
    )


def test_embedded_points_move_linearly_with_identity_and_expression():
    """Finite differences of the surface points are the embedded bases."""
    identity, expression = random_face(1)

    def points(values_s, values_e):
        return surface_points(
            HEAD.landmarks_478, expressed(HEAD, neutral(HEAD, values_s), values_e)
        ).astype(np.float64)

    step = 0.5
    for index in (0, 3):
        changed = identity.copy()
        changed[index] += step
        difference = (points(changed, expression) - points(identity, expression)) / step
        np.testing.assert_allclose(
            difference, surface_points(HEAD.landmarks_478, HEAD.identity[index]), atol=1e-6
        )
        changed = expression.copy()
        changed[index] += step
        difference = (points(identity, changed) - points(identity, expression)) / step
        np.testing.assert_allclose(
            difference, surface_points(HEAD.landmarks_478, HEAD.expression[index]), atol=1e-6
        )
