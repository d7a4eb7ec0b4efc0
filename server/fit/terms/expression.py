# SPDX-License-Identifier: GPL-3.0-or-later
"""Expression prior: w / 2 sum((e / sigma)^2) + l1 sum(|e|) + k / 2 sum over pairs((e_left - e_right)^2).

The absolute value is taken of components that cannot be negative, where it is linear; signed
components have the square.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..equations import Block
from ..variables import EXPRESSION, LOCAL_COUNT, LandmarkBasis, View
from ..weights import TermWeights


def expression_cost(basis: LandmarkBasis, view: View, weights: TermWeights) -> float:
    """Cost of one view's expression."""
    e = view.expression
    square = weights.expression * np.sum((e / basis.expression_sigma) ** 2)
    pairs = (
        weights.coupling * np.sum((e - e[list(basis.mirror)]) ** 2) / 2
    )  # each pair is counted twice
    return float(0.5 * square + 0.5 * pairs + weights.expression_l1 * np.sum(e * _one_sided(basis)))


def add_expression(block: Block, basis: LandmarkBasis, view: View, weights: TermWeights) -> None:
    """Add one view's prior to the normal equation."""
    e, mirror = view.expression, list(basis.mirror)
    stiffness = weights.expression / basis.expression_sigma**2
    count = len(e)
    sides = np.eye(count) - np.eye(count)[mirror]
    coupling = weights.coupling / 2 * sides.T @ sides
    block.hessian[EXPRESSION, EXPRESSION] += np.diag(stiffness) + coupling
    block.gradient[LOCAL_COUNT:] += (
        stiffness * e + coupling @ e + weights.expression_l1 * _one_sided(basis)
    )


def _one_sided(basis: LandmarkBasis) -> Doubles:
    return (basis.expression_bounds[:, 0] >= 0).astype(np.float64)
