# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user should know about a result, in sentences: what was assumed, and what that may cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .fit.observation import FULL_FRAME_MM
from .fit.stages import HIDDEN_RAD, OBLIQUE_RAD, Fitted, Fitter
from .heads.view import view_angles
from .sight import Sighting
from .solved import Solved

FOCAL_DOUBT = 1.5
"""An assumed focal length may well be off by this factor."""
PITCH_WORTH_SAYING_DEG = 1.0
POOR_FIT = 0.02
"""Share of the face height; good fits reach 0.6 to 1 % (measured)."""


def write_notes(solved: Solved, sightings: tuple[Sighting, ...]) -> tuple[str, ...]:
    """Say what was assumed, what is uncertain, and what was left out, of all frames of some footage."""
    fitted, errors_px = solved.fitted, solved.errors_px()
    notes = [_focal_note(solved), _size_note(solved)]
    error = float(
        np.mean([px / seen.face_height_px for px, seen in zip(errors_px, fitted.seen, strict=True)])
    )
    if error > POOR_FIT:
        notes.append(
            f"The head meets the landmarks poorly ({error:.1%} of the face's height): look at it before you go on."
        )
    faces = max(sighting.face_count for sighting in sightings)
    if faces > 1:
        notes.append(f"{faces} faces were found; the largest one was taken.")
    missing = sum(sighting.landmarks is None for sighting in sightings)
    if missing:
        notes.append(
            f"{missing} of {len(sightings)} frames show no face; they are bridged and marked."
        )
    yaw = min(abs(view_angles(view.rotation)[0]) for view in fitted.variables.views)
    if yaw > OBLIQUE_RAD:
        side = "is in profile" if yaw > HIDDEN_RAD else "is turned far to the side"
        notes.append(f"The face {side} ({np.degrees(yaw):.0f} degrees): expect less likeness.")
    return tuple(notes)


def _focal_note(solved: Solved) -> str:
    seen, view = solved.fitted.seen[0], solved.fitted.variables.views[0]
    millimetres = view.focal_px / max(seen.width, seen.height) * FULL_FRAME_MM
    focal = f"{millimetres:.0f} mm (35 mm equivalent)"
    source = solved.focal_source
    if source == "frames":
        share = solved.deviation.focal[0]
        return f"The focal length, {focal} ± {share:.0%}, was found from the frames together."
    if source != "prior":
        return f"The focal length, {focal}, comes from {_SAID_BY[source]}."
    doubt_deg = pitch_doubt_deg(solved.fitter, solved.fitted)
    note = f"The focal length is assumed, {focal}"
    if doubt_deg > PITCH_WORTH_SAYING_DEG:
        note += f"; with another one the head's pitch differs by up to {doubt_deg:.0f}°"
    return note + ". If you know the real one, give it."


def _size_note(solved: Solved) -> str:
    pupils = f"pupils {1000.0 * solved.pupils_m:.0f} mm apart"
    if solved.scale_source == "user":
        return f"The size of the head comes from you: {pupils}."
    return f"The size of the head is assumed: {pupils}. Pictures do not show it."


def pitch_doubt_deg(fitter: Fitter, fitted: Fitted) -> float:
    """Solve again with the focal length shorter and longer, and tell how far the pitch of the first view moves."""
    pitches = []
    seen = fitted.seen[0]
    for factor in (1 / FOCAL_DOUBT, FOCAL_DOUBT):
        other = replace(
            seen,
            focal=replace(seen.focal, px=fitted.variables.views[0].focal_px * factor, sigma=1e-3),
        )
        refitted = fitter.fit_photos((other,), lambda: None)
        pitches.append(view_angles(refitted.variables.views[0].rotation)[1])
    return float(np.degrees(abs(pitches[1] - pitches[0])) / 2)


_SAID_BY = {"exif": "the photo's EXIF data", "user": "you"}
