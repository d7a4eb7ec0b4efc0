# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips of any length: who it is, frame by frame, all together; faces that leave, jumps, nonsense, and a live face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pixel3dmm_blender.wire import Cancelled, Doubles
from server.fit.clip import FaceClip, fit_clip, fit_person, follow_clip
from server.fit.head import FitHead
from server.fit.live import start_live
from server.fit.observation import Focal, Observation
from server.fit.project import project
from server.fit.stages import Fitted, Fitter
from server.fit.terms.scale import scale_gauge
from server.fit.variables import View
from server.heads.view import view_rotation
from server.rotation import vector_from_rotation
from tests.fakes.cloud import EXPRESSIONS, LANDMARKS, SHAPES, make_cloud_head

CENTER_PX = np.array([400.0, 300.0])
FOCAL_PX = 1600.0


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def head(rng: np.random.Generator) -> FitHead:
    return make_cloud_head(rng)


@pytest.fixture
def identity(rng: np.random.Generator, head: FitHead) -> Doubles:
    """A person as large as everybody."""
    drawn = 0.6 * rng.normal(size=SHAPES)
    slope = scale_gauge(head, 1.0).evaluate(0.01 * drawn).gradient
    return drawn - slope * (drawn @ slope) / (slope @ slope)


def perform(count: int) -> tuple[View, ...]:
    """Turn, come nearer, and open and close one expression."""
    views = []
    for i in range(count):
        expression = np.zeros(EXPRESSIONS)
        expression[2] = 0.4 + 0.35 * np.sin(0.35 * i)
        expression[3] = 0.3
        turn = view_rotation(0.4 * np.sin(0.11 * i), 0.05 * np.sin(0.07 * i), 0.1)
        transl = np.array([0.02 + 0.03 * np.sin(0.09 * i), 0.01, 0.8 + 0.05 * np.sin(0.05 * i)])
        views.append(View(turn, transl, FOCAL_PX, expression, CENTER_PX, np.zeros((1, 3))))
    return tuple(views)


def watch(
    head: FitHead, identity: Doubles, views: tuple[View, ...], rng: np.random.Generator | None
) -> FaceClip:
    """See the performance with a pixel of noise, or none."""
    seen = []
    for view in views:
        points = project(head.landmarks(identity, view), FOCAL_PX, CENTER_PX)
        noise = 0.0 if rng is None else rng.normal(size=points.shape)
        seen.append(
            Observation(
                points_px=points + noise,
                weights=np.ones(LANDMARKS),
                width=800,
                height=600,
                focal=Focal(FOCAL_PX * 1.1, 0.25, "prior"),
                bias_px=np.zeros((LANDMARKS, 2)),
            )
        )
    return FaceClip(tuple(seen), np.arange(len(views), dtype=np.int32), 25.0)


def no_check() -> None:
    """Nobody cancels."""


def solve(head: FitHead, clip: FaceClip) -> Fitted:
    return fit_clip(Fitter(head), clip, no_check, lambda _: None).fitted


def error_mm(head: FitHead, identity: Doubles, truth: tuple[View, ...], found: Fitted) -> float:
    """Mean distance of the landmarks in the head frame, millimetres."""
    still = replace(truth[0], rotation=np.eye(3), transl=np.zeros(3))
    distances = [
        np.linalg.norm(
            head.landmarks(found.variables.identity, replace(still, expression=a.expression))
            - head.landmarks(identity, replace(still, expression=b.expression)),
            axis=1,
        ).mean()
        for a, b in zip(found.variables.views, truth, strict=True)
    ]
    return 1000 * float(np.mean(distances))


@pytest.mark.parametrize("count", [1, 2, 3, 15, 17])
def test_a_clip_of_any_length_comes_back(
    head: FitHead, identity: Doubles, rng: np.random.Generator, count: int
) -> None:
    truth = perform(count)

    found = solve(head, watch(head, identity, truth, rng))

    assert len(found.variables.views) == count
    assert error_mm(head, identity, truth, found) < 2.5
    for view, true in zip(found.variables.views, truth, strict=True):
        turned = vector_from_rotation(view.rotation @ true.rotation.T)
        assert np.degrees(np.linalg.norm(turned)) < 3.0


