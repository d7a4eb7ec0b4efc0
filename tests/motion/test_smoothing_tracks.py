# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks with gaps, of a frame or two, without a frame rate: what smoothing leaves as it is."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from pixel3dmm_blender.motion.rotation import matrix_from_axis_angle
from pixel3dmm_blender.motion.smoothing import smooth_track
from pixel3dmm_blender.wire import FaceTrack
from tests.fakes.tracked import make_track

from .performance import (
    SMOOTHED,
    Performance,
    assert_same_motion,
    cut,
    make_performance,
    unseen,
)


@pytest.fixture(scope="module")
def performance() -> Performance:
    return make_performance()


@pytest.fixture(scope="module")
def smooth(performance: Performance) -> FaceTrack:
    return smooth_track(performance.found)


def test_the_raw_track_stays_as_it_is(performance: Performance) -> None:
    kept = {name: getattr(performance.found, name).copy() for name in SMOOTHED}

    smoothed = smooth_track(performance.found)

    assert smoothed is not performance.found
    for name, values in kept.items():
        np.testing.assert_array_equal(getattr(performance.found, name), values)


def test_only_the_motion_is_changed(performance: Performance, smooth: FaceTrack) -> None:
    for field in fields(FaceTrack):
        if field.name not in SMOOTHED:
            before, after = (getattr(track, field.name) for track in (performance.found, smooth))
            assert (
                np.array_equal(before, after) if isinstance(before, np.ndarray) else before == after
            )


@pytest.mark.parametrize("strength", [0.0, -1.0])
def test_strength_0_changes_nothing(performance: Performance, strength: float) -> None:
    assert_same_motion(smooth_track(performance.found, strength), performance.found)


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_frames_stay_as_they_are(performance: Performance, count: int) -> None:
    short = cut(performance.found, count)

    assert_same_motion(smooth_track(short), short)


@pytest.mark.parametrize("count", [3, 4, 7, 14])
def test_a_clip_too_short_to_show_its_noise_stays_as_it_is(
    performance: Performance, count: int
) -> None:
    short = cut(performance.found, count)

    assert_same_motion(smooth_track(short), short, atol=2e-6)


def test_a_photo_stays_as_it_is() -> None:
    photo = make_track(640, 480, 1)

    assert_same_motion(smooth_track(photo, 1.0), photo)


def test_a_motion_without_noise_hardly_changes() -> None:
    smoothed = smooth_track(make_track(640, 480, 60))

    assert_same_motion(smoothed, make_track(640, 480, 60), atol=1e-5)


def test_frames_without_a_face_carry_no_weight(performance: Performance) -> None:
    gap = (*range(60, 72), 100)
    bridged = unseen(performance.found, *gap)
    wild = {name: getattr(bridged, name).copy() for name in SMOOTHED}
    for values in wild.values():
        values[list(gap)] = 5.0

    assert_same_motion(smooth_track(replace(bridged, **wild)), smooth_track(bridged))


def test_gaps_are_bridged_in_a_straight_line(performance: Performance) -> None:
    smoothed = smooth_track(unseen(performance.found, *range(60, 70)))

    line = np.linspace(smoothed.expression[59], smoothed.expression[70], 12)
    np.testing.assert_allclose(smoothed.expression[59:71], line, atol=1e-6)
    place = np.linspace(smoothed.transl[59], smoothed.transl[70], 12)
    np.testing.assert_allclose(smoothed.transl[59:71], place, atol=1e-6)
    turns = matrix_from_axis_angle(smoothed.rotation[58:72])
    steps = np.linalg.norm(np.diff(turns, axis=0), axis=(1, 2))
    assert steps[2:-2].max() < 1.2 * steps[2:-2].min()


def test_ends_without_a_face_are_held(performance: Performance) -> None:
    count = len(performance.found.frames)
    smoothed = smooth_track(unseen(performance.found, 0, 1, 2, count - 2, count - 1))

    for name in SMOOTHED:
        values = getattr(smoothed, name)
        np.testing.assert_array_equal(values[:3], np.broadcast_to(values[3], values[:3].shape))
        np.testing.assert_array_equal(values[-2:], np.broadcast_to(values[-3], values[-2:].shape))


def test_too_few_frames_with_a_face_stay_as_they_are(performance: Performance) -> None:
    lost = unseen(performance.found, *range(2, len(performance.found.frames)))

    assert_same_motion(smooth_track(lost), lost)
    none = replace(lost, valid=np.zeros_like(lost.valid))
    assert_same_motion(smooth_track(none), none)


def test_an_unknown_frame_rate_is_taken_for_25(performance: Performance) -> None:
    unknown = smooth_track(replace(performance.found, fps=0.0))

    assert_same_motion(unknown, smooth_track(performance.found))


def test_every_second_frame_is_a_clip_of_half_the_rate(performance: Performance) -> None:
    sparse = replace(performance.found, frames=2 * performance.found.frames + 6, fps=50.0)

    assert_same_motion(smooth_track(sparse), smooth_track(performance.found), atol=1e-7)
