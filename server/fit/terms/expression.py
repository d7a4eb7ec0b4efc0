# SPDX-License-Identifier: GPL-3.0-or-later
"""Expression prior: w / 2 sum((e / sigma)^2) + l1 sum(|e|) + k / 2 sum over pairs((e_left - e_right)^2).

The absolute value is taken of components that cannot be negative, where it is linear; signed components have the
square. Bounds are kept by the solver, not by a penalty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..energy import Value
from ..head import FitHead, PlacedHead
from ..weights import TermWeights


@dataclass(frozen=True, eq=False)
class ExpressionPrior:
    """Likely values of E expression components."""

    sigma: Doubles
    """[E]"""
    one_sided: Doubles
    """[E] 1 where a component cannot be negative."""
    mirror: tuple[int, ...]
    """[E]"""
    weight: Doubles
    """[E] of the square."""
    l1: float
    coupling: float

    @cached_property
    def stiffness(self) -> Doubles:
        """[E, E] second derivative."""
        same = np.eye(len(self.sigma))
        sides = same - same[list(self.mirror)]
        # Each pair stands twice among the rows of ``sides``.
        return np.diag(self.weight / self.sigma**2) + 0.5 * self.coupling * sides.T @ sides

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and matrix."""
        del widening
        columns, e = placed.head.columns, placed.view.expression
        gradient = np.zeros(columns.count)
        pull = self.stiffness @ e
        gradient[columns.expression] = pull + self.l1 * self.one_sided

        def add_matrix(into: Doubles, shape: bool) -> None:
            del shape
            into[columns.expression, columns.expression] += self.stiffness

        return Value(
            0.5 * float(e @ pull) + self.l1 * float(e @ self.one_sided), gradient, add_matrix
        )


def expression_prior(head: FitHead, weights: TermWeights) -> ExpressionPrior:
    """The prior of one head."""
    one_sided = (head.bounds.expression[:, 0] >= 0).astype(np.float64)
    return ExpressionPrior(
        sigma=head.expression_sigma,
        one_sided=one_sided,
        mirror=head.mirror,
        weight=weights.expression * np.where(one_sided > 0, weights.expression_one_sided, 1.0),
        l1=weights.expression_l1,
        coupling=weights.coupling,
    )
