# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user corrects in a finished track: pins, masks and locks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .record import Bools, Floats, Ints, Record


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pin(Record):
    """A point of the head, a weighted mean of M vertices of the HeadRig, that belongs on a pixel of one frame."""

    frame: int
    """As in ``FaceTrack.frames``."""
    vertices: Annotated[Ints, "M"]
    weights: Annotated[Floats, "M"]
    """Sum to 1."""
    px: Annotated[Floats, "2"]
    """Where it belongs; the centre of the first pixel is at (0.5, 0.5)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mask(Record):
    """A region of one frame that is not to be believed: a hand, a shadow, hair."""

    frame: int
    covered: Annotated[Bools, "H W"]
    """Of the whole picture."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Locks(Record):
    """What stays as it is. Identity and camera of a clip always stay: they belong to all of its frames."""

    identity: bool = False
    expression: bool = False
    pose: bool = False
    camera: bool = False
