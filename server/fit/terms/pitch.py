# SPDX-License-Identifier: GPL-3.0-or-later
"""Pitch prior: r = pitch / sigma. People look at the camera.

A frontal face looks nearly the same with the chin a little up and the camera a little nearer; the picture hardly tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ...heads.view import view_angles
from ..energy import Value, quadratic
from ..head import PlacedHead
from ..variables import ROTATION


@dataclass(frozen=True, eq=False)
class PitchPrior:
    """Normal distribution of the pitch."""

    sigma_rad: float

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and matrix."""
        del widening
        jacobian = pitch_jacobian(placed.view.rotation)[None] / self.sigma_rad
        _, pitch = view_angles(placed.view.rotation)
        residual = np.array([pitch / self.sigma_rad])
        return quadratic(residual, jacobian, ROTATION, placed.head.columns.count)


def pitch_jacobian(rotation: Doubles) -> Doubles:
    """D pitch / d w [3] for R <- exp(w) R: the direction to the camera is c = -R[2], and dc = w_y R[0] - w_x R[1]."""
    c = -rotation[2]
    across = float(np.hypot(c[0], c[2]))
    dc = np.stack([-rotation[1], rotation[0], np.zeros(3)])  # [3 of w, 3 of c]
    d_across = (c[0] * dc[:, 0] + c[2] * dc[:, 2]) / across
    return -dc[:, 1] * across + c[1] * d_across
