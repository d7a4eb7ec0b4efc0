# SPDX-License-Identifier: GPL-3.0-or-later
"""Robust kernels of squared residual norms s = r^2: the cost, and the weight 2 d cost / d s that r is pulled with.

Cauchy           c^2 / 2 log(1 + s / c^2)         1 / (1 + s / c^2)          for landmarks: far ones still pull a little
Geman-McClure    1/2 s / (1 + s / c^2)            1 / (1 + s / c^2)^2        for pixels: far ones do not pull at all
"""

from __future__ import annotations

import torch
from torch import Tensor


def cauchy_cost(squared: Tensor, width: float) -> Tensor:
    """Cost of residuals with these squared norms, elementwise."""
    return 0.5 * width**2 * torch.log1p(squared / width**2)


def cauchy_weight(squared: Tensor, width: float) -> Tensor:
    """Derivative of the cost with respect to r^2 / 2, elementwise."""
    return 1.0 / (1.0 + squared / width**2)


def geman_mcclure_cost(squared: Tensor, width: float) -> Tensor:
    """Cost of residuals with these squared norms, elementwise."""
    return 0.5 * squared / (1.0 + squared / width**2)


def geman_mcclure_weight(squared: Tensor, width: float) -> Tensor:
    """Derivative of the cost with respect to r^2 / 2, elementwise."""
    return 1.0 / (1.0 + squared / width**2) ** 2
