# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips with known answers, and the measures of errors, lag and jitter."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from server.rotation import rotation_from_vector
from tests.fakes.head import make_fake_head
from tests.truth.clip import draw_absences, draw_clip, draw_windows
from tests.truth.damage import hide, window_mask
from tests.truth.measure import (
    jitter,
    lag_frames,
    plane_error_mm,
    rms,
    rotation_error_deg,
    scale_of,
    vertex_error_mm,
)
from tests.truth.motions import find_motions
from tests.truth.render import render_truth
from tests.truth.sized import make_sized_head
from tests.truth.surface import model_triangles


@pytest.fixture(scope="module")
def head():
    return make_fake_head()


def test_people_in_clips_blink_speak_and_move_smoothly(head):
    clip = draw_clip(head, np.random.default_rng(1), 125)

    blink, jaw = (
        np.array([scene.expression[head.expression_names.index(name)] for scene in clip])
        for name in ("eyeBlinkLeft", "jawOpen")
    )
    turns = [rotation_error_deg(b.rotation, a.rotation) for a, b in pairwise(clip)]
    start = int(blink.argmax())
    openings = np.count_nonzero((jaw[1:-1] > jaw[:-2]) & (jaw[1:-1] >= jaw[2:]))
    assert blink.max() == 1.0 and blink[start - 2] < 0.4 and blink[start + 4] < 0.4
    assert 8 <= openings <= 30
    assert 0.1 < rms(np.array(turns)) < 3.0
    assert all(scene.identity is clip[0].identity for scene in clip)
    assert all(scene.focal_px == clip[0].focal_px for scene in clip)


def test_a_head_without_named_expressions_blinks_too(head):
    sized = make_sized_head(head, 12, 40)
    motions = find_motions(sized)

    clip = draw_clip(sized, np.random.default_rng(1), 50)

    lids = np.stack([scene.expression for scene in clip]) @ motions.blink
    lids /= motions.blink @ motions.blink
    jaws = np.array([scene.joint_rotation[sized.joint_names.index("jaw"), 0] for scene in clip])
    assert lids.max() - np.median(lids) > 0.6
    assert jaws.max() > 0.03


def test_faces_go_and_windows_pass(head):
    truth = render_truth(draw_clip(head, np.random.default_rng(0), 1, size=384)[0])

    gone = draw_absences(np.random.default_rng(0), 60, gaps=2)
    windows = draw_windows(np.random.default_rng(0), 30, 384)

    hidden = [hide(truth.maps, window_mask(window, 384)) for window in windows]

    shares = np.array([1 - it.confidence.sum() / truth.maps.confidence.sum() for it in hidden])
    assert 5 <= np.count_nonzero(gone) <= 30 and not gone[[0, -1]].any()
    assert shares.max() > 0.1 and (shares == 0).any()


def test_errors_of_vertices_are_those_that_were_put_in(head):
    true = head.template.astype(np.float64)
    turn = rotation_from_vector(np.array([0.3, -0.2, 0.1]))
    noise = np.random.default_rng(0).normal(0.0, 0.001, true.shape)
    triangles = model_triangles(head)

    moved = 1.03 * true @ turn.T + np.array([0.1, 0.2, 0.3])

    assert vertex_error_mm(true @ turn.T + 0.5, true).max() < 1e-9
    assert scale_of(moved, true) == pytest.approx(1.03, abs=1e-9)
    assert vertex_error_mm(moved, true).mean() > 1.0
    assert rms(vertex_error_mm((true + noise) @ turn.T, true)) == pytest.approx(
        np.sqrt(3), rel=0.05
    )
    assert rms(plane_error_mm(true + noise, true, triangles)) == pytest.approx(1.0, rel=0.15)
    assert rotation_error_deg(turn, np.eye(3)) == pytest.approx(
        np.degrees(np.linalg.norm([0.3, -0.2, 0.1]))
    )


@pytest.mark.parametrize("late", [-1.5, 0.0, 0.4, 2.0])
def test_a_known_lag_is_found(late):
    times = np.arange(200.0)
    rates = np.array([0.05, 0.11, 0.23])

    true, found = (np.sin(shifted[:, None] * rates + rates) for shifted in (times, times - late))

    assert lag_frames(found, true) == pytest.approx(late, abs=0.03)


@pytest.mark.parametrize("order", [2, 3])
def test_jitter_is_the_noise_between_frames(order):
    true = np.cumsum(np.random.default_rng(0).normal(size=(400, 2)), axis=0)
    noise = np.random.default_rng(1).normal(0.0, 0.25, true.shape)
    drift = np.linspace(0.0, 5.0, 400)[:, None]

    shaken, drifting = true + noise, true + drift

    assert jitter(shaken, true, order) == pytest.approx(0.25, rel=0.1)
    assert jitter(drifting, true, order) < 1e-9
