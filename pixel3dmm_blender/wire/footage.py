# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user gives: a photo or a clip, by path or as pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .record import Bytes, Record


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Footage(Record):
    """One photo or clip. Either ``path`` names a file that the engine can open, or ``pixels`` holds the picture."""

    path: str = ""
    """File on the engine's machine; empty when pixels are sent."""
    pixels: Annotated[Bytes, "H W 3"] | None = None
    """sRGB, top row first."""
    first: int = 0
    """First frame of a clip, counted from 0."""
    last: int = -1
    """Last frame of a clip, inclusive; -1 is the end."""
    step: int = 1
    """Take every step-th frame."""
    focal_35mm: float = 0.0
    """Focal length in 35 mm equivalents (mm for a 36 mm wide picture, long side); 0 = read EXIF, else assume."""
