# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .face import FaceTrack
from .faults import FaultCode
from .head import HeadRig, Texture
from .record import Floats, Record


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
