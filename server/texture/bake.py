# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo and a posed head -> the head's texture. The story of this package on one page."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pixel3dmm_blender.wire import Bools, Texture
from server.heads.model import HeadModel
from server.raster import Reals
from server.texture.atlas import Atlas
from server.texture.colors import LUMA, to_srgb
from server.texture.eyes import paint_eyes, white_level
from server.texture.hair import hair_density, paint_hair, paint_lashes
from server.texture.haircut import find_hair
from server.texture.mouth import paint_mouth
from server.texture.shot import Shot, crop_shot, shrink_shot
from server.texture.skin import find_skin
from server.texture.skin_paint import paint_skin, prepare

_FACE_SHARE = 0.32
"""Face height against the texture's side: photos larger than that are shrunk first, which also removes aliasing."""
_MASK_FACE_PX = 240.0
"""Face height at which masks and depths are found."""


def bake_texture(
    model: HeadModel, atlas: Atlas, shot: Shot, check: Callable[[], None] = lambda: None
) -> Texture:
    """Make the base colour of a head from one photo.

    Skin comes from the photo where it was seen squarely, from the other side of the face where only that was seen, and
    is filled in smoothly elsewhere; the photo's light is reduced. Eyes, teeth, mouth, lashes and hair are painted.

    Args:
        model: the head.
        atlas: of that head, see `load_atlas`; its size is the texture's.
        shot: the posed head [V, 3] in world metres, its camera, the photo, and the 478 landmarks found in it.
        check: called between the steps; may raise to cancel.
    """
    shot = shrink_shot(crop_shot(shot), _FACE_SHARE * atlas.size)
    small = shrink_shot(shot, _MASK_FACE_PX)
    check()
    skin = find_skin(small)
    seen = prepare(model, small, skin.weight, shot.pixels)
    check()
    color = np.tile(skin.color, (len(atlas.covered), 1))
    alpha = np.ones(len(atlas.covered), np.float32)
    observed = np.zeros(len(atlas.covered), bool)
    texels, values, known = paint_skin(model, atlas, small, skin, seen)
    color[texels], observed[texels] = values, known
    check()
    for texels, values in (
        paint_eyes(model, atlas, shot),
        paint_mouth(model, atlas, _tooth_light(white_level(shot), skin.color)),
    ):
        color[texels] = values
    check()
    evidence = find_hair(model, small, skin, seen, hair_density(model))
    check()
    for strands in (paint_lashes(model, atlas), paint_hair(model, atlas, evidence)):
        color[strands.texels], alpha[strands.texels] = strands.color, strands.alpha
    check()
    return _unfold(atlas, color, alpha, observed)


def _tooth_light(white: float, skin: Reals) -> float:
    """How bright teeth are in this photo's light: they must not outshine a dim face."""
    return float(white**0.25 * np.clip(0.55 + 0.9 * (skin @ LUMA), 0.65, 1.0))


def _unfold(atlas: Atlas, color: Reals, alpha: Reals, observed: Bools) -> Texture:
    """List of texels -> square texture; the empty ones take the colour of the nearest."""
    texel = np.empty((len(color), 4), np.uint8)
    texel[:, :3] = to_srgb(color)
    texel[:, 3] = np.round(255.0 * alpha)
    pixels = texel.view(np.uint32)[:, 0][atlas.source]
    seen = np.zeros(atlas.size**2, bool)
    seen[atlas.covered] = observed
    return Texture(
        pixels=pixels.view(np.uint8).reshape(atlas.size, atlas.size, 4),
        observed=seen.reshape(atlas.size, atlas.size),
    )
