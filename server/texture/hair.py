# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair cap and lashes: colour of the photo's hair, strands of our own, and an edge that fades."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from server.heads.model import HeadModel
from server.raster import Indices, Reals
from server.texture.atlas import Atlas
from server.texture.blend import smoothstep
from server.texture.haircut import Evidence
from server.texture.noise import value_noise
from server.texture.skin_paint import seen_texels

_FADE_M = 0.012
"""Width over which the cap's edge goes from nothing to full."""
_PHOTO_SHARE = 0.9
"""How much of the photo's hair lies over the painted strands, which have its colours already."""
_LASH = np.array([0.012, 0.009, 0.008], np.float32)


@dataclass(frozen=True)
class Strands:
    """Colours and opacity of some texels."""

    texels: Indices
    color: Reals
    """[n, 3] linear."""
    alpha: Reals
    """[n] 0..1."""


def paint_hair(model: HeadModel, atlas: Atlas, evidence: Evidence) -> Strands:
    """Colour the hair slot: strands in the photo's colours, and the photo itself where it shows this head's hair."""
    texels = atlas.of_slot(model, "hair")
    if not len(texels) or evidence.hair is None:
        bare = np.tile(np.array([0.2, 0.14, 0.1], np.float32), (len(texels), 1))
        return Strands(texels, bare, np.zeros(len(texels), np.float32))
    rest = atlas.spread(model.template, texels)
    rim = _rim(model)
    dense, edge = atlas.spread(np.stack([evidence.density * rim, rim], axis=1), texels).T
    edge = 1.15 * edge
    around, along = _combed(rest, model)
    # Locks wander sideways on their way down.
    around = around + 0.006 * value_noise(
        np.stack([around, along], axis=1), np.array([45.0, 22.0]), 8
    )
    strand = value_noise(np.stack([around, along], axis=1), np.array([330.0, 16.0]), 3)
    fine = value_noise(np.stack([around, along], axis=1), np.array([900.0, 24.0]), 4)
    lock = value_noise(np.stack([around, along], axis=1), np.array([90.0, 11.0]), 5)
    bright = np.exp(0.26 * strand + 0.22 * fine + 0.24 * lock - 0.05)
    frayed = 0.30 * strand + 0.45 * fine + 0.15 * lock
    alpha = _ragged(dense, frayed)
    color = atlas.spread(evidence.color, texels) * bright[:, None]
    for sight, own in ((evidence.seen.mirrored, 0.0), (evidence.seen.direct, 1.0)):
        chosen = seen_texels(atlas, texels, sight)
        found = evidence.at(atlas, texels[chosen], sight)
        free = 1.0 if own else 1.0 - evidence.known(atlas, texels[chosen])
        alpha[chosen] *= 1.0 - free * found.bare
        grown = np.minimum(found.hair, edge[chosen])
        cut = _ragged(grown, frayed[chosen])
        alpha[chosen] = np.maximum(alpha[chosen], free * found.sure * cut)
        share = free * _PHOTO_SHARE * found.square * found.hair
        color[chosen] += share[:, None] * (found.color - color[chosen])
    return Strands(texels, color, alpha)


def paint_lashes(model: HeadModel, atlas: Atlas) -> Strands:
    """Dark hairs that thin out towards their tips."""
    texels = atlas.of_slot(model, "lash")
    if not len(texels):
        return Strands(texels, np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    rest = atlas.spread(model.template, texels)
    tip = atlas.spread(_lash_reach(model)[:, None], texels)[:, 0]
    row = value_noise(
        rest[:, :1].repeat(2, axis=1) * np.array([1.0, 0.0]), np.array([2600.0, 1.0]), 6
    )
    eye = 0.5 * (rest[:, 1].min() + rest[:, 1].max())
    upper = smoothstep(0.0, 1.0, 0.5 + (rest[:, 1] - eye) / 0.002)
    alpha = smoothstep(0.0, 1.0, 0.5 + 1.5 * (0.6 * row + 0.35 - 0.95 * tip)) * (
        0.35 + 0.45 * upper
    )
    return Strands(texels, np.tile(_LASH, (len(texels), 1)), alpha)


def hair_density(model: HeadModel) -> Reals:
    """How dense the hair is at each vertex, 0..1 [V]: the head's group, else by the distance from the cap's edge."""
    if "hair" in model.group_names:
        return model.groups[model.group_names.index("hair")]
    vertices, edge = _open_edge(model, "hair")
    density = np.zeros(len(model.template), np.float32)
    density[vertices] = 1.0
    if len(edge):
        away = KDTree(model.template[edge]).query(model.template[vertices])[0]
        density[vertices] = smoothstep(0.0, 1.0, away / _FADE_M)
    return density


def _rim(model: HeadModel) -> Reals:
    """0 at the open edge of the hair's shell, 1 a little inside, [V]: no haircut ends in the edge of a mesh."""
    vertices, edge = _open_edge(model, "hair")
    rim = np.ones(len(model.template), np.float32)
    if len(edge):
        away = KDTree(model.template[edge]).query(model.template[vertices])[0]
        rim[vertices] = smoothstep(0.0, 1.0, away / _FADE_M)
    return rim


def _open_edge(model: HeadModel, word: str) -> tuple[Indices, Indices]:
    """Vertices of a material, and those on edges that only one of its faces has."""
    slots = [i for i, material in enumerate(model.materials) if word in material.name.lower()]
    starts = np.cumsum(model.face_sizes) - model.face_sizes
    sides: dict[tuple[int, int], int] = {}
    used: set[int] = set()
    for face in np.flatnonzero(np.isin(model.face_materials, slots)):
        corners = model.face_vertices[starts[face] : starts[face] + model.face_sizes[face]].tolist()
        used.update(corners)
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            side = (min(a, b), max(a, b))
            sides[side] = sides.get(side, 0) + 1
    edge = sorted({vertex for side, count in sides.items() if count == 1 for vertex in side})
    return np.array(sorted(used), np.int32), np.array(edge, np.int32)


def _combed(rest: Reals, model: HeadModel) -> tuple[Reals, Reals]:
    """Coordinates across and along hair that falls from the crown on all sides, about metres."""
    hair = rest
    crown = np.array([0.0, hair[:, 1].max(), np.average(hair[:, 2])])
    away = hair - crown
    around = np.arctan2(away[:, 0], away[:, 2]) * 0.09
    return around.astype(np.float32), np.linalg.norm(away, axis=1).astype(np.float32)


def _lash_reach(model: HeadModel) -> Reals:
    """0 at a lash's root, 1 at its tip, [V]: by the distance from the skin."""
    lash = _open_edge(model, "lash")[0]
    skin = _open_edge(model, "skin")[0]
    reach = np.zeros(len(model.template), np.float32)
    if len(lash) and len(skin):
        distance = KDTree(model.template[skin]).query(model.template[lash])[0]
        reach[lash] = np.clip(distance / max(float(np.percentile(distance, 95)), 1e-6), 0.0, 1.0)
    return reach


def _ragged(dense: Reals, frayed: Reals) -> Reals:
    """Opacity of hair that thins out strand by strand where it is less than dense; no hair stays no hair."""
    thin = np.clip(5.0 * dense, 0.0, 1.0) * np.clip(1.6 * (1.0 - dense), 0.0, 1.0)
    return smoothstep(0.0, 1.0, 1.5 * dense + frayed * thin - 0.25)
