# SPDX-License-Identifier: GPL-3.0-or-later
"""The story on one page: footage -> faces -> landmarks -> fit -> track, rig and texture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pixel3dmm_blender.wire import (
    CorrectionImpossible,
    Ints,
    NoFaceFound,
    RefineTrack,
    Tracked,
    TrackFace,
)

from .engine import Engine
from .fit.clip import FaceClip, fit_clip
from .fit.refine import refine
from .handover import hand_over
from .job import Job
from .limits import check_request
from .present import Present, corrections_of
from .sight import Sighting, is_clip_footage, observe, shows_face, sight_clip, sight_photo
from .solved import Solved, make_fitter, personalise


def track_face(request: TrackFace, engine: Engine, job: Job) -> Tracked:
    """Reconstruct the face in one photo or clip."""
    check_request(request)
    job.report(0.02, "Loading the head")
    engine.head(request.head)
    if is_clip_footage(request.footage):
        return track_clip(request, engine, job)
    job.report(0.1, "Finding the face")
    sighting = sight_photo(request.footage, engine.detector, job)
    return track_photos(request, (sighting,), engine, job)[0]


def track_photos(
    request: TrackFace, sightings: tuple[Sighting, ...], engine: Engine, job: Job
) -> tuple[Tracked, ...]:
    """Reconstruct one person from one or several photos: one identity, as many results as photos."""
    job.report(0.5, "Fitting the head")
    model = engine.head(request.head)
    fitter = make_fitter(model)
    observations = tuple(observe(model, sighting) for sighting in sightings)
    solved = Solved(model, fitter, fitter.fit_photos(observations, job.check))
    if request.personal_shape > 0:
        solved = personalise(solved, request.personal_shape)
    engine.present = Present(request, solved, sightings)
    return tuple(
        hand_over(request, solved.of_view(index), (sighting,), engine, job)
        for index, sighting in enumerate(sightings)
    )


def track_clip(request: TrackFace, engine: Engine, job: Job) -> Tracked:
    """Reconstruct one person over the frames of a clip; frames without a face are bridged and marked invalid."""
    model = engine.head(request.head)
    fitter = make_fitter(model)
    sightings = tuple(
        sighting if shows_face(model, sighting) else replace(sighting, landmarks=None)
        for sighting in sight_clip(request.footage, engine.detector, job)
    )
    observations = tuple(
        observe(model, sighting) for sighting in sightings if sighting.landmarks is not None
    )
    if not observations:
        raise NoFaceFound(
            f"No face was found in any of {len(sightings)} frames.",
            "Choose a clip in which the face can be seen.",
        )

    def progress(share: float) -> None:
        job.report(0.55 + 0.2 * share, "Fitting the head")

    frames = [sighting.index for sighting in sightings if sighting.landmarks is not None]
    clip = FaceClip(observations, np.array(frames, np.int32), sightings[0].fps)
    found = fit_clip(fitter, clip, job.check, progress)
    solved = Solved(model, fitter, found.fitted)
    sightings = only_believed(sightings, clip.frames[found.kept])
    if request.personal_shape > 0:
        solved = personalise(solved, request.personal_shape)
    engine.present = Present(request, solved, sightings)
    return hand_over(request, solved, sightings, engine, job)


def only_believed(sightings: tuple[Sighting, ...], frames: Ints) -> tuple[Sighting, ...]:
    """Take the landmarks from frames that the solver left out: they are bridged and marked as if without a face."""
    believed = set(frames.tolist())
    return tuple(
        sighting if sighting.index in believed else replace(sighting, landmarks=None)
        for sighting in sightings
    )


def refine_track(request: RefineTrack, engine: Engine, job: Job) -> Tracked:
    """Solve the last track again with the user's corrections; CorrectionImpossible if there is none."""
    present = engine.present
    if present is None:
        raise CorrectionImpossible(
            "The engine knows no track that could be corrected.",
            "Press Reconstruct Face again: the engine was restarted since.",
        )
    job.report(0.1, "Solving again")
    solved, corrections = present.solved, corrections_of(request, present)
    fitted = refine(
        solved.fitter, solved.model, solved.fitted, corrections, present.timing, job.check
    )
    solved = solved.refined(fitted)
    engine.present = replace(present, solved=solved)
    silent = replace(present.request, texture_size=0)
    return hand_over(silent, solved, present.sightings, engine, job)
