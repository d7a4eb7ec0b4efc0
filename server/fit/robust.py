# SPDX-License-Identifier: GPL-3.0-or-later
"""The Cauchy kernel.

A residual of norm r costs c^2 / 2 log(1 + r^2 / c^2) and pulls with weight 1 / (1 + r^2 / c^2).
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles


def cauchy_cost(squared: Doubles, width: float) -> Doubles:
    """Cost of residuals with these squared norms, elementwise."""
    return 0.5 * width**2 * np.log1p(squared / width**2)


def cauchy_weight(squared: Doubles, width: float) -> Doubles:
    """Derivative of the cost with respect to r^2 / 2, elementwise."""
    return 1.0 / (1.0 + squared / width**2)
