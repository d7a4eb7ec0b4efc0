# SPDX-License-Identifier: GPL-3.0-or-later
"""PriorMaps: which point of the head each pixel of a crop shows, and which way the surface looks there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from pixel3dmm_blender.wire import Bytes, Doubles, Floats, Record


class Region(IntEnum):
    """What a pixel shows."""

    BACKGROUND = 0
    """Certainly not this person."""
    FACE = 1
    """Skin, eyes, lips, brows of the face."""
    HEAD = 2
    """The same person, but not the face: hair, ears, neck, clothes."""
    OCCLUDER = 3
    """Something in front: hand, glasses, microphone. The head may well be behind it."""
    UNKNOWN = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PriorMaps(Record):
    """Maps of one crop, H rows of W pixels; the centre of the first pixel is at (0.5, 0.5)."""

    uv: Annotated[Floats, "H W 2"]
    """In the head's first UV map, 0..1, origin at the bottom left."""
    normals: Annotated[Floats, "H W 3"]
    """Unit vectors out of the surface, in the head frame (the pose of the whole head taken away)."""
    confidence: Annotated[Floats, "H W"]
    """0..1; 0 where the provider knows nothing."""
    regions: Annotated[Bytes, "H W"]
    """``Region`` of each pixel."""
    to_source: Annotated[Doubles, "2 3"]
    """Affine map of crop pixels to pixels of the frame: source = A[:, :2] . crop + A[:, 2]."""