def test_a_thousand_frames_come_back(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    truth = perform(1000)

    found = solve(head, watch(head, identity, truth, rng))

    assert len(found.variables.views) == 1000
    assert error_mm(head, identity, truth, found) < 2.0


def test_all_frames_together_are_calmer_and_no_worse_than_one_by_one(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    truth = perform(40)
    clip = watch(head, identity, truth, rng)
    fitter = Fitter(head)

    alone = follow_clip(fitter, fit_person(fitter, clip, no_check), clip, no_check, lambda _: None)
    together = solve(head, clip)

    assert unrest(together) < 0.8 * unrest(alone)
    assert error_mm(head, identity, truth, together) < 1.05 * error_mm(head, identity, truth, alone)


def unrest(found: Fitted) -> float:
    depth = np.array([view.transl[2] for view in found.variables.views])
    return float(np.sqrt(np.mean(np.diff(depth, 3) ** 2)))


def test_the_size_of_the_head_does_not_drift(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    clip = watch(head, identity, perform(60), rng)
    gauge = scale_gauge(head, 1.0)

    found = solve(head, clip).variables.identity

    assert gauge.size(found) == pytest.approx(gauge.wanted_m, rel=0.01)


def test_a_face_that_leaves_and_comes_back_elsewhere_is_found_again(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    truth = perform(60)
    whole = watch(head, identity, truth, rng)
    kept = [*range(20), *range(45, 60)]
    clip = FaceClip(tuple(whole.seen[i] for i in kept), whole.frames[kept], 25.0)

    found = solve(head, clip)

    assert clip.gaps[19] == 26
    assert error_mm(head, identity, tuple(truth[i] for i in kept), found) < 2.0


def test_a_frame_of_garbage_is_left_out_and_does_not_pull_its_neighbours_along(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    truth = perform(20)
    clip = watch(head, identity, truth, rng)
    wild = replace(clip.seen[10], points_px=CENTER_PX + 80 * rng.normal(size=(LANDMARKS, 2)))
    spoilt = replace(clip, seen=(*clip.seen[:10], wild, *clip.seen[11:]))

    found = fit_clip(Fitter(head), spoilt, no_check, lambda _: None)

    assert found.kept.tolist() == [*range(10), *range(11, 20)]
    clean = solve(head, clip).variables.views
    for i, view in zip(found.kept, found.fitted.variables.views, strict=True):
        assert np.linalg.norm(view.transl - clean[i].transl) < 0.02


def test_landmarks_that_are_not_numbers_do_not_count(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    truth = perform(3)
    clip = watch(head, identity, truth, rng)
    points = clip.seen[1].points_px.copy()
    points[200:260] = np.nan
    holed = replace(clip.seen[1], points_px=points)

    found = solve(head, replace(clip, seen=(clip.seen[0], holed, clip.seen[2])))

    assert np.isfinite(found.variables.views[1].transl).all()
    assert error_mm(head, identity, truth, found) < 3.0


def test_progress_only_grows_and_the_solve_can_be_cancelled_in_every_stage(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    clip = watch(head, identity, perform(12), rng)
    shares: list[float] = []
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    fit_clip(Fitter(head), clip, count, shares.append)

    assert shares == sorted(shares)
    for stop in (1, calls // 3, 2 * calls // 3, calls - 1):
        with pytest.raises(Cancelled):
            fit_clip(Fitter(head), clip, cancel_after(stop), lambda _: None)


def cancel_after(stop: int):
    left = stop

    def check() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise Cancelled("stop")

    return check


def test_a_live_face_is_met_and_then_followed(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    truth = perform(12)
    live = start_live(Fitter(head))

    for seen, true in zip(watch(head, identity, truth, rng).seen, truth, strict=True):
        live = live.push(seen)

        assert live.view is not None
        turned = vector_from_rotation(live.view.rotation @ true.rotation.T)
        assert np.degrees(np.linalg.norm(turned)) < 4.0
    assert live.knows_person


def test_a_live_face_that_is_lost_keeps_its_identity(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    seen = watch(head, identity, perform(3), rng).seen
    met = start_live(Fitter(head)).push(seen[0])

    lost = met.push(None)
    back = lost.push(seen[2])

    assert lost.view is None
    assert back.view is not None
    np.testing.assert_array_equal(back.identity, met.identity)
