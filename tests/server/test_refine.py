# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections: a pin is obeyed, its neighbours follow, what is locked stays, what is masked is silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixel3dmm_blender.wire import (
    CorrectionImpossible,
    Footage,
    Locks,
    Mask,
    Pin,
    RefineTrack,
    Tracked,
    TrackFace,
)
from server.engine import Engine
from server.fit.masks import mask_observation
from server.fit.refine import Correction, Corrections, Timing, refine
from server.fit.refine import Pin as FitPin
from server.fit.solver import EVERYTHING, Freedom
from server.fit.stages import Fitted, Fitter
from server.fit.variables import FitVariables
from server.job import Job
from server.pipeline import refine_track, track_face
from server.solved import make_fitter
from tests.fakes.head import make_fake_head
from tests.truth.scene import draw_scene

TIP = 1
"""The landmark that is pinned."""


@pytest.fixture(scope="module")
def head():
    return make_fake_head()


@pytest.fixture(scope="module")
def fitter(head):
    return replace(make_fitter(head), calibration=None)


def no_check() -> None:
    """Nobody cancels."""


def seen_from(head, fitter: Fitter, count: int) -> Fitted:
    """The fake head turning slowly, solved from its own landmarks."""
    from server.fit.observation import Focal, Observation
    from server.fit.project import project
    from server.heads.deform import surface_points

    seen = []
    for i in range(count):
        scene = draw_scene(head, np.random.default_rng(1), yaw=0.3 * np.sin(0.2 * i))
        points = surface_points(head.landmarks_478, scene.vertices())
        camera = points @ scene.rotation.T + scene.transl
        px = project(camera, scene.focal_px, scene.center_px)
        focal = Focal(scene.focal_px, 0.01, "user")
        seen.append(Observation(px, np.ones(478), 512, 512, focal, np.zeros((478, 2))))
    if count == 1:
        return fitter.fit_photos(tuple(seen), no_check)
    person = fitter.fit_photos(tuple(seen[:1]), no_check).variables
    views = [fitter.fit_expression(person.identity, fitter.start(s), s, no_check) for s in seen]
    found = FitVariables(person.identity, tuple(f.variables.views[0] for f in views))
    return Fitted(found, tuple(seen))


def pin_off(head, fitter: Fitter, fitted: Fitted, view: int, offset) -> FitPin:
    """Pin a landmark so many pixels from where it is."""
    embedding = head.landmarks_478
    px = pixel(fitter, fitted, view) + offset
    return FitPin(embedding.vertices[TIP], embedding.weights[TIP], px)


def pixel(fitter: Fitter, fitted: Fitted, view: int):
    variables = fitted.variables
    placed = fitter.head.marks.placed(variables.identity, variables.views[view])
    return placed.px[TIP].double().numpy()


def test_a_pinned_point_of_a_photo_comes_to_its_place(head, fitter) -> None:
    before = seen_from(head, fitter, 1)
    pin = pin_off(head, fitter, before, 0, np.array([9.0, -6.0]))

    after = refine(fitter, head, before, Corrections((Correction(0, (pin,)),)), Timing(), no_check)

    np.testing.assert_allclose(pixel(fitter, after, 0), pin.px, atol=1.0)


def test_what_is_locked_stays(head, fitter) -> None:
    before = seen_from(head, fitter, 1)
    pin = pin_off(head, fitter, before, 0, np.array([9.0, -6.0]))
    freedom = Freedom(identity=False, expression=False, focal=False)

    after = refine(
        fitter, head, before, Corrections((Correction(0, (pin,)),), freedom), Timing(), no_check
    )

    old, new = before.variables.views[0], after.variables.views[0]
    np.testing.assert_array_equal(after.variables.identity, before.variables.identity)
    np.testing.assert_array_equal(new.expression, old.expression)
    assert new.focal_px == old.focal_px
    assert not np.allclose(new.transl, old.transl)


