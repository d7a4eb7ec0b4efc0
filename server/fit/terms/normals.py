# SPDX-License-Identifier: GPL-3.0-or-later
"""Normals: r_p = (n(sum_i b_pi n_i) - N_p) / sigma with n(a) = a / |a|; Geman-McClure, weight w_p = share . trust_p.

n_i: vertex normals of the posed head in the head frame (``surface.py``); N_p: the predicted normal. A pose of the whole
head changes nothing: this row speaks of shape alone. Cost and gradient are exact; the matrix is lumped at the vertices,
with two tangent rows each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Doubles

from ..energy import Forces, Value
from ..head import PlacedHead
from ..pixels import Pixels
from ..robust import geman_mcclure_cost, geman_mcclure_weight


@dataclass(frozen=True, eq=False)
class DenseNormals:
    """P pixels of one picture."""

    pixels: Pixels
    sigma: float
    """Of the difference of unit vectors: about radians."""
    kernel: float
    """Width of the kernel in sigmas."""
    share: float

    def residuals(self, placed: PlacedHead) -> Tensor:
        """[P, 3] in sigmas; 0 where no normal is known."""
        mixed = self.pixels.interpolate(placed.surface.normals)
        unit = mixed / torch.linalg.vector_norm(mixed, dim=1, keepdim=True).clamp_min(1e-9)
        return (unit - self.pixels.normals) * self._known[:, None] / self.sigma

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and Gauss-Newton matrix."""
        mixed = self.pixels.interpolate(placed.surface.normals)  # [P, 3]
        length = torch.linalg.vector_norm(mixed, dim=1, keepdim=True).clamp_min(1e-9)
        unit = mixed / length
        residuals = (unit - self.pixels.normals) / self.sigma
        squared = (residuals**2).sum(1)
        width, trust = self.kernel * widening, self.pixels.trust * self._known
        weights = self.share * trust * geman_mcclure_weight(squared, width)
        by_unit = residuals * (weights / self.sigma)[:, None]
        by_mixed = (by_unit - unit * (unit * by_unit).sum(1, keepdim=True)) / length
        sums = self.pixels.splat.sums(torch.cat([by_mixed, weights[:, None]], 1))  # [N, 4]
        cost = self.share * float(trust @ geman_mcclure_cost(squared, width))
        forces = Forces(placed.surface.posed, None, placed.surface.pull_normals(sums[:, :3]))
        direct = np.zeros(placed.head.columns.count)

        def add_matrix(into: Doubles, shape: bool) -> None:
            self._add_matrix(into, placed, sums[:, 3], shape=shape)

        return Value(cost, direct, add_matrix, forces)

    @property
    def _known(self) -> Tensor:
        return (self.pixels.normals != 0).any(1).to(self.pixels.trust)

    def _add_matrix(self, into: Doubles, placed: PlacedHead, mass: Tensor, *, shape: bool) -> None:
        index = torch.nonzero(mass > 0)[:, 0]
        by_normal = tangents(placed.surface.normals[index]) / self.sigma
        rows = placed.surface.normal_rows(by_normal, index, shape=shape)
        rows.add_normal_matrix(into, mass[index][:, None].expand(-1, 2))


def tangents(normals: Tensor) -> Tensor:
    """Two unit vectors [N, 2, 3] across each of the normals [N, 3] (Duff et al. 2017)."""
    x, y, z = normals.unbind(1)
    sign = torch.where(z >= 0, 1.0, -1.0).to(normals)
    a = -1.0 / (sign + z)
    b = x * y * a
    first = torch.stack([1.0 + sign * x * x * a, sign * b, -sign * x], 1)
    return torch.stack([first, torch.stack([b, sign + y * y * a, -y], 1)], 1)
