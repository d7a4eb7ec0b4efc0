# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity prior: r_s = sqrt(w) (c_s - mean_s) / sigma_s, once for the person however many views there are.

The mean is 0, or what another predictor of identity says (MICA and its like), with a sigma of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..energy import Value


@dataclass(frozen=True, eq=False)
class IdentityPrior:
    """Normal distribution of S independent components."""

    sigma: Doubles
    """[S]"""
    weight: float
    mean: Doubles | None = None
    """[S]; None: 0."""

    def evaluate(self, identity: Doubles) -> Value:
        """Cost, gradient [S] and matrix [S, S]."""
        scale = np.sqrt(self.weight) / self.sigma
        away = identity if self.mean is None else identity - self.mean
        residuals = scale * away

        def add_matrix(into: Doubles, shape: bool) -> None:
            del shape
            into[np.diag_indices(len(scale))] += scale**2

        return Value(0.5 * float(residuals @ residuals), scale * residuals, add_matrix)
