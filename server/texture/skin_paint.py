# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin of the head: the photo where it saw skin, its mirror image where it saw the other side, else a smooth fill.

Two layers. The base is smooth and lives on the vertices: what the blurred photo says, without its light, filled over
the mesh; it knows no seams. Over it lies the sharp photo, texel by texel, multiplied by a smooth gain per vertex that
takes the light away and, on the mirrored side, carries its colours over to this one. The layers agree where the upper
one fades out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Bytes
from server.heads.model import HeadModel
from server.raster import Indices, Reals, corner_triangles
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
"""Sigma of the base's blur in face heights: about the mesh's own edge length."""
_HOLD = 40.0
"""How strongly a fully seen vertex holds its colour, against one edge of the mesh."""
_REACH_EDGES = 9.0
"""How far the fill carries before it drifts to the median skin."""
_LIPS_PULL = 0.3
"""How strongly what the mouth hid of the lips takes their median colour, against one edge."""
_EAR_TINT = np.array([0.03, -0.09, -0.09], np.float32)
"""Ears are a little redder than the skin around them."""
_DARK = 0.012
"""Added before dividing, so that noise in the dark stays noise."""
_GAIN_RANGE = (0.4, 2.5)
"""No colour of the photo is changed by more than this."""
_PORES = 0.035
"""Strength (in log) of the noise where the photo shows no detail."""


@dataclass(frozen=True)
class Seen:
    """The photo as the head sees it, prepared once. H and W are those of a small copy: masks need no more."""

    sharp: Reals
    """[H', W', 3] linear, as large as the texture can use."""
    smooth: Reals
    """[H, W, 3] blurred inside the trusted pixels."""
    trust: Reals
    """[H, W]"""
    depth: Reals
    """[H, W] nearest surface, metres."""
    direct: Sight
    """In pixels of the small copy."""
    mirrored: Sight


def prepare(model: HeadModel, shot: Shot, weight: Reals, sharp: Bytes) -> Seen:
    """Find out what the photo shows of the head.

    Args:
        model: for faces and mirror twins.
        shot: cropped photo and posed head, small.
        weight: [H, W] pixels of that which may be painted.
        sharp: [H', W', 3] the same crop in full.
    """
    triangles = model.face_vertices[corner_triangles(model.face_sizes)]
    raster, depth = see_head(shot, triangles, occluding_triangles(model))
    height = shot.face_height_px()
    trust = np.where(hidden_pixels(raster, 0.02 * height), 0.0, weight).astype(np.float32)
    smooth = blur_known(to_linear(shot.pixels), trust, max(0.5, _BLUR * height))
    direct = look(shot, triangles)
    return Seen(to_linear(sharp), smooth, trust, depth, direct, direct.mirrored(model.mirror))


def paint_skin(
    model: HeadModel, atlas: Atlas, shot: Shot, skin: Skin, seen: Seen
) -> tuple[Indices, Reals, Bools]:
    """Colour the skin slot: (texels, linear [n, 3], which of them were seen)."""
    texels = atlas.of_slot(model, "skin", "body", "head")
    base, gains = _base(model, shot, skin, seen)
    color = atlas.spread(base, texels)
    color *= np.exp(_PORES * atlas.grain[texels])[:, None]
    observed = np.zeros(len(texels), bool)
    # What was seen goes over what its mirror twin showed.
    for sight, gain, own in ((seen.mirrored, gains[1], False), (seen.direct, gains[0], True)):
        chosen = seen_texels(atlas, texels, sight)
        here = texels[chosen]
        share, photo = read_photo(atlas, here, sight, seen)
        color[chosen] += share[:, None] * (photo * atlas.spread(gain, here) - color[chosen])
        if own:
            observed[chosen] = share > 0.5
    return texels, color, observed


def _base(
    model: HeadModel, shot: Shot, skin: Skin, seen: Seen
) -> tuple[Reals, tuple[Reals, Reals]]:
    """Smooth skin colour per vertex without the photo's light [V, 3], and the photo's gains, direct and mirrored."""
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
    lips = _group(model, "lips")[:, None]
    target = middle + lips * (skin.lips - middle)
    pull = pull + _LIPS_PULL * lips[:, 0]
    gain = np.clip(1.0 / light, *_GAIN_RANGE)[:, None].repeat(3, axis=1)
    carried = np.clip(gain[model.mirror] * np.exp(balance), *_GAIN_RANGE)
    filled = fill_harmonic(laplacian, values, _HOLD * weight**2, target, pull)
    return filled * (1.0 + _group(model, "ears")[:, None] * _EAR_TINT), (gain, carried)


def _read(sight: Sight, seen: Seen) -> tuple[Reals, Reals]:
    """Blurred colour [V, 3] and trust [V] of each vertex."""
    trust = sample(seen.trust[..., None], sight.points_px)[:, 0]
    weight = trust * sight.facing * visible(seen.depth, sight.points_px, sight.depth)
    return sample(seen.smooth, sight.points_px), weight.astype(np.float32)


def _group(model: HeadModel, name: str) -> Reals:
    if name in model.group_names:
        return model.groups[model.group_names.index(name)]
    return np.zeros(len(model.template), np.float32)


def _median(values: Reals, weight: Reals, otherwise: Reals) -> Reals:
    good = values[weight > 0.5]
    return np.median(good, axis=0).astype(np.float32) if len(good) > 20 else otherwise


def seen_texels(atlas: Atlas, texels: Indices, sight: Sight) -> Indices:
    """Those of the texels that may be seen at all."""
    first, second, third = (sight.facing > 0.0)[atlas.vertices[texels].T]
    return np.flatnonzero(first | second | third)


def read_photo(atlas: Atlas, texels: Indices, sight: Sight, seen: Seen) -> tuple[Reals, Reals]:
    """Trust [n] in the photo at some texels, and its colours there [n, 3]."""
    fields = np.concatenate([sight.points_px, sight.depth[:, None], sight.facing[:, None]], axis=1)
    at = atlas.spread(fields, texels)
    points = np.ascontiguousarray(at[:, :2])
    trust = sample(seen.trust[..., None], points)[:, 0]
    share = trust * at[:, 3] * visible(seen.depth, points, at[:, 2])
    enlarged = np.array(seen.sharp.shape[1::-1]) / np.array(seen.trust.shape[1::-1])
    color = sample(seen.sharp, (points * enlarged).astype(np.float32), "bicubic")
    return share.astype(np.float32), np.maximum(color, 0.0)
