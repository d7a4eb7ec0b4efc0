# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure a person is: from the solution to the track, the vertices and the sentences."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pixel3dmm_blender.wire import Footage
from server.detect.crop import Square
from server.detect.landmarks import FaceLandmarks
from server.fit.clip import FaceClip, fit_clip
from server.fit.observation import Focal, Observation
from server.fit.project import project
from server.fit.refine import Corrections, Timing, refine
from server.fit.stages import Fitter
from server.fit.weights import TermWeights
from server.heads.deform import surface_points
from server.heads.model import HeadModel
from server.notes import write_notes
from server.sight import Sighting
from server.solved import Solved, make_fitter, personalise
from server.track import make_track
from tests.fakes.head import make_fake_head
from tests.truth.scene import Scene, Spread, draw_scene

USUAL = TermWeights()
SHARP = TermWeights(landmark_sigma=0.0005)
BLUNT = TermWeights(landmark_sigma=3.0, lid_sigma=3.0, lip_sigma=3.0, gaze_sigma=3.0)
"""Of landmarks so sharp that perspective shows the lens, and of such that show next to nothing."""


def no_check() -> None:
    """Nobody cancels."""


def draw(head: HeadModel, count: int, focal: float = 2.0) -> tuple[Scene, ...]:
    """One person who turns from the left to the right, before one camera."""
    spread = Spread(focal=(focal, focal), joints=0.0)
    first = draw_scene(head, np.random.default_rng(5), spread=spread)
    return tuple(
        replace(
            draw_scene(head, np.random.default_rng(5), yaw=0.3 * i - 0.2, spread=spread),
            identity=first.identity,
            transl=first.transl,
        )
        for i in range(count)
    )


def look(scene: Scene, focal_px: float) -> Observation:
    points = surface_points(scene.model.landmarks_478, scene.vertices().astype(np.float32))
    camera = points @ scene.rotation.T + scene.transl
    px = project(camera, scene.focal_px, scene.center_px)
    focal = Focal(focal_px, 0.25, "prior")
    return Observation(px, np.ones(478), 512, 512, focal, np.zeros((478, 2)))


def fitter_of(head: HeadModel, weights: TermWeights, pupils_m: float) -> Fitter:
    return replace(make_fitter(head), calibration=None, weights=weights, pupils_m=pupils_m)


@cache
def photos(count: int = 1, pupils_m: float = 0.0, weights: TermWeights = USUAL) -> Solved:
    model = make_fake_head()
    fitter = fitter_of(model, weights, pupils_m)
    seen = tuple(look(scene, scene.focal_px) for scene in draw(model, count))
    return Solved(model, fitter, fitter.fit_photos(seen, no_check))


@cache
def clip(weights: TermWeights, focal: float = 2.0) -> Solved:
    model = make_fake_head()
    fitter = fitter_of(model, weights, 0.0)
    scenes = draw(model, 4, focal)
    seen = tuple(look(scene, scene.focal_px * 1.1) for scene in scenes)
    whole = FaceClip(seen, np.arange(len(seen), dtype=np.int32), 25.0)
    return Solved(model, fitter, fit_clip(fitter, whole, no_check, lambda _: None).fitted)


def sightings(solved: Solved, missing: int | None = None) -> tuple[Sighting, ...]:
    """Frames as the networks saw them, with one more that shows no face."""
    faces = [
        FaceLandmarks(seen.points_px, np.zeros(478), 0.9, Square(np.full(2, 256.0), 300.0, 0.0))
        for seen in solved.fitted.seen
    ]
    shown: list[FaceLandmarks | None] = list(faces)
    if missing is not None:
        shown.insert(missing, None)
    return tuple(
        Sighting(Footage(path="a.mp4"), i, 512, 512, 0.0, 25.0, face, 1)
        for i, face in enumerate(shown)
    )


def test_a_track_says_how_sure_it_is_of_everything() -> None:
    solved = photos()

    track = make_track(solved, sightings(solved), np.ones(1, bool))

    deviation = solved.deviation
    np.testing.assert_allclose(track.identity_std, deviation.identity, rtol=1e-6)
    np.testing.assert_allclose(track.expression_std, deviation.expression, rtol=1e-6)
    assert track.focal_std == pytest.approx(deviation.focal[0])
    assert (track.rotation_std > 0).all()
    assert track.scale_source == "prior"


