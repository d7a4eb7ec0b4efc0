# SPDX-License-Identifier: GPL-3.0-or-later
"""Silhouette: r_v = d(project(q_v)) / unit: no vertex of the face may lie on what is certainly background. Cauchy.

    E = share sum_v c^2 / 2 log(1 + r_v^2 / c^2)

d: depth in the background, in pixels (``backdrop.py``), bilinear between the centres of its cells; 0 on the person,
on what is unknown or in front, and beyond the crop. One-sided: a face that is too small costs nothing here, since
hair, ears and neck are person too. The derivative of the bilinear surface is exact between its creases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Doubles

from ..backdrop import Backdrop
from ..energy import Forces, Value
from ..head import PlacedHead
from ..marks import projection
from ..points import Rows, numbers
from ..robust import cauchy_cost, cauchy_weight
from ..surface import Surface
from ..variables import CENTER, FOCAL


@dataclass(frozen=True, eq=False)
class Silhouette:
    """The background of one picture."""

    depth_px: Tensor
    """[H, W] of the cells of a crop; 0 along its rim."""
    to_cell: Tensor
    """[2, 3] affine map of pixels to cells."""
    unit_px: float
    kernel: float
    """Width of the kernel in sigmas."""
    share: float
    """How many independent measurements a vertex counts for."""

    def residuals(self, placed: PlacedHead) -> Tensor:
        """[N] in sigmas."""
        return self.depth_at(self._px(placed))[0] / self.unit_px

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and Gauss-Newton matrix."""
        posed, width = placed.surface.posed, self.kernel * widening
        px = self._px(placed)
        depth, slope = self.depth_at(px)
        squared = (depth / self.unit_px) ** 2
        weights = self.share * cauchy_weight(squared, width)
        by_px = (weights * depth / self.unit_px**2)[:, None] * slope
        by_camera = (by_px[:, None] @ projection(posed.camera, placed.view.focal_px))[:, 0]
        direct = np.zeros(placed.head.columns.count)
        direct[FOCAL] = float((by_px * self._from_center(placed, px)).sum())
        direct[CENTER] = numbers(by_px.sum(0))
        cost = self.share * float(cauchy_cost(squared, width).sum())

        def add_matrix(into: Doubles, shape: bool) -> None:
            index = torch.nonzero(depth > 0)[:, 0]
            rows = self._rows(placed, index, slope[index], shape=shape)
            rows.add_normal_matrix(into, weights[index][:, None])

        return Value(cost, direct, add_matrix, Forces(posed, by_camera, None))

    def depth_at(self, px: Tensor) -> tuple[Tensor, Tensor]:
        """Depth [N] at pixels [N, 2] and its derivative by them [N, 2]."""
        height, width = self.depth_px.shape
        last = px.new_tensor([width - 1, height - 1])
        place = px @ self.to_cell[:, :2].T + self.to_cell[:, 2] - 0.5
        place = torch.minimum(place.clamp_min(0.0), last)
        first = torch.minimum(place.floor(), last - 1)
        x, y = (place - first).unbind(1)
        column, row = first.long().unbind(1)
        table, corner = self.depth_px.flatten(), row * width + column
        a, b, c, d = (table[corner + step] for step in (0, 1, width, width + 1))
        depth = (1 - y) * ((1 - x) * a + x * b) + y * ((1 - x) * c + x * d)
        across, down = (1 - y) * (b - a) + y * (d - c), (1 - x) * (c - a) + x * (d - b)
        return depth, torch.stack([across, down], 1) @ self.to_cell[:, :2]

    def _px(self, placed: PlacedHead) -> Tensor:
        posed, view = placed.surface.posed, placed.view
        from_center = view.focal_px * posed.camera[:, :2] / posed.camera[:, 2:]
        return from_center + posed.points.tensor(view.center_px)

    def _from_center(self, placed: PlacedHead, px: Tensor) -> Tensor:
        return px - placed.surface.posed.points.tensor(placed.view.center_px)

    def _rows(self, placed: PlacedHead, index: Tensor, slope: Tensor, *, shape: bool) -> Rows:
        """One row for each vertex on the background: mostly there are none."""
        posed, view = placed.surface.posed.chosen(index), placed.view
        by_px = slope[:, None] / self.unit_px  # [n, 1, 2]
        rows = posed.rows(by_px @ projection(posed.camera, view.focal_px), shape=shape)
        from_center = view.focal_px * posed.camera[:, :2] / posed.camera[:, 2:]
        rows.pose[..., FOCAL] += (by_px @ from_center[..., None])[..., 0]
        rows.pose[..., CENTER] += by_px
        return rows


def silhouette_term(
    backdrop: Backdrop, surface: Surface, unit_px: float, kernel: float, share: float
) -> Silhouette:
    """Bring a backdrop to the device of the surface; ``share`` is that of the whole surface."""
    like = surface.points
    to_cell = np.linalg.inv(np.concatenate([backdrop.to_source, [[0.0, 0.0, 1.0]]]))[:2]
    return Silhouette(
        depth_px=like.tensor(backdrop.depth_px),
        to_cell=like.tensor(to_cell),
        unit_px=unit_px,
        kernel=kernel,
        share=share / like.count,
    )
