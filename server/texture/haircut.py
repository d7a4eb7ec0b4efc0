# SPDX-License-Identifier: GPL-3.0-or-later
"""What the photo says about the hair of this head: where it falls, where the skin is bare, and its colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from server.heads.model import HeadModel
from server.raster import Indices, Reals
from server.texture.atlas import Atlas
from server.texture.colors import to_linear
from server.texture.fill import fill_harmonic, mesh_edges, mesh_laplacian
from server.texture.photo import Sight, blur_known, sample, visible
from server.texture.shot import Shot
from server.texture.skin import Skin
from server.texture.skin_paint import Seen

_BLUR = 0.03
"""Sigma in face heights of the colours that painted hair takes over."""
_HOLD = 40.0
_REACH_EDGES = 5.0
"""How far the photo's colours carry before they drift to the hair's median."""
_CUT_REACH_EDGES = 16.0
"""How far a haircut that differs from the usual one goes on unseen: from the fringe to the temples."""
_SHADE = 0.85
"""Hair that the photo did not light is a little darker than the median of what it shows."""

_LENIENCE = 5.0
"""Whether there is hair can be told from flatter views than what it looks like."""


@dataclass(frozen=True)
class Found:
    """What the photo shows at n texels."""

    sure: Reals
    """[n] 0..1: seen, if only from the side."""
    square: Reals
    """[n] 0..1: seen squarely enough for its colours."""
    hair: Reals
    """[n] 0..1: like hair."""
    bare: Reals
    """[n] 0..1: seen to be skin."""
    color: Reals
    """[n, 3] linear."""


@dataclass(frozen=True)
class Evidence:
    """The photo's hair on one head."""

    hair: Reals | None
    """[3] median colour; None for a bald head."""
    color: Reals
    """[V, 3] what painted strands are coloured like at each vertex."""
    density: Reals
    """[V] 0..1 how dense the hair is, as far as vertices can tell."""
    seen: Seen
    maps: Reals
    """[H, W, 2] like hair, like skin; 0..1."""

    def at(self, atlas: Atlas, texels: Indices, sight: Sight) -> Found:
        """Read the photo at some texels."""
        fields = np.concatenate(
            [sight.points_px, sight.depth[:, None], sight.facing[:, None]], axis=1
        )
        at = atlas.spread(fields, texels)
        points = np.ascontiguousarray(at[:, :2])
        clear = visible(self.seen.depth, points, at[:, 2])
        sure = clear * np.minimum(_LENIENCE * at[:, 3], 1.0)
        hair, skin = sample(self.maps, points).T
        enlarged = np.array(self.seen.sharp.shape[1::-1]) / np.array(self.maps.shape[1::-1])
        color = sample(self.seen.sharp, (points * enlarged).astype(np.float32), "bicubic")
        bare = sure * skin * (1.0 - hair)
        return Found(sure, clear * at[:, 3], hair, bare, np.maximum(color, 0.0))

    def known(self, atlas: Atlas, texels: Indices) -> Reals:
        """Tell 0..1 how well the photo shows texels itself, so that their mirror twins need not speak for them."""
        return self.at(atlas, texels, self.seen.direct).sure


def find_hair(model: HeadModel, shot: Shot, skin: Skin, seen: Seen, usual: Reals) -> Evidence:
    """Carry the hair of a small photo to the head, filled smoothly over what was not seen.

    Args:
        model: its slot ``hair`` is what may carry hair.
        shot: cropped photo and posed head, small.
        skin: what that photo shows.
        seen: how the head sees it.
        usual: [V] 0..1 how dense the hair of an average head is.
    """
    density = usual.copy()
    maps = np.stack([skin.hair_weight, skin.bare_weight], axis=-1)
    color = np.zeros((len(model.template), 3), np.float32)
    slots = [i for i, material in enumerate(model.materials) if "hair" in material.name.lower()]
    corner = np.repeat(np.isin(model.face_materials, slots), model.face_sizes)
    vertices = np.unique(model.face_vertices[corner])
    if skin.hair is None or not len(vertices):
        return Evidence(skin.hair, color, density, seen, maps)
    smooth = blur_known(
        to_linear(shot.pixels), skin.hair_weight, max(0.5, _BLUR * shot.face_height_px())
    )
    values, trust = np.zeros((len(vertices), 3)), np.zeros(len(vertices))
    grown, sure = np.zeros(len(vertices)), np.zeros(len(vertices))
    for sight, share in ((seen.direct, 1.0), (seen.mirrored, 0.3)):
        points = sight.points_px[vertices]
        hair, bare = sample(maps, points).T
        clear = share * visible(seen.depth, points, sight.depth[vertices])
        lit = clear * hair * sight.facing[vertices]
        values += lit[:, None] * sample(smooth, points)
        trust += lit
        known = clear * np.minimum(_LENIENCE * sight.facing[vertices], 1.0) * (1.0 - sure)
        grown += known * hair
        sure += known * np.maximum(hair, bare)
    values /= np.maximum(trust, 1e-6)[:, None]
    laplacian = mesh_laplacian(mesh_edges(model), len(model.template))[vertices][:, vertices]
    pull = np.full(len(vertices), 1.0 / _REACH_EDGES**2)
    color[vertices] = fill_harmonic(laplacian, values, _HOLD * trust, _SHADE * skin.hair, pull)
    change = (grown / np.maximum(sure, 1e-6) - usual[vertices])[:, None]
    pull = np.full(len(vertices), 1.0 / _CUT_REACH_EDGES**2)
    change = fill_harmonic(laplacian, change, _HOLD * sure, np.zeros(1, np.float32), pull)[:, 0]
    density[vertices] = np.clip(usual[vertices] + change, 0.0, 1.0)
    return Evidence(skin.hair, color, density, seen, maps)
