# SPDX-License-Identifier: GPL-3.0-or-later
"""Present: the last track as the solver left it, and the user's corrections in its terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, CorrectionImpossible, RefineTrack, TrackFace

from .fit.refine import Correction, Corrections, Pin, Timing
from .fit.solver import Freedom
from .sight import Sighting, is_clip_footage
from .solved import Solved


@dataclass(frozen=True, eq=False)
class Present:
    """A request, its solution, and all frames of its footage, with and without a face."""

    request: TrackFace
    solved: Solved
    sightings: tuple[Sighting, ...]

    @property
    def frames(self) -> tuple[int, ...]:
        """Numbers of the frames that show the face, one for each view."""
        return tuple(s.index for s in self.sightings if s.landmarks is not None)

    @property
    def timing(self) -> Timing:
        """How the views lie in time; nothing for a photo."""
        if not is_clip_footage(self.request.footage):
            return Timing()
        return Timing(tuple(int(gap) for gap in np.diff(self.frames)), self.sightings[0].fps)


def corrections_of(request: RefineTrack, present: Present) -> Corrections:
    """Translate frames into views; CorrectionImpossible where a frame shows no face, or a pin or mask does not fit."""
    frames, vertex_count = present.frames, len(present.solved.model.template)
    for pin in request.pins:
        inside = len(pin.vertices) and 0 <= pin.vertices.min() <= pin.vertices.max() < vertex_count
        if not inside or not np.isfinite([*pin.px, *pin.weights]).all():
            raise CorrectionImpossible("A pin is not on the head.", "Remove it and set it again.")
    touched = {part.frame for part in (*request.pins, *request.masks)}
    lost = sorted(touched - set(frames))
    if lost:
        raise CorrectionImpossible(
            f"Frame {lost[0]} shows no face.", "Set pins and masks in frames that show it."
        )
    corrections = tuple(
        Correction(
            view=frames.index(frame),
            pins=tuple(
                Pin(pin.vertices, pin.weights / pin.weights.sum(), pin.px.astype(np.float64))
                for pin in request.pins
                if pin.frame == frame
            ),
            mask=_mask(request, present, frame),
        )
        for frame in sorted(touched)
    )
    locks = request.locks
    freedom = Freedom(
        identity=not locks.identity,
        expression=not locks.expression,
        pose=not locks.pose,
        focal=not locks.camera,
    )
    return Corrections(corrections, freedom)


def _mask(request: RefineTrack, present: Present, frame: int) -> Bools | None:
    masks = [mask.covered for mask in request.masks if mask.frame == frame]
    if not masks:
        return None
    (sighting,) = (s for s in present.sightings if s.index == frame)
    size = (sighting.height, sighting.width)
    for mask in masks:
        if mask.shape != size:
            raise CorrectionImpossible(
                f"A mask has {mask.shape[1]} x {mask.shape[0]} pixels, the picture {size[1]} x {size[0]}.",
                "Paint the mask on the picture itself.",
            )
    return np.any(masks, axis=0)
