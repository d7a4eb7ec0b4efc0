# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels: prior maps as fixed correspondences between pixels and points of the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from ..priors.maps import PriorMaps, Region
from .bags import Bag, make_bag
from .surface import Surface
from .uv_table import UvTable


@dataclass(frozen=True, eq=False)
class Pixels:
    """P pixels of one picture that show the surface of N vertices."""

    corners: Tensor
    """[P, 3] vertices of the surface."""
    weights: Tensor
    """[P, 3] barycentric."""
    px: Tensor
    """[P, 2] where they are in the picture."""
    normals: Tensor
    """[P, 3] predicted, unit, head frame; 0 where unknown."""
    trust: Tensor
    """[P] 0..1, times the number of pixels that one stands for."""
    splat: Bag
    """Sums values [P, n] over the N vertices, by barycentric weight."""

    def interpolate(self, values: Tensor) -> Tensor:
        """Values of the vertices [N, n] at the pixels [P, n]."""
        return embedding_bag(self.corners, values, mode="sum", per_sample_weights=self.weights)

    @property
    def count(self) -> int:
        """P."""
        return len(self.px)


def make_pixels(
    maps: PriorMaps,
    table: UvTable,
    surface: Surface,
    *,
    stride: int = 1,
    masked: Bools | None = None,
) -> Pixels:
    """Look up where every pixel of the maps lies on the surface.

    Args:
        maps: of one crop; what is NaN, of confidence 0 or no part of the face is left out.
        table: of the same surface.
        surface: the face.
        stride: take every so many rows and columns, each counting for stride^2 pixels.
        masked: [H, W] of the crop, pixels that the user painted out.
    """
    usable = (maps.confidence > 0) & (maps.regions == Region.FACE)
    if masked is not None:
        usable &= ~masked
    rows, columns = np.nonzero(usable[stride // 2 :: stride, stride // 2 :: stride])
    rows, columns = rows * stride + stride // 2, columns * stride + stride // 2
    on, corners, weights = table.find(maps.uv[rows, columns])
    rows, columns = rows[on], columns[on]
    places = np.stack([columns + 0.5, rows + 0.5], 1)
    source = places @ maps.to_source[:, :2].T + maps.to_source[:, 2]
    normals = maps.normals[rows, columns].astype(np.float64)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    known = np.isfinite(length) & (length > 0.1)
    normals = np.where(known, normals / np.where(known, length, 1.0), 0.0)
    trust = maps.confidence[rows, columns].astype(np.float64) * stride**2
    return gather_pixels(surface, corners, weights, source, normals, trust)


def gather_pixels(
    surface: Surface,
    corners: Ints,
    weights: Doubles,
    px: Doubles,
    normals: Doubles,
    trust: Doubles,
) -> Pixels:
    """Bring P correspondences to the device of the surface."""
    like = surface.points
    owner = corners.reshape(-1)
    entries = np.repeat(np.arange(len(corners), dtype=np.int32), 3)
    return Pixels(
        corners=torch.as_tensor(corners.astype(np.int32)).to(like.template.device),
        weights=like.tensor(weights),
        px=like.tensor(px),
        normals=like.tensor(normals),
        trust=like.tensor(trust),
        splat=make_bag(owner, entries, weights.reshape(-1), surface.points.count, like),
    )