def test_neighbouring_frames_follow_a_pin_and_far_ones_do_not(head, fitter) -> None:
    before = seen_from(head, fitter, 30)
    offset = np.array([10.0, 0.0])
    pin = pin_off(head, fitter, before, 15, offset)
    timing = Timing((1,) * 29, 25.0)

    after = refine(fitter, head, before, Corrections((Correction(15, (pin,)),)), timing, no_check)

    moved = [pixel(fitter, after, i)[0] - pixel(fitter, before, i)[0] for i in range(30)]
    assert moved[15] == pytest.approx(10.0, abs=1.0)
    assert 6.0 < moved[14] < 10.5
    assert 1.0 < moved[11] < 8.0
    assert np.abs(moved[:6]).max() == 0.0
    assert np.abs(moved[25:]).max() == 0.0


def test_a_masked_region_is_not_believed(head, fitter) -> None:
    before = seen_from(head, fitter, 1)
    mask = np.zeros((512, 512), bool)
    mask[:, :256] = True
    left = before.seen[0].points_px[:, 0] < 256

    masked = mask_observation(before.seen[0], mask)

    assert not masked.weights[left].any()
    np.testing.assert_array_equal(masked.weights[~left], before.seen[0].weights[~left])


def test_a_mask_makes_spoilt_landmarks_harmless(head, fitter) -> None:
    clean = seen_from(head, fitter, 1)
    points = clean.seen[0].points_px.copy()
    covered = np.zeros((512, 512), bool)
    covered[int(np.median(points[:, 1])) :] = True
    low = points[:, 1] > np.median(points[:, 1])
    points[low] += 12.0
    spoilt = replace(clean.seen[0], points_px=points)
    misled = fitter.fit_photos((spoilt,), no_check)

    mended = refine(
        fitter,
        head,
        misled,
        Corrections((Correction(0, mask=covered),), EVERYTHING),
        Timing(),
        no_check,
    )

    truth = pixel(fitter, clean, 0)
    assert np.linalg.norm(pixel(fitter, mended, 0) - truth) < 0.5 * np.linalg.norm(
        pixel(fitter, misled, 0) - truth
    )


@pytest.fixture(scope="module")
def tracked(request: pytest.FixtureRequest):
    """The astronaut, solved by an engine that remembers it."""
    models: Path = request.getfixturevalue("models")
    photo: Path = request.getfixturevalue("astronaut_path")
    engine = Engine(models)
    answer = track_face(TrackFace(footage=Footage(path=str(photo)), texture_size=0), engine, Job())
    return engine, answer


def nose_pin(engine: Engine, answer: Tracked, frame: int = 0) -> Pin:
    embedding = engine.head("").landmarks_478
    px = (answer.fitted_px[0][TIP] + (8.0, 5.0)).astype(np.float32)
    return Pin(frame=frame, vertices=embedding.vertices[TIP], weights=embedding.weights[TIP], px=px)


def test_the_engine_solves_its_last_track_again(tracked) -> None:
    engine, answer = tracked
    pin = nose_pin(engine, answer)

    refined = refine_track(RefineTrack(pins=(pin,), locks=Locks()), engine, Job())

    np.testing.assert_allclose(refined.fitted_px[0][TIP], pin.px, atol=1.0)
    assert refined.texture is None


def test_an_engine_without_a_track_says_so(models: Path) -> None:
    with pytest.raises(CorrectionImpossible, match="no track"):
        refine_track(RefineTrack(locks=Locks()), Engine(models), Job())


def test_corrections_that_do_not_fit_are_refused_in_words(tracked) -> None:
    engine, answer = tracked
    good = nose_pin(engine, answer)
    beside = Pin(frame=0, vertices=good.vertices + 10**6, weights=good.weights, px=good.px)
    late = nose_pin(engine, answer, frame=9)
    small = Mask(frame=0, covered=np.zeros((3, 4), bool))

    for request, words in (
        (RefineTrack(pins=(beside,), locks=Locks()), "not on the head"),
        (RefineTrack(pins=(late,), locks=Locks()), "Frame 9 shows no face"),
        (RefineTrack(masks=(small,), locks=Locks()), "4 x 3"),
    ):
        with pytest.raises(CorrectionImpossible, match=words):
            refine_track(request, engine, Job())
