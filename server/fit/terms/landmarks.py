# SPDX-License-Identifier: GPL-3.0-or-later
"""2D landmarks: r_k = (project(q_k) - (seen_k - bias_k)) / unit, in sigmas; Cauchy kernel on |r_k|, weight w_k.

    E = sum_k w_k c^2 / 2 log(1 + |r_k|^2 / c^2)

q_k: the landmark in the camera frame (``marks.py``); unit: one standard deviation in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Doubles

from ..energy import Value
from ..head import PlacedHead
from ..observation import Observation
from ..robust import cauchy_cost, cauchy_weight
from ..weights import TermWeights


@dataclass(frozen=True, eq=False)
class Landmarks:
    """K landmarks of one picture."""

    seen_px: Doubles
    """[K, 2] without the network's bias."""
    weights: Doubles
    """[K]"""
    unit_px: float
    kernel: float
    """Width of the kernel in sigmas."""

    def residuals(self, placed: PlacedHead) -> Tensor:
        """[K, 2] in sigmas."""
        points = placed.head.marks.parts
        return (placed.marks.px - points.tensor(self.seen_px)) / self.unit_px

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and Gauss-Newton matrix."""
        residuals = self.residuals(placed)
        width = self.kernel * widening
        trust = placed.head.marks.parts.tensor(self.weights)
        squared = (residuals**2).sum(1)
        weights = trust * cauchy_weight(squared, width)
        gradient = placed.marks.pull(weights[:, None] * residuals / self.unit_px)

        def add_matrix(into: Doubles, shape: bool) -> None:
            by_px = (torch.eye(2).to(residuals) / self.unit_px).expand(len(residuals), 2, 2)
            rows = placed.marks.rows(by_px, shape=shape)
            rows.add_normal_matrix(into, weights[:, None].expand(-1, 2))

        return Value(float(trust @ cauchy_cost(squared, width)), gradient, add_matrix)


def landmark_term(seen: Observation, weights: TermWeights) -> Landmarks:
    """Landmarks of an observation; those that are not finite do not count."""
    corrected = seen.corrected_px
    counts = seen.counts & np.isfinite(corrected[:, 0] + corrected[:, 1])
    return Landmarks(
        seen_px=np.where(counts[:, None], corrected, 0.0),
        weights=np.where(counts, seen.weights, 0.0),
        unit_px=seen.face_height_px * weights.landmark_sigma,
        kernel=weights.landmark_kernel,
    )
