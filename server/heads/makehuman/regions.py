# SPDX-License-Identifier: GPL-3.0-or-later
"""Named regions of the MakeHuman head as vertex weights, from its painted masks, its islands and its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles, Ints

from .archive import MakeHumanArchive
from .atlas import island_of
from .cage import Cage
from .parts import Part

MASKS = ("face", "lips", "eyelids", "ears")
GROUP_NAMES = (
    "face", "lips", "lids", "nose", "ears", "neck", "scalp", "mouth_cavity", "eye_sockets", "eye_L", "eye_R",
    "teeth_upper", "teeth_lower", "gums", "tongue", "lashes", "hair",
)  # fmt: skip
NOSE_TIP_TO_ROOT_MM = (686.0, 735.0)


@dataclass(frozen=True)
class Masks:
    """MakeHuman's painted masks at the cage's vertices, [V] each, 0..1."""

    face: Doubles
    lips: Doubles
    eyelids: Doubles
    ears: Doubles


def read_masks(archive: MakeHumanArchive, cage: Cage) -> Masks:
    """Sample the masks at the vertices of the main skin island; 0 elsewhere."""
    on_skin = np.array([_is_outer(uv) for uv in cage.body_uv])
    vertices, corners = np.unique(cage.quads[on_skin], return_index=True)
    uv = cage.body_uv[on_skin].reshape(-1, 2)[corners]
    sampled: list[Doubles] = []
    for name in MASKS:
        weights = np.zeros(len(cage.points))
        weights[vertices] = archive.mask(name, uv)
        sampled.append(0.5 * (weights + weights[cage.mirror]))
    return Masks(*sampled)


def skin_groups(cage: Cage, masks: Masks, density: Doubles) -> dict[str, Doubles]:
    """Weights of the skin's regions on the cage, [V] each."""
    points = cage.points
    islands = np.array([_safe_island(uv) for uv in cage.body_uv])

    def on(*names: str) -> Doubles:
        weights = np.zeros(len(points))
        weights[np.unique(cage.quads[np.isin(islands, names)])] = 1.0
        return weights

    outer = on("skin", "bust")
    inner = np.maximum(on("cavity"), on("socket_L", "socket_R")) * (1.0 - outer)
    x, y, z = points.T
    low, high = NOSE_TIP_TO_ROOT_MM
    nose = (
        (np.abs(x) < 20) & (y > low) & (y < high) & (z > 132 - 0.25 * (y - low) + 0.4 * np.abs(x))
    )
    throat = 638.0 - 0.25 * (z - 60.0)
    neck = np.clip((throat + 12.0 - y) / 24.0, 0.0, 1.0) * outer
    return {
        "face": masks.face * outer * (1.0 - inner),
        "lips": masks.lips * outer,
        "lids": masks.eyelids * outer,
        "nose": nose * outer,
        "ears": masks.ears * outer,
        "neck": neck,
        "scalp": density * outer,
        "mouth_cavity": on("cavity") * (1.0 - on("skin")),
        "eye_sockets": on("socket_L", "socket_R") * (1.0 - on("skin")),
        "tongue": on("tongue"),
        "lashes": on("lashes_L_upper", "lashes_R_upper", "lashes_L_lower", "lashes_R_lower"),
    }


def head_groups(parts: tuple[Part, ...], on_cage: dict[str, Doubles], hair: Doubles) -> Doubles:
    """Weights of GROUP_NAMES over the points of all parts in order, [G, V]."""
    rows: list[Doubles] = []
    for group in GROUP_NAMES:
        rows.append(np.concatenate([_of_part(part, group, on_cage, hair) for part in parts]))
    return np.clip(np.stack(rows), 0.0, 1.0)


def lip_height(cage: Cage) -> float:
    """Height in mm of the line where the lips meet, in the middle: the border of mouth cavity and skin."""
    islands = np.array([_safe_island(uv) for uv in cage.body_uv])
    seam = np.intersect1d(cage.quads[islands == "cavity"], cage.quads[islands == "skin"])
    central = cage.points[seam][np.abs(cage.points[seam, 0]) < 3.0]
    return float(central[:, 1].mean())


def _of_part(part: Part, group: str, on_cage: dict[str, Doubles], hair: Doubles) -> Doubles:
    if part.name == "skin":
        own = part.binding.vertices[:, 0]
        return on_cage[group][own] if group in on_cage else np.zeros(len(own))
    if part.name == group == "hair":
        return hair
    if part.name.startswith("teeth") and group in (part.name, "gums"):
        in_gum = np.isin(np.arange(len(part.points)), _vertices_of(part, "tongue"))
        return (in_gum == (group == "gums")).astype(np.float64)
    return np.full(len(part.points), float(part.name == group))


def _vertices_of(part: Part, material: str) -> Ints:
    return np.unique(part.quads[[name == material for name in part.materials]])


def _is_outer(uv: Doubles) -> bool:
    return _safe_island(uv) in ("skin", "bust")


def _safe_island(uv: Doubles) -> str:
    try:
        return island_of(uv)
    except KeyError:
        return ""
