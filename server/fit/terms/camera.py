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
from ..variables import CAMERA


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
        scale = 1.0 / np.array([self.focal.sigma, self.center_sigma_px, self.center_sigma_px])
        stretch = np.log(view.focal_px / self.focal.px) / self.focal.sigma
        shift = (view.center_px - self.center_px) / self.center_sigma_px
        residuals = np.array([stretch, *shift])
        return quadratic(residuals, np.diag(scale), CAMERA, placed.head.columns.count)
