# SPDX-License-Identifier: GPL-3.0-or-later
"""What spoils parts of prior maps: coherent garbage, single wrong pixels, things in front of the face.

Garbage keeps its confidence: a network does not know where it is wrong. What is occluded says so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pixel3dmm_blender.wire import Bools, Doubles
from server.priors.maps import PriorMaps, Region

BLOB_PX = (10.0, 36.0)
"""Least and largest radius of a blob of garbage, in a crop of 512 px."""
ELSEWHERE_PX = 60.0
"""How far away its contents come from, at least, in a crop of 512 px."""


def blot(maps: PriorMaps, share: float, rng: np.random.Generator) -> PriorMaps:
    """Replace a share of the known pixels by discs of what other places of the face look like."""
    known = maps.confidence > 0
    uv, normals = maps.uv.copy(), maps.normals.copy()
    open_ = known.copy()
    left = round(share * np.count_nonzero(known))
    while left > 0:
        centre = _pick(open_, rng)
        disc = _nearest(open_, centre, rng.uniform(*BLOB_PX) * _scale(maps), left)
        rows, columns = _source(known, disc, centre, rng, ELSEWHERE_PX * _scale(maps))
        uv[tuple(disc.T)], normals[tuple(disc.T)] = (
            maps.uv[rows, columns],
            maps.normals[rows, columns],
        )
        open_[tuple(disc.T)] = False
        left -= len(disc)
    return replace(maps, uv=uv, normals=normals)


def salt(maps: PriorMaps, share: float, rng: np.random.Generator) -> PriorMaps:
    """Give a share of the known pixels the contents of random other ones."""
    known = np.argwhere(maps.confidence > 0)
    count = round(share * len(known))
    wrong = tuple(known[rng.permutation(len(known))[:count]].T)
    source = tuple(known[rng.integers(0, max(len(known), 1), count)].T)
    uv, normals = maps.uv.copy(), maps.normals.copy()
    uv[wrong], normals[wrong] = maps.uv[source], maps.normals[source]
    return replace(maps, uv=uv, normals=normals)


def occlude(maps: PriorMaps, share: float, rng: np.random.Generator) -> PriorMaps:
    """Put a disc before this share of the known pixels; it comes in over the rim of the face."""
    known = np.argwhere(maps.confidence > 0)
    if share <= 0 or len(known) == 0:
        return maps
    middle, turn = known.mean(axis=0), rng.uniform(0, 2 * np.pi)
    reach = np.abs(known - middle).max() * rng.uniform(0.8, 1.4)
    centre = middle + reach * np.array([np.sin(turn), np.cos(turn)])
    radius = np.quantile(np.linalg.norm(known - centre, axis=1), share)
    grid = np.moveaxis(np.indices(maps.confidence.shape), 0, -1)
    return hide(maps, np.linalg.norm(grid - centre, axis=-1) <= radius)


def hide(maps: PriorMaps, hidden: Bools) -> PriorMaps:
    """Put an occluder before the pixels [H, W]: nothing is known of what lies behind it."""
    return replace(
        maps,
        uv=np.where(hidden[..., None], 0.0, maps.uv).astype(np.float32),
        normals=np.where(hidden[..., None], 0.0, maps.normals).astype(np.float32),
        confidence=np.where(hidden, 0.0, maps.confidence).astype(np.float32),
        regions=np.where(hidden, Region.OCCLUDER, maps.regions).astype(np.uint8),
    )


def window_mask(window: Doubles, size: int) -> Bools:
    """Return the pixels [size, size] whose centres lie in a window (left, top, right, bottom), px."""
    centres = np.arange(size) + 0.5
    across = (centres >= window[0]) & (centres < window[2])
    down = (centres >= window[1]) & (centres < window[3])
    return down[:, None] & across[None]


def _scale(maps: PriorMaps) -> float:
    return maps.confidence.shape[1] / 512.0


def _pick(mask: Bools, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """One of the mask's pixels, (row, column)."""
    places = np.flatnonzero(mask)
    return np.array(np.unravel_index(rng.choice(places), mask.shape))


def _nearest(
    mask: Bools, centre: npt.NDArray[np.intp], radius: float, count: int
) -> npt.NDArray[np.intp]:
    """Pixels [N, 2] of the mask within the radius, nearest first, no more than count."""
    low = np.maximum(np.floor(centre - radius).astype(int), 0)
    high = np.ceil(centre + radius).astype(int) + 1
    places = np.argwhere(mask[low[0] : high[0], low[1] : high[1]]) + low
    away = np.linalg.norm(places - centre, axis=1)
    order = np.argsort(away, kind="stable")
    return places[order[away[order] <= radius]][:count]


def _source(
    known: Bools,
    disc: npt.NDArray[np.intp],
    centre: npt.NDArray[np.intp],
    rng: np.random.Generator,
    elsewhere: float,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns [N] of what is shown instead: the same disc elsewhere, its centre where nothing is known."""
    candidates = np.argwhere(known)
    away = np.linalg.norm(candidates - centre, axis=1)
    far = candidates[away >= min(elsewhere, 0.8 * away.max())]
    other = far[rng.integers(len(far))]
    places = np.clip(disc - centre + other, 0, np.array(known.shape) - 1)
    rows, columns = np.where(known[tuple(places.T)][:, None], places, other).T
    return rows, columns
