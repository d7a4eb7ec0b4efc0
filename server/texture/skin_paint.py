# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin of the head: the photo where it saw skin, its mirror image where it saw the other side, else a smooth fill.

Colour = base * detail. The base is smooth and lives on the vertices: what the blurred photo says, without its light,
filled over the mesh. The detail lives on the texels: sharp photo over blurred photo, 1 where nobody saw anything. Their
product is the photo where it counts fully, and has no seam where it fades out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Floats, Ints
from server.heads.model import HeadModel
from server.raster import corner_triangles
from server.texture.atlas import Atlas
from server.texture.colors import LUMA, to_linear
from server.texture.fill import fill_harmonic, mesh_edges, mesh_laplacian
from server.texture.photo import (
    Sight,
    blur_known,
    hidden_pixels,
    look,
    occluding_triangles,
    sample,
    see_head,
    visible,
)
from server.texture.shading import fit_light, vertex_normals
from server.texture.shot import Shot
from server.texture.skin import Skin

_BLUR = 0.022
"""Sigma of base against detail, in face heights: about the mesh's own edge length."""
_HOLD = 40.0
"""How strongly a fully seen vertex holds its colour, against one edge of the mesh."""
_REACH_EDGES = 9.0
"""How far the fill carries before it drifts to the median skin."""
_DARK = 0.012
"""Added before dividing, so that noise in the dark stays noise."""
_DETAIL_RANGE = (0.08, 4.0)
_PORES = 0.035
"""Strength (in log) of the noise where the photo shows no detail."""


@dataclass(frozen=True)
class Seen:
    """The photo as the head sees it, prepared once."""

    picture: Floats
    """[H, W, 3] linear."""
    smooth: Floats
    """[H, W, 3] blurred inside the trusted pixels."""
    trust: Floats
    """[H, W]"""
    depth: Floats
    """[H, W] nearest surface, metres."""
    direct: Sight
    mirrored: Sight


def prepare(model: HeadModel, shot: Shot, weight: Floats) -> Seen:
    """Find out what the photo shows of the head.

    Args:
        model: for faces and mirror twins.
        shot: cropped photo and posed head.
        weight: [H, W] pixels that may be painted.
    """
    triangles = model.face_vertices[corner_triangles(model.face_sizes)]
    raster, depth = see_head(shot, triangles, occluding_triangles(model))
    height = shot.face_height_px()
    trust = np.where(hidden_pixels(raster, 0.02 * height), 0.0, weight).astype(np.float32)
    picture = to_linear(shot.pixels)
    smooth = blur_known(picture, trust, max(0.5, _BLUR * height))
    direct = look(shot, triangles)
    return Seen(picture, smooth, trust, depth, direct, direct.mirrored(model.mirror))


def paint_skin(model: HeadModel, atlas: Atlas, shot: Shot, skin: Skin, seen: Seen) -> tuple[Ints, Floats, Bools]:
    """Colour the skin slot: (texels, linear [n, 3], which of them were seen)."""
    texels = atlas.of_slot(model, "skin", "body", "head")
    base = _base(model, shot, skin, seen)
    color = atlas.spread(base, texels)
    color *= np.exp(_PORES * atlas.grain[texels])[:, None]
    observed = np.zeros(len(texels), bool)
    # What was seen goes over what its mirror twin showed.
    for sight, own in ((seen.mirrored, False), (seen.direct, True)):
        chosen = _facing(atlas, texels, sight)
        here = texels[chosen]
        share, detail = _detail(atlas, here, sight, seen)
        painted = (atlas.spread(base, here) + _DARK) * detail - _DARK
        color[chosen] += share[:, None] * (np.maximum(painted, 0.0) - color[chosen])
        if own:
            observed[chosen] = share > 0.5
    return texels, color, observed


def _base(model: HeadModel, shot: Shot, skin: Skin, seen: Seen) -> Floats:
    """Smooth skin colour per vertex without the photo's light, [V, 3]."""
    triangles = model.face_vertices[corner_triangles(model.face_sizes)]
    own, own_weight = _read(seen.direct, seen)
    normals = vertex_normals(shot.posed, triangles)
    light = fit_light(own @ LUMA, normals, own_weight)
    own = own / light[:, None]
    laplacian = mesh_laplacian(mesh_edges(model), len(model.template))
    pull = np.full(len(own), 1.0 / _REACH_EDGES**2, np.float32)
    twin, twin_weight = own[model.mirror], own_weight[model.mirror]
    both = np.minimum(own_weight, twin_weight)
    ratio = np.log((own + _DARK) / (twin + _DARK))
    balance = fill_harmonic(laplacian, ratio, _HOLD * both, np.zeros(3, np.float32), pull)
    borrowed = np.clip((twin + _DARK) * np.exp(balance) - _DARK, own.min(axis=0), own.max(axis=0))
    weight = own_weight + (1.0 - own_weight) * twin_weight
    share = own_weight / np.maximum(weight, 1e-6)
    values = share[:, None] * own + (1.0 - share[:, None]) * borrowed
    middle = _median(values, weight, skin.color)
    return fill_harmonic(laplacian, values, _HOLD * weight**2, middle, pull)


def _read(sight: Sight, seen: Seen) -> tuple[Floats, Floats]:
    """Blurred colour [V, 3] and trust [V] of each vertex."""
    trust = sample(seen.trust[..., None], sight.points_px)[:, 0]
    weight = trust * sight.facing * visible(seen.depth, sight.points_px, sight.depth)
    return sample(seen.smooth, sight.points_px), weight.astype(np.float32)


def _median(values: Floats, weight: Floats, otherwise: Floats) -> Floats:
    good = values[weight > 0.5]
    return np.median(good, axis=0).astype(np.float32) if len(good) > 20 else otherwise


def _facing(atlas: Atlas, texels: Ints, sight: Sight) -> Ints:
    """Those of the texels that may be seen at all."""
    return np.flatnonzero((sight.facing[atlas.vertices[texels]] > 0.0).any(axis=1))


def _detail(atlas: Atlas, texels: Ints, sight: Sight, seen: Seen) -> tuple[Floats, Floats]:
    """Trust [n] in the photo at some texels, and sharp over blurred photo there [n, 3]."""
    fields = np.concatenate([sight.points_px, sight.depth[:, None], sight.facing[:, None]], axis=1)
    at = atlas.spread(fields, texels)
    points = np.ascontiguousarray(at[:, :2])
    pictures = np.concatenate([seen.smooth, seen.trust[..., None]], axis=2)
    read = sample(pictures, points)
    share = read[:, 3] * at[:, 3] * visible(seen.depth, points, at[:, 2])
    sharp = np.maximum(sample(seen.picture, points, "bicubic"), 0.0)
    detail = (sharp + _DARK) / (read[:, :3] + _DARK)
    return share.astype(np.float32), np.clip(detail, *_DETAIL_RANGE)
