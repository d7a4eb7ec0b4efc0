# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity prior: w / 2 sum((c_s / sigma_s)^2), once for the person however many views there are."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..equations import Equations
from ..variables import LandmarkBasis
from ..weights import TermWeights


def identity_cost(basis: LandmarkBasis, identity: Doubles, weights: TermWeights) -> float:
    """Cost of the shared identity."""
    return 0.5 * weights.identity * float(np.sum((identity / basis.identity_sigma) ** 2))


def add_identity(
    equations: Equations, basis: LandmarkBasis, identity: Doubles, weights: TermWeights
) -> None:
    """Add the prior to the normal equation."""
    stiffness = weights.identity / basis.identity_sigma**2
    equations.hessian += np.diag(stiffness)
    equations.gradient += stiffness * identity
