# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from .face import FaceTrack
from .faults import FaultCode
from .head import HeadRig, Texture
from .record import Floats, Record

_FACE: Final = "face"
"""Group of the rig that every head has."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ready(Record):
    """Answer to Hello: what this engine is and can run."""

    protocol: int
    version: str
    device: str
    heads: tuple[str, ...]
    priors: tuple[str, ...]
    licences: tuple[str, ...]
    """One sentence for each model file in use."""
    memory_bytes: int
    """Resident memory of the engine."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Progress(Record):
    """How far the request with this message's id has come."""

    fraction: float
    """0..1 over the whole request."""
    stage: str
    """What is being done, in the user's words ("Finding the face")."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tracked(Record):
    """The end of a TrackFace that succeeded. T frames, K landmarks, M stages."""

    track: FaceTrack
    rig: HeadRig
    texture: Texture | None
    landmarks_px: Annotated[Floats, "T K 2"]
    """Where the landmarks are: as the network saw them, less its measured bias for this view.

    NaN in invalid frames.
    """
    fitted_px: Annotated[Floats, "T K 2"]
    """Where the fitted head has them."""
    notes: tuple[str, ...]
    """What the user should know ("The focal length is assumed ...")."""
    stages: tuple[str, ...]
    stage_s: Annotated[Floats, "M"]
    """How long each stage took."""
    memory_bytes: int
    """Resident memory of the engine at the end of the request."""
    vertex_std_m: Annotated[Floats, "V"] | None = None
    """How far each vertex of the rig's neutral head may be off, metres, standard deviation; None: not said."""
    vertex_confidence: Annotated[Floats, "V"] | None = None
    """0..1 how much the pictures told about it: 1 - vertex_std_m / what it is for a person nobody has seen."""

    def face_std_mm(self) -> float | None:
        """Average by how many millimetres the vertices of the face may be off."""
        if self.vertex_std_m is None or _FACE not in self.rig.group_names:
            return None
        face = self.rig.groups[self.rig.group_names.index(_FACE)].astype(np.float64)
        return 1000.0 * float(face @ self.vertex_std_m) / max(float(face.sum()), 1e-9)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fault(Record):
    """The end of a request that failed."""

    code: FaultCode
    message: str
    """What happened, one sentence."""
    hint: str
    """What to do, one sentence; may be empty."""
    detail: str = ""
    """For diagnostics: a traceback, never shown at once."""
