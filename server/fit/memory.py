# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory: what the last steps taught about the curvature, on top of a Gauss-Newton matrix that grows old (L-BFGS).

    H0 = Gauss-Newton matrix;  s_k: step;  y_k: change of the gradient over it
    step = - (two-loop recursion over (s_k, y_k) around H0^-1) gradient             (Nocedal and Wright, algorithm 7.4)

The gradient is exact, so the pairs correct what the matrix has wrong: its age, lumping, curvature of the residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

from .equations import Arrow, Free, Vector

_LEAST_CURVATURE = 1e-10


@dataclass(frozen=True, eq=False)
class Memory:
    """Pairs of step and change of the gradient since the matrix was made, the oldest first."""

    pairs: tuple[tuple[Vector, Vector], ...] = ()

    def with_step(self, step: Vector, change: Vector) -> Memory:
        """Remember one more step."""
        return Memory((*self.pairs, (step, change)))

    def around(self, arrow: Arrow) -> Metric:
        """Combine with the matrix."""
        return Metric(arrow, self)


@dataclass(frozen=True, eq=False)
class Metric:
    """A Gauss-Newton matrix and what was learned since."""

    arrow: Arrow
    memory: Memory

    def solve(self, slope: Vector, free: Free, damping: float) -> Vector:
        """Find the step of the free variables."""
        pairs = [(s.among(free), y.among(free)) for s, y in self.memory.pairs]
        curved = [
            (s, y, s.dot(y))
            for s, y in pairs
            if s.dot(y) > _LEAST_CURVATURE * (s.dot(s) * y.dot(y)) ** 0.5
        ]
        rest, shares = slope.among(free), []
        for s, y, curvature in reversed(curved):
            share = s.dot(rest) / curvature
            rest = rest.plus(y, -share)
            shares.append(share)
        step = self.arrow.solve(rest, free, damping)
        for (s, y, curvature), share in zip(curved, reversed(shares), strict=True):
            # ``step`` is minus the direction of the recursion, hence the sum where the book has a difference.
            step = step.plus(s, -(share + y.dot(step) / curvature))
        return step
