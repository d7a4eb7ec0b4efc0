# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer: track of all frames, rig of the person, texture from the best frame, and what the user should know."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles, Footage, Texture, Tracked, TrackFace

from .engine import Engine
from .footage import read_footage
from .heads.rig import make_rig
from .heads.view import view_angles
from .job import Job
from .memory import resident_bytes
from .notes import write_notes
from .sight import Sighting, is_clip_footage
from .solved import Solved
from .texture import Shot, bake_texture
from .track import make_track, spread_over


def hand_over(
    request: TrackFace, solved: Solved, sightings: tuple[Sighting, ...], engine: Engine, job: Job
) -> Tracked:
    """Put the answer together from a solved person and all frames of the footage, with and without a face."""
    valid = np.array([sighting.landmarks is not None for sighting in sightings])
    seen_px, fitted_px = solved.landmarks_px()
    job.report(0.75, "Making the texture")
    texture = (
        take_texture(request, solved, sightings, engine, job) if request.texture_size else None
    )
    job.report(0.95, "Handing over")
    return Tracked(
        track=make_track(solved, sightings, valid),
        rig=make_rig(solved.model, solved.fitted.variables.identity.astype(np.float32)),
        texture=texture,
        landmarks_px=spread_over(valid, seen_px),
        fitted_px=spread_over(valid, fitted_px),
        notes=write_notes(solved, sightings),
        stages=job.stages,
        stage_s=job.stage_s,
        memory_bytes=resident_bytes(),
        vertex_std_m=solved.vertex_std_m,
        vertex_confidence=solved.vertex_confidence,
    )


def take_texture(
    request: TrackFace, solved: Solved, sightings: tuple[Sighting, ...], engine: Engine, job: Job
) -> Texture:
    """Bake the texture from the frame that shows the face best."""
    best = _best_view(solved)
    sighting = [sighting for sighting in sightings if sighting.landmarks is not None][best]
    frame = next(iter(read_footage(_one_frame(sighting), job.check)))
    job.check()
    shot = Shot(
        posed=solved.posed(best),
        camera=solved.camera(best),
        pixels=frame.pixels,
        landmarks_px=solved.fitted.seen[best].points_px.astype(np.float32),
    )
    # The bent head of a person has the UVs, and so the atlas, of the head that it was bent from.
    atlas = engine.atlas(engine.head(request.head), request.texture_size)
    return bake_texture(solved.model, atlas, shot, job.check)


def _best_view(solved: Solved) -> int:
    """The view that is nearest to frontal, with the calmest mouth and eyes."""
    views = solved.fitted.variables.views
    return int(
        np.argmin(
            [abs(view_angles(view.rotation)[0]) + 0.05 * _effort(view.expression) for view in views]
        )
    )


def _effort(expression: Doubles) -> float:
    return float(np.abs(expression).sum())


def _one_frame(sighting: Sighting) -> Footage:
    footage = sighting.footage
    if not is_clip_footage(footage):
        return footage
    return Footage(
        path=footage.path, first=sighting.index, last=sighting.index, focal_35mm=footage.focal_35mm
    )
