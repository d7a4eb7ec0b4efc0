# SPDX-License-Identifier: GPL-3.0-or-later
"""A smoothed track is calmer, nearer to the truth, not late, and still blinks and speaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pixel3dmm_blender.motion.rotation import matrix_from_axis_angle
from pixel3dmm_blender.motion.smoothing import smooth_track
from pixel3dmm_blender.wire import FaceTrack

from .performance import (
    BLINK,
    CAMERA,
    PLOSIVE,
    REST,
    SMILE,
    SMOOTHED,
    SPEECH,
    Performance,
    assert_same_motion,
    error,
    face_px,
    height_kept,
    jitter,
    lag_frames,
    make_performance,
    quaternions,
)


@pytest.fixture(scope="module")
def performance() -> Performance:
    return make_performance()


@pytest.fixture(scope="module")
def smooth(performance: Performance) -> FaceTrack:
    return smooth_track(performance.found)


@pytest.mark.parametrize(("weight", "most"), [(REST, 0.25), (SMILE, 0.25), (SPEECH, 0.8)])
def test_weights_lose_their_jitter(
    performance: Performance, smooth: FaceTrack, weight: int, most: float
) -> None:
    true = performance.true.expression

    before = jitter(performance.found.expression - true)[weight]

    assert jitter(smooth.expression - true)[weight] < most * before


def test_rotation_place_and_picture_lose_their_jitter(
    performance: Performance, smooth: FaceTrack
) -> None:
    for measure in (quaternions, face_px, lambda track: track.transl):
        truth = measure(performance.true)

        before = jitter(measure(performance.found) - truth).mean()

        assert jitter(measure(smooth) - truth).mean() < 0.3 * before


def test_everything_comes_nearer_to_the_truth(performance: Performance, smooth: FaceTrack) -> None:
    for measure in (quaternions, face_px, lambda track: track.transl):
        truth = measure(performance.true)
        assert error(measure(smooth), truth) < 0.75 * error(measure(performance.found), truth)
    true, found = performance.true.expression, performance.found.expression
    assert error(smooth.expression, true) < 0.8 * error(found, true)
    for weight in (REST, SMILE, BLINK, SPEECH):
        assert error(smooth.expression[:, weight], true[:, weight]) < error(
            found[:, weight], true[:, weight]
        )


def test_nothing_comes_late(performance: Performance, smooth: FaceTrack) -> None:
    measures = quaternions, lambda track: track.transl, lambda track: track.expression
    for measure in measures:
        truth = measure(performance.true)

        before = lag_frames(measure(performance.found), truth)  # by chance, out of the noise

        assert abs(lag_frames(measure(smooth), truth) - before) < 0.06


def test_a_track_played_backwards_is_smoothed_alike(
    performance: Performance, smooth: FaceTrack
) -> None:
    backwards = {name: getattr(performance.found, name)[::-1] for name in SMOOTHED}

    smoothed = smooth_track(replace(performance.found, **backwards))

    for name in SMOOTHED:
        np.testing.assert_allclose(getattr(smoothed, name)[::-1], getattr(smooth, name), atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_a_blink_of_six_frames_and_a_plosive_of_four_keep_nine_tenths(seed: int) -> None:
    made = make_performance(seed)

    weights = smooth_track(made.found).expression

    true = made.true.expression
    blink = height_kept(weights[:, BLINK], true[:, BLINK], made.seconds, made.blinks_s)
    plosive = height_kept(weights[:, PLOSIVE], true[:, PLOSIVE], made.seconds, made.plosives_s)
    assert blink > 0.95
    assert plosive > 0.9


@pytest.mark.parametrize("fps", [12.5, 30.0, 60.0])
def test_blinks_stay_and_rest_comes_at_other_frame_rates(fps: float) -> None:
    made = make_performance(1, fps)

    weights = smooth_track(made.found).expression

    true = made.true.expression
    assert height_kept(weights[:, BLINK], true[:, BLINK], made.seconds, made.blinks_s) > 0.95
    assert jitter(weights)[REST] < 0.4 * jitter(made.found.expression)[REST]


def test_more_strength_is_calmer(performance: Performance) -> None:
    left = [
        jitter(smooth_track(performance.found, strength).expression)[REST]
        for strength in (0.1, 0.25, 0.5, 1.0)
    ]

    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.1 * left[0]


def test_more_than_full_strength_is_full_strength(performance: Performance) -> None:
    full = smooth_track(performance.found, 1.0)

    assert_same_motion(smooth_track(performance.found, 7.0), full)


def test_weights_stay_in_the_range_in_which_they_were_seen(performance: Performance) -> None:
    found = performance.found.expression

    for strength in (0.5, 1.0):
        weights = smooth_track(performance.found, strength).expression

        assert (weights >= found.min(axis=0)).all()
        assert (weights <= found.max(axis=0)).all()


def test_turns_beyond_half_a_turn_do_not_flip(performance: Performance) -> None:
    yaw = np.pi - 0.2 + 0.4 * np.sin(0.1 * np.arange(len(performance.found.frames)))
    noise = np.radians(0.2) * np.random.default_rng(3).standard_normal(yaw.shape)
    wrapped = (yaw + noise + np.pi) % (2.0 * np.pi) - np.pi
    axis = np.array([0.0, 1.0, 0.0])
    assert np.abs(np.diff(wrapped)).max() > 6.0

    smoothed = smooth_track(replace(performance.found, rotation=wrapped[:, None] * axis))

    matrices = matrix_from_axis_angle(smoothed.rotation)
    truth = matrix_from_axis_angle(yaw[:, None] * axis)
    assert np.linalg.norm(matrices - truth, axis=(1, 2)).max() < np.radians(1.0)
    assert np.linalg.norm(smoothed.rotation, axis=1).max() <= np.pi + 1e-6


def test_joints_are_smoothed_too(performance: Performance) -> None:
    count = len(performance.found.frames)
    truth = np.zeros((count, 5, 3))
    truth[:, 2, 0] = 0.2 + 0.1 * np.sin(0.1 * np.arange(count))
    noise = np.radians(0.3) * np.random.default_rng(4).standard_normal((count, 3))
    found = truth.copy()
    found[:, 2] += noise

    joints = smooth_track(replace(performance.found, joint_rotation=found)).joint_rotation

    assert jitter((joints - truth)[:, 2]).mean() < 0.3 * jitter(noise).mean()
    np.testing.assert_array_equal(joints[:, [0, 1, 3, 4]], 0.0)


def test_the_axes_of_the_world_do_not_matter(performance: Performance, smooth: FaceTrack) -> None:
    turn = matrix_from_axis_angle(np.array([0.4, -2.0, 0.7]))
    world = np.eye(4)
    world[:3, :3] = turn.T
    found = performance.found
    turned = replace(
        found,
        camera=replace(CAMERA, world_to_camera=CAMERA.world_to_camera @ world),
        rotation=_vectors(turn @ matrix_from_axis_angle(found.rotation)),
        transl=found.transl @ turn.T,
    )

    smoothed = smooth_track(turned)

    np.testing.assert_allclose(face_px(smoothed), face_px(smooth), atol=2e-3)
    np.testing.assert_allclose(smoothed.transl, smooth.transl @ turn.T, atol=1e-6)


def test_the_face_hardly_moves_in_the_picture(performance: Performance, smooth: FaceTrack) -> None:
    noise = error(face_px(performance.found), face_px(performance.true))

    assert error(face_px(smooth), face_px(performance.found)) < 1.1 * noise


def test_a_head_behind_the_camera_is_smoothed_in_the_world(performance: Performance) -> None:
    world_to_camera = np.diag([1.0, -1.0, -1.0, 1.0])
    world_to_camera[2, 3] = -1.0
    behind = replace(performance.found, camera=replace(CAMERA, world_to_camera=world_to_camera))

    smoothed = smooth_track(behind)

    truth = performance.true.transl
    assert (jitter(smoothed.transl - truth) < 0.4 * jitter(behind.transl - truth)).all()


def _vectors(matrices: np.ndarray) -> np.ndarray:
    """[T, 3] axis-angle, for turns away from 0 and from half a turn."""
    angle = np.arccos(np.clip(0.5 * (np.trace(matrices, axis1=1, axis2=2) - 1.0), -1.0, 1.0))
    skew = matrices - np.swapaxes(matrices, 1, 2)
    axis = np.stack((skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]), 1)
    return axis * (angle / (2.0 * np.sin(angle)))[:, None]
