# SPDX-License-Identifier: GPL-3.0-or-later
"""What the picture does not tell: focal length and pitch.

1/2 ((log f - log f0) / sigma_f)^2 + 1/2 (pitch / sigma_p)^2. A frontal face looks the same from
farther away with a longer lens, and nearly the same with the chin a little up; without a prior the
solver drifts along that valley.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ...heads.view import view_angles
from ..equations import Block
from ..observation import Focal
from ..variables import FOCAL, View
from ..weights import TermWeights


def gauge_cost(view: View, focal: Focal, weights: TermWeights) -> float:
    """Cost of one view's focal length and pitch."""
    stretch = np.log(view.focal_px / focal.px) / focal.sigma
    _, pitch = view_angles(view.rotation)
    return float(0.5 * stretch**2 + 0.5 * (pitch / weights.pitch_sigma_rad) ** 2)


def add_gauge(block: Block, view: View, focal: Focal, weights: TermWeights) -> None:
    """Add one view's priors to the normal equation."""
    block.hessian[FOCAL, FOCAL] += 1.0 / focal.sigma**2
    block.gradient[FOCAL] += np.log(view.focal_px / focal.px) / focal.sigma**2
    _, pitch = view_angles(view.rotation)
    slope = pitch_jacobian(view.rotation) / weights.pitch_sigma_rad
    block.hessian[:3, :3] += np.outer(slope, slope)
    block.gradient[:3] += slope * pitch / weights.pitch_sigma_rad


def pitch_jacobian(rotation: Doubles) -> Doubles:
    """D pitch / d w [3] for R <- exp(w) R: the direction to the camera is c = -R[2], and dc = w_y R[0] - w_x R[1]."""
    c = -rotation[2]
    across = float(np.hypot(c[0], c[2]))
    dc = np.stack([-rotation[1], rotation[0], np.zeros(3)])  # [3 of w, 3 of c]
    d_across = (c[0] * dc[:, 0] + c[2] * dc[:, 2]) / across
    return -dc[:, 1] * across + c[1] * d_across
