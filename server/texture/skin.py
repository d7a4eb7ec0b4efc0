# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels of a photo are skin that may be painted onto the head, and what colours skin and hair have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pixel3dmm_blender.wire import Bools
from server.detect.topology import (
    CHIN,
    FACE_OVAL,
    FOREHEAD,
    LEFT_EYE,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_EYE,
)
from server.raster import Reals
from server.texture.colors import chromatic, to_linear
from server.texture.masks import opened, soften, touching
from server.texture.outlines import (
    BROW_LEFT,
    BROW_LINE,
    BROW_RIGHT,
    UPPER_LIP,
    inner_face,
    outline,
    padded,
    polygon_mask,
)
from server.texture.shot import Shot

_SPREAD_FLOOR = np.array([0.16, 0.05, 0.07], np.float32)
"""Skin is never taken to vary less than this (log luminance, log red/green, log blue/green; measured on two people)."""
_TOLERANCE = 2.8
"""Distance from the skin's colour, in spreads, that is still skin."""
_BRIGHTER = 0.45
"""How much a brighter pixel counts as different, against a darker one."""
_HAIR_SPREAD = np.array([[0.5, 0.09, 0.13], [0.7, 0.16, 0.24]], np.float32)
"""Hair is never taken to vary less or more: locks shade each other, but keep their hue."""
_DARKER_HAIR = 0.5
"""How much a darker pixel counts as different: hair falls into its own shadow."""
_HAIR_TOLERANCE = 2.8
"""Distance from the hair's colour, in spreads, that is still hair."""
_BALD_SHARE = 0.6
"""With more skin than this above the forehead, there is no hair to paint."""


@dataclass(frozen=True)
class Skin:
    """What the photo says about skin. H and W are the shot's."""

    weight: Reals
    """[H, W] 0..1: may be painted; soft at its edges."""
    color: Reals
    """[3] linear: median of the inner face."""
    lips: Reals
    """[3] linear: median between the outer and the inner outline of the lips."""
    hair: Reals | None
    """[3] linear: median of the hair above the forehead; None where skin goes on."""
    hair_weight: Reals
    """[H, W] 0..1: looks like that hair, outside the face."""
    bare_weight: Reals
    """[H, W] 0..1: looks like skin and hangs together with the face, up to above the usual hairline."""


def find_skin(shot: Shot) -> Skin:
    """Separate skin from hair, clothes, background, eyes and the open mouth."""
    linear = to_linear(shot.pixels)
    shape = (shot.camera.height, shot.camera.width)
    unit = shot.face_height_px() / 100.0
    points = shot.landmarks_px
    features = _features(points, shape, unit)
    inner = polygon_mask(inner_face(points), shape)
    blurred = ndimage.gaussian_filter(linear, (0.6 * unit, 0.6 * unit, 0))
    distance = _distance(
        chromatic(blurred), inner & ~features, _lower_face(points, shape) & ~features
    )
    allowed = polygon_mask(outline(points, FACE_OVAL, 1.1), shape)
    around = polygon_mask(outline(points, FACE_OVAL, 1.5), shape)
    kept = inner | _mask_of(points, (BROW_RIGHT, BROW_LEFT, LIPS_OUTER), shape, 1.5 * unit)
    candidate = allowed & (kept | (distance < _TOLERANCE))
    candidate = touching(opened(candidate, round(0.8 * unit)) | kept, kept)
    holes = _mask_of(points, (RIGHT_EYE, LEFT_EYE, LIPS_INNER), shape, 0.4 * unit)
    weight = np.minimum(soften(candidate, 2.0 * unit, 5.0 * unit), soften(~holes, 0.0, 1.2 * unit))
    chosen = linear[inner & ~features] if (inner & ~features).any() else linear.reshape(-1, 3)
    color = np.median(chosen, axis=0).astype(np.float32)
    hair, like_hair = _find_hair(linear, points, distance, unit)
    free = ~polygon_mask(inner_face(points), shape)
    bare = touching(opened(around & (distance < _TOLERANCE), round(0.8 * unit)) | kept, kept)
    return Skin(
        weight,
        color,
        _lips_color(linear, points, color),
        hair,
        soften(_without_holes(like_hair, bare) & free, 0.0, 4.0 * unit),
        soften(bare, 0.0, 2.0 * unit),
    )


def _features(points: Reals, shape: tuple[int, int], unit: float) -> Bools:
    """Eyes, brows and lips: face, but not of the skin's colour."""
    return _mask_of(
        points, (RIGHT_EYE, LEFT_EYE, BROW_RIGHT, BROW_LEFT, LIPS_OUTER), shape, 2.0 * unit
    )