def test_a_photo_says_least_of_how_far_away_the_head_is() -> None:
    solved = photos(3).of_view(2)
    (view,) = solved.fitted.variables.views

    track = make_track(solved, sightings(solved), np.ones(1, bool))

    # The world's axes are the head's here; the camera looks at it from the side.
    away = view.rotation.T @ [0.0, 0.0, 1.0]
    assert abs(away[0]) > 0.3
    np.testing.assert_allclose(
        track.transl_std[0] / track.transl_std[0].max(), np.abs(away) / np.abs(away).max(), atol=0.1
    )
    assert (track.transl_std**2).sum() == pytest.approx(
        float((solved.deviation.transl**2).sum()), rel=1e-4
    )


def test_frames_without_a_face_are_not_sure_of_anything() -> None:
    solved = clip(USUAL)
    valid = np.array([True, True, False, True, True])

    track = make_track(solved, sightings(solved, missing=2), valid)

    for values in (track.expression_std, track.rotation_std, track.transl_std):
        np.testing.assert_array_equal(np.isfinite(values).all(axis=1), valid)


def test_each_photo_of_a_person_has_its_own_doubts_and_the_same_identity() -> None:
    whole = photos(3)

    parts = [whole.of_view(i) for i in range(3)]

    for i, part in enumerate(parts):
        np.testing.assert_array_equal(part.deviation.identity, whole.deviation.identity)
        np.testing.assert_array_equal(part.deviation.rotation, whole.deviation.rotation[i : i + 1])


def test_more_photos_leave_less_doubt() -> None:
    face = photos().model.groups[photos().model.group_names.index("face")] > 0.5

    one, three = photos().vertex_std_m, photos(3).vertex_std_m

    assert three[face].mean() < one[face].mean()


def test_confidence_is_a_share_that_grows_with_what_was_seen() -> None:
    nothing, little, much = (
        solved.vertex_confidence for solved in (photos(weights=BLUNT), photos(), photos(3))
    )
    moved = np.abs(photos().model.identity).max(axis=(0, 2)) > 0

    assert much.dtype == np.float32
    assert 0.0 <= little.min() <= little.max() <= 1.0
    assert nothing.max() < 0.05
    assert little[moved].min() > 0.05
    assert much[moved].mean() > little[moved].mean()
    assert not much[~moved].any()


def test_a_clip_that_was_corrected_is_as_sure_as_before() -> None:
    solved = clip(USUAL)
    timing = Timing((1,) * 3, 25.0)

    fitted = refine(solved.fitter, solved.model, solved.fitted, Corrections(()), timing, no_check)
    again = solved.refined(fitted)

    assert again.refined(fitted).before is solved
    assert again.deviation is solved.deviation


def test_a_photo_that_was_corrected_is_asked_anew() -> None:
    solved = photos()

    fitted = refine(solved.fitter, solved.model, solved.fitted, Corrections(()), Timing(), no_check)
    again = solved.refined(fitted)

    assert again.before is None
    np.testing.assert_allclose(again.deviation.identity, solved.deviation.identity, rtol=0.05)


def test_a_result_without_a_solution_is_looked_at_again() -> None:
    solved = photos()
    bare = replace(solved, fitted=replace(solved.fitted, solution=None))

    np.testing.assert_allclose(bare.deviation.identity, solved.deviation.identity, rtol=1e-3)
    np.testing.assert_allclose(bare.deviation.rotation, solved.deviation.rotation, rtol=1e-3)


def test_a_personal_shape_keeps_the_users_measure_and_the_doubts() -> None:
    solved = photos(pupils_m=0.066)

    bent = personalise(solved, 0.5)

    assert bent.scale_source == "user"
    np.testing.assert_array_equal(bent.deviation.identity, solved.deviation.identity)


@pytest.mark.parametrize(
    ("weights", "focal", "source"), [(BLUNT, 2.0, "prior"), (SHARP, 1.0, "frames")]
)
def test_a_clip_says_whether_its_frames_showed_the_lens(
    weights: TermWeights, focal: float, source: str
) -> None:
    solved = clip(weights, focal)

    assert solved.focal_source == source
    assert solved.camera().focal_source == source
    (note,) = (note for note in write_notes(solved, sightings(solved)) if "focal length" in note)
    assert ("from the frames together" in note) == (source == "frames")


def test_the_size_is_assumed_or_comes_from_the_user() -> None:
    assumed, told = photos(), photos(pupils_m=0.066)

    notes = [" ".join(write_notes(it, sightings(it))) for it in (assumed, told)]

    size = f"{1000 * assumed.pupils_m:.0f} mm apart"
    assert f"The size of the head is assumed: pupils {size}" in notes[0]
    assert "The size of the head comes from you: pupils 66 mm apart" in notes[1]
    assert told.pupils_m == pytest.approx(0.066, abs=1e-3)
    assert told.scale_source == "user"
