# SPDX-License-Identifier: GPL-3.0-or-later
"""HeadRig: one person's head as plain data, whatever model it came from.

Frame: metres, x to the subject's left, y up, z out of the face; the origin is the head joint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .record import Bools, Bytes, Floats, Ints, Record


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Material(Record):
    """How one material slot looks. Colour and alpha come from the head's texture."""

    name: str
    roughness: float = 0.5
    specular: float = 0.5
    """Blender's Specular IOR Level."""
    subsurface: float = 0.0
    """Subsurface weight, 0..1."""
    alpha: bool = False
    """The texture's alpha is used (lashes, hair)."""
    color: Annotated[Floats, "3"] | None = None
    """Linear base colour where the head has no texture."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeadRig(Record):
    """Everything Blender needs to build one head. V vertices, F faces, L face corners, N keys, J bones, G groups."""

    head: str
    """Name of the head model."""
    licence: str
    """One paragraph: what the head is made with, and whether commercial use is allowed."""
    provenance: str
    """Package, version and checksum that the model was read from."""
    neutral: Annotated[Floats, "V 3"]
    face_sizes: Annotated[Ints, "F"]
    """Corners of each face, 3 or 4."""
    face_vertices: Annotated[Ints, "L"]
    """Vertex of each corner, face after face."""
    face_materials: Annotated[Ints, "F"]
    materials: tuple[Material, ...]
    uv_names: tuple[str, ...]
    """The first is the map of the texture."""
    uv: Annotated[Floats, "U L 2"]
    """Origin at the bottom left."""
    key_names: tuple[str, ...]
    keys: Annotated[Floats, "N V 3"]
    """Offsets from neutral at value 1."""
    key_min: Annotated[Floats, "N"]
    key_max: Annotated[Floats, "N"]
    bone_names: tuple[str, ...]
    bone_parents: Annotated[Ints, "J"]
    """Index of the parent; -1 for the root. A parent stands before its children."""
    bone_heads: Annotated[Floats, "J 3"]
    bone_tails: Annotated[Floats, "J 3"]
    skin_weights: Annotated[Floats, "J V"]
    """Sum to 1 over J."""
    group_names: tuple[str, ...]
    groups: Annotated[Floats, "G V"]
    """Vertex weights 0..1 of named regions (face, lips, eye_L, teeth, hair, ...)."""
    mirror: Annotated[Ints, "V"]
    """Index of each vertex's twin across x = 0."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Texture(Record):
    """Base colour of the whole head on the first UV map of its rig."""

    pixels: Annotated[Bytes, "H W 4"]
    """sRGB with straight alpha, top row first (v = 1 is the top)."""
    observed: Annotated[Bools, "H W"]
    """True where the colour was seen in the photo."""
