# SPDX-License-Identifier: GPL-3.0-or-later
"""The live filter is calm at rest and quick in motion, and knows the past alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pixel3dmm_blender.motion.live_filter import (
    Calm,
    LivePose,
    Response,
    Responses,
    follow_pose,
)
from pixel3dmm_blender.motion.rotation import matrix_from_axis_angle
from pixel3dmm_blender.wire import FaceTrack

from .performance import (
    BLINK,
    PLOSIVE,
    REST,
    SPEECH,
    Performance,
    height_kept,
    jitter,
    lag_frames,
    make_performance,
    quaternions,
    with_noise,
)


def pose_of(track: FaceTrack, i: int) -> LivePose:
    return LivePose(
        track.expression[i], track.joint_rotation[i], track.rotation[i], track.transl[i]
    )


def filtered(track: FaceTrack, responses: Responses | None = None) -> FaceTrack:
    calm: Calm | None = None
    poses: list[LivePose] = []
    for i in range(len(track.frames)):
        calm = follow_pose(calm, pose_of(track, i), i / track.fps, responses or Responses())
        poses.append(calm.pose())
    return replace(
        track,
        expression=np.stack([pose.expression for pose in poses]),
        joint_rotation=np.stack([pose.joint_rotation for pose in poses]),
        rotation=np.stack([pose.rotation for pose in poses]),
        transl=np.stack([pose.transl for pose in poses]),
    )


def simple(weight: float, turn: float = 0.0) -> LivePose:
    return LivePose(np.array([weight]), np.zeros((0, 3)), np.array([0.0, turn, 0.0]), np.zeros(3))


@pytest.fixture(scope="module")
def performance() -> Performance:
    return make_performance()


@pytest.fixture(scope="module")
def calm(performance: Performance) -> FaceTrack:
    return filtered(performance.found)


def test_a_face_at_rest_loses_its_jitter(performance: Performance) -> None:
    still = replace(
        performance.true,
        expression=np.full_like(performance.true.expression, 0.3),
        rotation=np.zeros_like(performance.true.rotation),
        transl=np.zeros_like(performance.true.transl),
    )
    found = with_noise(still, np.random.default_rng(5))

    calm = filtered(found)

    assert jitter(calm.expression).mean() < 0.45 * jitter(found.expression).mean()
    assert jitter(quaternions(calm)).mean() < 0.4 * jitter(quaternions(found)).mean()
    assert jitter(calm.transl).mean() < 0.55 * jitter(found.transl).mean()


def test_motion_comes_less_than_half_a_frame_late(
    performance: Performance, calm: FaceTrack
) -> None:
    true = performance.true

    for weight in (BLINK, PLOSIVE, SPEECH):
        columns = slice(weight, weight + 1)
        assert 0.0 < lag_frames(calm.expression[:, columns], true.expression[:, columns]) < 0.5
    assert 0.0 < lag_frames(quaternions(calm), quaternions(true)) < 0.4
    assert 0.0 < lag_frames(calm.transl, true.transl) < 0.5


def test_blinks_and_plosives_keep_nine_tenths(performance: Performance, calm: FaceTrack) -> None:
    true, at = performance.true.expression, performance.seconds

    blink = height_kept(calm.expression[:, BLINK], true[:, BLINK], at, performance.blinks_s)
    plosive = height_kept(calm.expression[:, PLOSIVE], true[:, PLOSIVE], at, performance.plosives_s)

    assert blink > 0.9
    assert plosive > 0.9


def test_a_lower_cutoff_is_calmer_and_a_higher_beta_quicker(performance: Performance) -> None:
    slow = replace(Responses(), expression=Response(0.3, 1.0))
    quick = replace(Responses(), expression=Response(0.3, 30.0))
    blink = slice(BLINK, BLINK + 1)
    true = performance.true.expression[:, blink]

    slowly, quickly = (filtered(performance.found, it).expression for it in (slow, quick))

    assert jitter(slowly)[REST] < 0.5 * jitter(quickly)[REST]
    assert lag_frames(quickly[:, blink], true) < 0.5 * lag_frames(slowly[:, blink], true)


def test_the_future_is_not_known(performance: Performance, calm: FaceTrack) -> None:
    changed = performance.found.expression.copy()
    changed[100:] = 0.9

    other = filtered(replace(performance.found, expression=changed))

    np.testing.assert_array_equal(other.expression[:100], calm.expression[:100])
    assert (other.expression[100] != calm.expression[100]).any()


def test_the_first_frame_passes_as_it_is() -> None:
    pose = follow_pose(None, simple(0.7, 0.2), 12.5).pose()

    assert pose.expression.tolist() == [0.7]
    np.testing.assert_allclose(pose.rotation, [0.0, 0.2, 0.0], atol=1e-15)


def test_a_step_follows_the_formula() -> None:
    first = follow_pose(None, simple(0.0), 0.0)

    second = follow_pose(first, simple(1.0), 0.04, Responses(expression=Response(1.0, 2.0, 3.0)))

    speed = 25.0 / (1.0 + 1.0 / (2.0 * np.pi * 3.0 * 0.04))
    share = 1.0 / (1.0 + 1.0 / (2.0 * np.pi * (1.0 + 2.0 * speed) * 0.04))
    assert second.expression.speed[0, 0] == pytest.approx(speed)
    assert second.pose().expression[0] == pytest.approx(share)


def test_weights_stay_in_the_range_in_which_they_were_seen(
    performance: Performance, calm: FaceTrack
) -> None:
    found = performance.found.expression

    assert (calm.expression >= found.min(axis=0) - 1e-6).all()
    assert (calm.expression <= found.max(axis=0) + 1e-6).all()


def test_a_frame_that_is_no_newer_says_nothing() -> None:
    last = follow_pose(None, simple(0.2), 1.0)

    assert follow_pose(last, simple(0.9), 1.0) is last
    assert follow_pose(last, simple(0.9), 0.8) is last


def test_after_a_long_pause_it_starts_afresh() -> None:
    last = follow_pose(None, simple(0.2), 1.0)

    assert follow_pose(last, simple(0.9), 1.6).pose().expression.tolist() == [0.9]
    assert follow_pose(last, simple(0.9), 1.4).pose().expression[0] < 0.9


def test_dropped_frames_do_not_slow_it() -> None:
    dense = sparse = follow_pose(None, simple(0.0), 0.0)
    ramp = np.arange(1, 41) / 40.0
    for i, weight in enumerate(ramp, 1):
        dense = follow_pose(dense, simple(weight), 0.02 * i)
        if i % 2 == 0:
            sparse = follow_pose(sparse, simple(weight), 0.02 * i)

    assert sparse.pose().expression[0] == pytest.approx(dense.pose().expression[0], abs=0.03)


def test_a_head_that_turns_past_half_a_turn_does_not_flip() -> None:
    calm: Calm | None = None
    angles = 2.5 + 0.05 * np.arange(40)
    wrapped = (angles + np.pi) % (2.0 * np.pi) - np.pi

    for i, (angle, seen) in enumerate(zip(angles, wrapped, strict=True)):
        calm = follow_pose(calm, simple(0.0, seen), 0.04 * i)

        ahead = matrix_from_axis_angle(np.array([0.0, angle, 0.0]))
        behind = matrix_from_axis_angle(calm.pose().rotation)
        assert np.linalg.norm(ahead - behind) < 0.1


def test_joints_are_filtered_with_the_head() -> None:
    still, moved = (
        LivePose(np.zeros(1), np.full((2, 3), turn), np.full(3, turn), np.zeros(3))
        for turn in (0.0, 0.1)
    )

    pose = follow_pose(follow_pose(None, still, 0.0), moved, 0.04).pose()

    assert (pose.joint_rotation > 0.0).all()
    np.testing.assert_allclose(pose.joint_rotation, np.broadcast_to(pose.rotation, (2, 3)))
