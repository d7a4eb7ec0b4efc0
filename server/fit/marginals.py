# SPDX-License-Identifier: GPL-3.0-or-later
"""The inverse of the normal equation's matrix, as far as views and what they share go.

The matrix is an arrow with a chain (``equations.py``: blocks L_i, links B_i, couplings C_i, tip S). Of its inverse only
the blocks on the diagonal and those beside the tip are wanted, and they follow exactly, linear in the number of views:

    forward    L_i+1 -= B_i' L_i^-1 B_i,  C_i+1 -= B_i' L_i^-1 C_i,  S -= C_i' L_i^-1 C_i
    backward   Cov(s) = S^-1;  z_i = L_i^-1 (r_i - B_i z_i+1 - C_i s), so with F_i = -L_i^-1 [B_i C_i], y = [z_i+1; s]
               Cov(z_i) = L_i^-1 + F_i Cov(y) F_i',  Cov(z_i, s) = F_i Cov(y, s)

The backward part also carries to the views what else is known of Cov(s).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from pixel3dmm_blender.wire import Doubles

from .equations import Arrow, Free, masked

_LEAST_EIGENVALUE = 1e-9
"""Of a matrix with 1 on its diagonal: what lies below is rounding."""


@dataclass(frozen=True, eq=False)
class Marginal:
    """One view: covariance of its own variables [M, M], and of them with what is shared [M, S]."""

    own: Doubles
    across: Doubles


@dataclass(frozen=True, eq=False)
class Reduced:
    """One view after its predecessor was folded into it."""

    inverse: Doubles
    """[M, M] L^-1"""
    by_next: Doubles
    """[M, M] -L^-1 B; [M, 0] without a link."""
    by_shared: Doubles
    """[M, S] -L^-1 C"""


@dataclass(frozen=True, eq=False)
class Covariance:
    """Of S shared variables, and of M in each of N views; 0 for those that are not free."""

    shared: Doubles
    """[S, S]"""
    reduced: tuple[Reduced, ...]
    free: Free

    def marginals(self) -> Iterator[Marginal]:
        """Go backward: the views from the last to the first."""
        count = len(self.shared)
        after, across = np.zeros((0, 0)), np.zeros((0, count))
        for part, free in zip(reversed(self.reduced), reversed(self.free.views), strict=True):
            if not part.by_next.shape[1]:
                after, across = after[:0, :0], across[:0]
            known = np.block([[after, across], [across.T, self.shared]])
            share = np.concatenate([part.by_next, part.by_shared], 1)
            moved = share @ known
            after = (part.inverse + moved @ share.T) * np.outer(free, free)
            across = moved[:, len(known) - count :]
            yield Marginal(after, across)


def invert_arrow(arrow: Arrow, free: Free) -> Covariance:
    """Go forward: the inverse of the matrix of the free variables, ready to go backward."""
    tip = masked(arrow.tip, free.shared, 0.0)
    parts: list[Reduced] = []
    folded: tuple[Doubles, Doubles] | None = None
    for i, (block, mask) in enumerate(zip(arrow.blocks, free.views, strict=True)):
        matrix = masked(block.matrix, mask, 0.0)
        coupling = block.coupling * mask[:, None] * free.shared
        if folded is not None:
            matrix, coupling = matrix + folded[0], coupling + folded[1]
        inverse = invert_positive(matrix)
        by_shared = -inverse @ coupling
        tip = tip + coupling.T @ by_shared
        by_next, folded = inverse[:, :0], None
        if block.link is not None:
            link = block.link * mask[:, None] * free.views[i + 1]
            by_next = -inverse @ link
            folded = (link.T @ by_next, link.T @ by_shared)
        parts.append(Reduced(inverse, by_next, by_shared))
    shared = invert_positive(tip) * np.outer(free.shared, free.shared)
    return Covariance(shared, tuple(parts), free)


def invert_positive(matrix: Doubles) -> Doubles:
    """Invert a positive definite matrix, whatever its units; what rounding made indefinite is lifted."""
    if not len(matrix):
        return matrix
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix * np.outer(scale, scale)
    try:
        inverse = cho_solve(cho_factor(scaled, check_finite=False), np.eye(len(scaled)))
    except LinAlgError:
        values, vectors = np.linalg.eigh(scaled)
        inverse = (vectors / np.maximum(values, _LEAST_EIGENVALUE)) @ vectors.T
    return np.asarray(inverse * np.outer(scale, scale), np.float64)
