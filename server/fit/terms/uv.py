# SPDX-License-Identifier: GPL-3.0-or-later
"""Dense 2D: every pixel knows which point of the surface it shows; that point should be there.

    r_p = (project(sum_i b_pi q_i) - p) / unit        Geman-McClure of width c sigmas, weight w_p = share . trust_p

b_p: barycentric weights that the UV map gives (``uv_table.py``); unit: one standard deviation in pixels; share: how
many independent measurements a pixel counts for (a network's errors are smooth). Cost and gradient are exact, pixel by
pixel. The matrix is lumped: each vertex v gets the mass m_v = sum_p b_pv w_p kernel_p and one pair of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Doubles

from ..energy import Forces, Value
from ..head import PlacedHead
from ..marks import projection
from ..pixels import Pixels
from ..points import Rows
from ..robust import geman_mcclure_cost, geman_mcclure_weight
from ..variables import CENTER, FOCAL


@dataclass(frozen=True, eq=False)
class DensePoints:
    """P pixels of one picture."""

    pixels: Pixels
    unit_px: float
    kernel: float
    """Width of the kernel in sigmas."""
    share: float

    def residuals(self, placed: PlacedHead) -> Tensor:
        """[P, 2] in sigmas."""
        points = self.pixels.interpolate(placed.surface.posed.camera)
        return (self._from_center(placed, points) - self._wanted(placed)) / self.unit_px

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and Gauss-Newton matrix."""
        points = self.pixels.interpolate(placed.surface.posed.camera)  # [P, 3]
        from_center = self._from_center(placed, points)
        residuals = (from_center - self._wanted(placed)) / self.unit_px
        squared = (residuals**2).sum(1)
        width, trust = self.kernel * widening, self.pixels.trust
        weights = self.share * trust * geman_mcclure_weight(squared, width)
        by_px = residuals * (weights / self.unit_px)[:, None]  # [P, 2]
        flat = by_px * (placed.view.focal_px / points[:, 2:])
        toward = -(flat * points[:, :2]).sum(1, keepdim=True) / points[:, 2:]
        sums = self.pixels.splat.sums(torch.cat([flat, toward, weights[:, None]], 1))  # [N, 4]
        direct = np.zeros(placed.head.columns.count)
        direct[FOCAL] = float((by_px * from_center).sum())
        direct[CENTER] = by_px.sum(0).cpu().double().numpy()
        cost = self.share * float(trust @ geman_mcclure_cost(squared, width))
        forces = Forces(placed.surface.posed, sums[:, :3], None)

        def add_matrix(into: Doubles, shape: bool) -> None:
            self._add_matrix(into, placed, sums[:, 3], shape=shape)

        return Value(cost, direct, add_matrix, forces)

    def _from_center(self, placed: PlacedHead, points: Tensor) -> Tensor:
        return placed.view.focal_px * points[:, :2] / points[:, 2:]

    def _wanted(self, placed: PlacedHead) -> Tensor:
        return self.pixels.px - placed.surface.posed.points.tensor(placed.view.center_px)

    def _add_matrix(self, into: Doubles, placed: PlacedHead, mass: Tensor, *, shape: bool) -> None:
        index = torch.nonzero(mass > 0)[:, 0]
        rows = self.vertex_rows(placed, index, shape=shape)
        rows.add_normal_matrix(into, mass[index][:, None].expand(-1, 2))

    def vertex_rows(self, placed: PlacedHead, index: Tensor, *, shape: bool) -> Rows:
        """Derivatives [n, 2, ...] of the picture of some vertices, in sigmas."""
        posed = placed.surface.posed.chosen(index)
        by_px = projection(posed.camera, placed.view.focal_px) / self.unit_px
        rows = posed.rows(by_px, shape=shape)
        from_center = self._from_center(placed, posed.camera)
        rows.pose[..., FOCAL] += from_center / self.unit_px
        rows.pose[..., CENTER] += torch.eye(2).to(from_center) / self.unit_px
        return rows
