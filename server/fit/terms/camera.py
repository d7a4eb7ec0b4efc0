# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera prior: r = ((log f - log f0) / sigma_f, (x - x0) / sigma_c, (y - y0) / sigma_c).

A face looks nearly the same from farther away with a longer lens; without this row the solver drifts along that valley.
The principal point is free only where its sigma says so (a cropped picture).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..energy import Value, quadratic
from ..head import PlacedHead
from ..observation import Focal
from ..variables import CENTER, FOCAL


@dataclass(frozen=True, eq=False)
class CameraPrior:
    """What is known of the camera."""

    focal: Focal
    center_px: Doubles
    """[2]"""
    center_sigma_px: float

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and matrix."""
        del widening
        view = placed.view
        jacobian = np.zeros((3, placed.head.columns.count))
        jacobian[0, FOCAL] = 1.0 / self.focal.sigma
        jacobian[1:, CENTER] = np.eye(2) / self.center_sigma_px
        stretch = np.log(view.focal_px / self.focal.px) / self.focal.sigma
        shift = (view.center_px - self.center_px) / self.center_sigma_px
        return quadratic(np.array([stretch, *shift]), jacobian)
