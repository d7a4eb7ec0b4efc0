# SPDX-License-Identifier: GPL-3.0-or-later
"""User pins: r_i = (p_i - wanted_i) / sigma in pixels, squared: what the user says is not doubted.

p_i: any weighted mean of the head's vertices, projected (``marks.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pixel3dmm_blender.wire import Doubles

from ..energy import Value
from ..head import PlacedHead
from ..marks import Marks


@dataclass(frozen=True, eq=False)
class Pins:
    """N pinned points of one view, on the head that they are used with."""

    marks: Marks
    wanted_px: Doubles
    """[N, 2]"""
    sigma_px: float

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and Gauss-Newton matrix."""
        del widening
        marks = self.marks.placed(placed.identity, placed.view)
        residuals = (marks.px - self.marks.parts.tensor(self.wanted_px)) / self.sigma_px

        def add_matrix(into: Doubles, shape: bool) -> None:
            by_px = (torch.eye(2).to(residuals) / self.sigma_px).expand(len(residuals), 2, 2)
            rows = marks.rows(by_px, shape=shape)
            rows.add_normal_matrix(into, torch.ones_like(residuals))

        gradient = marks.pull(residuals / self.sigma_px)
        return Value(0.5 * float((residuals**2).sum()), gradient, add_matrix)
