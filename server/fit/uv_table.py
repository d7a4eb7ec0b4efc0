# SPDX-License-Identifier: GPL-3.0-or-later
"""UvTable: from texture coordinates to the point of the surface, without a search.

A table of 1024 x 1024 texels names the triangle that covers each; the barycentric coordinates in it are then exact. It
replaces nearest neighbours, rasteriser and depth test: what a pixel's UV names is what the pixel sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Floats, Ints

from ..heads.model import HeadModel
from ..raster import rasterise_uv
from .surface import Surface

SIDE = 1024
_NEAR = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))
_OUTSIDE = -0.02
"""A point counts as inside a triangle down to this barycentric coordinate: UVs are rounded."""


@dataclass(frozen=True, eq=False)
class UvTable:
    """Look-up of one head's first UV map. T triangles."""

    triangle: Ints
    """[SIDE, SIDE] triangle of the surface, -1 where there is none; row 0 is v = 0."""
    origin: Doubles
    """[T, 2] UV of each triangle's first corner."""
    inverse: Doubles
    """[T, 2, 2] takes uv - origin to the weights of the second and third corner."""
    vertices: Ints
    """[T, 3] of the surface."""

    def find(self, uv: Floats) -> tuple[Bools, Ints, Doubles]:
        """Texture coordinates [P, 2] -> which are on the surface [P], and for those [Q, 3] vertices and weights.

        Next to a seam between triangles the texel may name the neighbour; then those around it are asked too.
        """
        finite = np.isfinite(uv[:, 0] + uv[:, 1])
        places = np.where(finite[:, None], uv, -1.0).astype(np.float64)
        best = np.full(len(uv), -1, np.int32)
        weights = np.zeros((len(uv), 2))
        least = np.full(len(uv), -np.inf)
        asked = np.flatnonzero(finite)
        for across, up in _NEAR:
            triangle = self._texel(places[asked] * SIDE + (across, up))
            hit, found = asked[triangle >= 0], triangle[triangle >= 0]
            pair = np.einsum("qij,qj->qi", self.inverse[found], places[hit] - self.origin[found])
            inside = np.minimum(pair.min(1), 1.0 - pair.sum(1))
            better = inside > least[hit]
            chosen = hit[better]
            best[chosen], weights[chosen], least[chosen] = (
                found[better],
                pair[better],
                inside[better],
            )
            asked = asked[least[asked] < 0]
        on = least > _OUTSIDE
        second, third = weights[on].T
        corners = np.clip(np.stack([1.0 - second - third, second, third], 1), 0.0, None)
        return on, self.vertices[best[on]], corners / corners.sum(1, keepdims=True)

    def _texel(self, places: Doubles) -> Ints:
        index = np.floor(places).astype(np.int64)
        column, row = index.T
        known = (column >= 0) & (column < SIDE) & (row >= 0) & (row < SIDE)
        return np.where(
            known, self.triangle[np.where(known, row, 0), np.where(known, column, 0)], -1
        )


def make_uv_table(model: HeadModel, surface: Surface) -> UvTable:
    """Draw the surface's triangles into UV space."""
    uv = model.uv[0].astype(np.float64)
    first, second, third = np.moveaxis(uv[surface.corners], 1, 0)
    edges = np.stack([second - first, third - first], -1)  # [T, 2, 2]
    determinant = np.linalg.det(edges)
    flat = np.abs(determinant) < 1e-12
    edges[flat] = np.eye(2)
    drawn = rasterise_uv(model.uv[0], surface.corners, SIDE).triangle[::-1]
    drawn = np.where(drawn >= 0, np.where(flat[drawn], -1, drawn), -1)
    return UvTable(
        triangle=drawn.astype(np.int32),
        origin=first,
        inverse=np.linalg.inv(edges),
        vertices=surface.triangles.cpu().numpy().astype(np.int32),
    )
