# SPDX-License-Identifier: GPL-3.0-or-later
"""Teeth, gums, tongue and the dark behind them: painted in the head's rest frame, never copied from the photo."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from server.heads.model import HeadModel
from server.raster import Indices, Reals
from server.texture.atlas import Atlas
from server.texture.blend import mix, smoothstep
from server.texture.fill import mesh_edges
from server.texture.noise import value_noise

_TOOTH = np.array([0.97, 0.91, 0.79], np.float32)
_TIP = np.array([0.95, 0.90, 0.81], np.float32)
_NECK = np.array([0.74, 0.60, 0.46], np.float32)
_GUM = np.array([0.36, 0.13, 0.115], np.float32)
_TONGUE = np.array([0.36, 0.125, 0.11], np.float32)
_CAVITY = np.array([0.24, 0.07, 0.06], np.float32)
_CROWN_M = 0.0135
"""Height of a crown; beyond it there is gum."""
_GAP_SHARE = 0.18
"""Share of a crown's half width that darkens towards its neighbour."""


def paint_mouth(model: HeadModel, atlas: Atlas, white: float) -> tuple[Indices, Reals]:
    """Colour all texels of the mouth's slots: (texels, linear [n, 3]); ``white`` 0..1 dims the teeth."""
    parts: list[tuple[Indices, Reals]] = []
    for word, color, reach_m in (
        ("mouth", _CAVITY, 0.03),
        ("tongue", _TONGUE, 0.07),
        ("gum", _GUM, 0.05),
    ):
        texels = atlas.of_slot(model, word)
        parts.append((texels, _paint_flesh(atlas.spread(model.template, texels), color, reach_m)))
    teeth = atlas.of_slot(model, "teeth", "tooth")
    parts.append((teeth, white * _paint_teeth(model, atlas, teeth)))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _paint_flesh(rest: Reals, color: Reals, reach_m: float) -> Reals:
    """Wet flesh: a little uneven, darker behind, where light from the lips does not come."""
    if not len(rest):
        return np.zeros((0, 3), np.float32)
    rough = value_noise(rest, np.full(3, 500.0), 7)
    behind = np.clip((rest[:, 2].max() - rest[:, 2]) / reach_m, 0.0, 1.0)
    return (color * ((1.0 - 0.8 * behind) * np.exp(0.12 * rough))[:, None]).astype(np.float32)


def _paint_teeth(model: HeadModel, atlas: Atlas, texels: Indices) -> Reals:
    """Crowns: warm at the neck, greyer at the tip, darker beside their neighbours and towards the back."""
    if not len(texels):
        return np.zeros((0, 3), np.float32)
    height, side, depth = atlas.spread(_crown_coordinates(model), texels).T
    color = mix(np.tile(_TOOTH, (len(texels), 1)), _TIP, 1.0 - smoothstep(0.0, 0.003, height))
    color = mix(color, _NECK, 0.6 * smoothstep(0.45 * _CROWN_M, _CROWN_M, height))
    color = mix(color, _GUM, smoothstep(_CROWN_M - 0.0004, _CROWN_M + 0.0004, height))
    shade = (1.0 - 0.35 * smoothstep(1.0 - _GAP_SHARE, 1.0, side)) * (
        1.0 - 0.35 * smoothstep(0.012, 0.040, depth)
    )
    return (color * shade[:, None]).astype(np.float32)


def _crown_coordinates(model: HeadModel) -> Reals:
    """Per vertex [V, 3]: metres from the biting edge, 0..1 from its middle to its side, metres behind the front."""
    slots = [
        i
        for i, material in enumerate(model.materials)
        if "teeth" in material.name or "tooth" in material.name
    ]
    corner = np.repeat(np.isin(model.face_materials, slots), model.face_sizes)
    teeth = np.unique(model.face_vertices[corner])
    count = len(model.template)
    edges = mesh_edges(model)
    graph = sparse.coo_array(
        (np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count)
    )
    labels = connected_components(graph, directed=False)[1]
    rest = model.template.astype(np.float64)
    middle = 0.5 * (rest[teeth, 1].min() + rest[teeth, 1].max())
    front = rest[teeth, 2].max()
    coordinates = np.zeros((count, 3), np.float32)
    for label in np.unique(labels[teeth]):
        crown = teeth[labels[teeth] == label]
        points = rest[crown]
        upper = points[:, 1].mean() > middle
        edge = points[:, 1].min() if upper else points[:, 1].max()
        coordinates[crown, 0] = np.abs(points[:, 1] - edge)
        coordinates[crown, 1] = _sideways(points)
        coordinates[crown, 2] = front - points[:, 2]
    return coordinates


def _sideways(points: Reals) -> Reals:
    """How far from the middle of its width each point of one crown lies, 0..1; 0 for a row that is one piece."""
    centre = points.mean(axis=0)
    width = np.hypot(*np.ptp(points[:, [0, 2]], axis=0))
    if width > 0.02:
        return np.zeros(len(points), np.float32)
    # The arch runs across the ray from its focus, 42 mm behind the front teeth, to the crown.
    ray = np.array([centre[0], max(centre[2] - (points[:, 2].max() - 0.042), 1e-3)])
    across = np.array([ray[1], -ray[0]]) / np.linalg.norm(ray)
    along = np.abs((points[:, [0, 2]] - centre[[0, 2]]) @ across)
    return (along / max(float(along.max()), 1e-6)).astype(np.float32)
