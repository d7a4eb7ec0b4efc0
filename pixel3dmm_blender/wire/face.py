# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceTrack: one person over time, in the names of the HeadRig.

A vertex of the head is first posed (keys, then joints, see ``motion/posing.py``), then placed in the world:
``points_world = rotation @ posed + transl``. A photo has rotation 0 and transl 0: the head stands at the origin and
the camera carries the pose. In a clip the camera stands still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from .camera import Camera
from .record import Bools, Floats, Ints, Record


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FaceTrack(Record):
    """One person over T frames. S identity components, E expressions, J joints."""

    head: str
    frames: Annotated[Ints, "T"]
    """Frame numbers in the footage, counted from 0."""
    camera: Camera
    identity_names: tuple[str, ...]
    identity: Annotated[Floats, "S"]
    expression_names: tuple[str, ...]
    expression: Annotated[Floats, "T E"]
    joint_names: tuple[str, ...]
    joint_rotation: Annotated[Floats, "T J 3"]
    """Axis-angle in radians about the joint, axes of the head frame, relative to the parent."""
    rotation: Annotated[Floats, "T 3"]
    """Axis-angle in radians of the whole head in the world."""
    transl: Annotated[Floats, "T 3"]
    """Metres."""
    valid: Annotated[Bools, "T"]
    """False where no face was found; the values are bridged there."""
    error_px: Annotated[Floats, "T"]
    """Mean distance between landmarks and head, after the network's measured bias is subtracted."""
    raw_error_px: Annotated[Floats, "T"]
    """The same against the landmarks just as the network saw them."""
    face_height_px: Annotated[Floats, "T"]
    """Distance between the landmarks at the top of the forehead and the chin: what error_px is to be compared with."""
    confidence: Annotated[Floats, "T"]
    """0..1."""
    fps: float = 0.0
    """Frames per second of the footage; 0 for a photo."""

    def mean_error_px(self) -> float:
        """Average the error over the valid frames; 0 if there are none."""
        return float(np.mean(self.error_px[self.valid])) if self.valid.any() else 0.0

    def mean_error_percent(self) -> float:
        """Average the error over the valid frames, in percent of each frame's face height."""
        return _percent(self.error_px, self)

    def mean_raw_error_percent(self) -> float:
        """The same against the landmarks just as the network saw them."""
        return _percent(self.raw_error_px, self)


def _percent(errors_px: Floats, track: FaceTrack) -> float:
    if not track.valid.any():
        return 0.0
    heights = np.maximum(track.face_height_px[track.valid], 1e-6)
    return float(np.mean(100.0 * errors_px[track.valid] / heights))