def _lower_face(points: Reals, shape: tuple[int, int]) -> Bools:
    """The beard's place: under the nose, inside the jaw."""
    mask = polygon_mask(outline(points, FACE_OVAL, 0.9), shape)
    return mask & _beyond(points, points[UPPER_LIP], -1.0, shape)


def _mask_of(
    points: Reals, outlines: tuple[tuple[int, ...], ...], shape: tuple[int, int], pad_px: float
) -> Bools:
    mask = np.zeros(shape, bool)
    for indices in outlines:
        mask |= polygon_mask(padded(outline(points, indices), pad_px), shape)
    return mask


def _distance(features: Reals, skin: Bools, lower: Bools) -> Reals:
    """Distance [H, W] in spreads from the colour of skin, or of the lower face where a beard changes it."""
    distance = np.full(skin.shape, np.inf, np.float32)
    for index, reference in enumerate((skin, lower)):
        if np.count_nonzero(reference) < 20:
            continue
        known = features[reference]
        middle = np.median(known, axis=0)
        spread = np.maximum(1.48 * np.median(np.abs(known - middle), axis=0), _SPREAD_FLOOR)
        scaled = (features - middle) / spread
        # Lit skin is brighter than the middle, hair and shadow are darker.
        scaled[..., 0] *= np.where(scaled[..., 0] > 0.0, _BRIGHTER, 1.0)
        away = np.sqrt((scaled**2).sum(axis=-1))
        if index == 1:
            # A beard's colour is the hair's colour: believe it only where beards grow.
            away = np.where(lower, away, np.inf)
        distance = np.minimum(distance, away)
    return distance


def _find_hair(
    linear: Reals, points: Reals, distance: Reals, unit: float
) -> tuple[Reals | None, Bools]:
    """Median colour of what is not skin in a band above the forehead, and where the picture looks like it."""
    shape = distance.shape
    nothing = np.zeros(shape, bool)
    band = polygon_mask(outline(points, FACE_OVAL, 1.3), shape) & ~polygon_mask(
        outline(points, FACE_OVAL, 1.0), shape
    )
    band &= _beyond(points, points[list(BROW_LINE)].mean(axis=0), 1.0, shape)
    if np.count_nonzero(band) < 20:
        return np.array([0.03, 0.02, 0.014], np.float32), nothing
    other = band & (distance > _TOLERANCE)
    if np.count_nonzero(other) < (1.0 - _BALD_SHARE) * np.count_nonzero(band):
        return None, nothing
    features = chromatic(ndimage.gaussian_filter(linear, (0.6 * unit, 0.6 * unit, 0)))
    middle = np.median(features[other], axis=0)
    spread = 1.48 * np.median(np.abs(features[other] - middle), axis=0)
    # What lies beside a narrow head is a good part background, which must not widen the range.
    spread = np.clip(spread, _HAIR_SPREAD[0], _HAIR_SPREAD[1])
    scaled = (features - middle) / spread
    scaled[..., 0] *= np.where(scaled[..., 0] < 0.0, _DARKER_HAIR, 1.0)
    away = np.sqrt((scaled**2).sum(axis=-1))
    free = ~polygon_mask(inner_face(points), shape)
    like = opened((away < _HAIR_TOLERANCE) & (distance > _TOLERANCE) & free, round(0.8 * unit))
    core = other & like
    if not core.any():
        return np.median(linear[other], axis=0).astype(np.float32), nothing
    closed = np.asarray(ndimage.binary_closing(like, iterations=max(1, round(2.0 * unit))), bool)
    like = free & touching(closed, core)
    color = np.median(linear[core], axis=0)
    return color.astype(np.float32), like


def _without_holes(hair: Bools, bare: Bools) -> Bools:
    """Close what hair and skin enclose: locks too dark or too bright to be known."""
    return opened(np.asarray(ndimage.binary_fill_holes(hair | bare), bool) & ~bare & hair.any(), 2)


def _lips_color(linear: Reals, points: Reals, skin: Reals) -> Reals:
    shape = linear.shape[:2]
    lips = polygon_mask(outline(points, LIPS_OUTER), shape) & ~polygon_mask(
        outline(points, LIPS_INNER), shape
    )
    if np.count_nonzero(lips) < 8:
        return skin * np.array([0.8, 0.6, 0.65], np.float32)
    return np.median(linear[lips], axis=0).astype(np.float32)


def _beyond(points: Reals, origin: Reals, sign: float, shape: tuple[int, int]) -> Bools:
    """The side of a line across the face through ``origin``: +1 towards the forehead, -1 towards the chin."""
    up = sign * (points[FOREHEAD] - points[CHIN])
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (columns + 0.5 - origin[0]) * up[0] + (rows + 0.5 - origin[1]) * up[1] > 0.0
