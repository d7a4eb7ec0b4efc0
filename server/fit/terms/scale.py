# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale gauge: r = (log d(c) - log d0) / sigma, d: distance between the pupils of the neutral head.

Pictures do not see scale: a head of 0.8 times the size, as much nearer, looks the same. In a clip that costs the
identity prior once and saves the expression prior in every frame, so the joint optimum would shrink the head (measured:
to 0.78). This row says how large the head is: as the model's average, or as the user measured it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..energy import Value, quadratic
from ..head import FitHead

RIGHT_PUPIL, LEFT_PUPIL = 468, 473


@dataclass(frozen=True, eq=False)
class ScaleGauge:
    """The distance between the pupils is a linear function of identity: d(c) = |offset + basis . c|."""

    offset: Doubles
    """[3] metres, of the template."""
    basis: Doubles
    """[S, 3]"""
    wanted_m: float
    sigma: float
    """Of the logarithm: the share by which the distance may differ."""

    def evaluate(self, identity: Doubles) -> Value:
        """Cost, gradient [S] and matrix [S, S]."""
        across = self.offset + identity @ self.basis
        distance = float(np.linalg.norm(across))
        residual = np.log(distance / self.wanted_m) / self.sigma
        jacobian = self.basis @ across / distance**2 / self.sigma
        return quadratic(np.array([residual]), jacobian[None])


def scale_gauge(head: FitHead, sigma: float, wanted_m: float = 0.0) -> ScaleGauge:
    """The gauge of one head; without a wanted distance that of the template holds."""
    marks, count = head.marks, head.columns.identity_count
    pupils = [
        np.flatnonzero((marks.owner == mark).cpu().numpy()) for mark in (RIGHT_PUPIL, LEFT_PUPIL)
    ]
    share = marks.share.cpu().double().numpy()
    template = marks.parts.template.cpu().double().numpy()
    basis = marks.parts.basis[..., :count].cpu().double().numpy()
    right, left = ((share[p] @ template[p], np.tensordot(share[p], basis[p], 1)) for p in pupils)
    offset = left[0] - right[0]
    return ScaleGauge(
        offset, (left[1] - right[1]).T, wanted_m or float(np.linalg.norm(offset)), sigma
    )
