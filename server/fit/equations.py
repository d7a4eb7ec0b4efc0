# SPDX-License-Identifier: GPL-3.0-or-later
"""The normal equation: a block for each view, links between neighbours, and what is shared as the arrow's tip.

```
[ L1  B1      C1 ] [ d1 ]     [ g1 ]
[ B1' L2  B2  C2 ] [ d2 ] = - [ g2 ]      Every L_i is eliminated into its neighbour and into the tip:
[     B2' L3  C3 ] [ d3 ]     [ g3 ]      L_i+1 -= B_i' L_i^-1 B_i,  C_i+1 -= B_i' L_i^-1 C_i,  S -= C_i' L_i^-1 C_i
[ C1' C2' C3' S  ] [ ds ]     [ gs ]
```
The cost of a solve is linear in the number of views. Photos have no links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from pixel3dmm_blender.wire import Bools, Doubles


@dataclass(frozen=True, eq=False)
class Block:
    """One view: matrix [M, M], coupling to what is shared [M, S], link to the next view [M, M] or None."""

    matrix: Doubles
    coupling: Doubles
    link: Doubles | None = None


@dataclass(frozen=True, eq=False)
class Arrow:
    """Gauss-Newton matrix of the whole energy. S shared variables, M in each of N views."""

    tip: Doubles
    """[S, S]"""
    blocks: tuple[Block, ...]

    def solve(self, slope: Vector, free: Free, damping: float) -> Vector:
        """Solve for the free variables; the others stay. Damping is Levenberg-Marquardt's, relative to the diagonal."""
        tip = masked(self.tip, free.shared, damping)
        right = -slope.shared * free.shared
        parts: list[Eliminated] = []
        for i, block in enumerate(self.blocks):
            mask = free.views[i]
            coupling = block.coupling * mask[:, None] * free.shared
            matrix, own = masked(block.matrix, mask, damping), -slope.views[i] * mask
            if i and (before := parts[-1]).link is not None:
                matrix -= before.link.T @ before.solved_link
                coupling -= before.link.T @ before.solved_coupling
                own = own - before.link.T @ before.solved_right
            link = None
            if block.link is not None:
                link = block.link * mask[:, None] * free.views[i + 1]
            part = eliminate(matrix, coupling, own, link)
            tip -= coupling.T @ part.solved_coupling
            right -= coupling.T @ part.solved_right
            parts.append(part)
        return _substitute(parts, solve_positive(tip, right) if len(right) else right)


@dataclass(frozen=True, eq=False)
class Vector:
    """A gradient or a step: by the shared variables [S] and by every view's own [M]."""

    shared: Doubles
    views: tuple[Doubles, ...]

    def dot(self, other: Vector) -> float:
        """Inner product."""
        own = sum(float(a @ b) for a, b in zip(self.views, other.views, strict=True))
        return float(self.shared @ other.shared) + own

    def plus(self, other: Vector, factor: float) -> Vector:
        """Self + factor * other."""
        views = tuple(a + factor * b for a, b in zip(self.views, other.views, strict=True))
        return Vector(self.shared + factor * other.shared, views)

    def among(self, free: Free) -> Vector:
        """0 for all that is not free."""
        views = tuple(a * mask for a, mask in zip(self.views, free.views, strict=True))
        return Vector(self.shared * free.shared, views)


@dataclass(frozen=True, eq=False)
class Free:
    """Which variables may move: shared [S], and every view's own [M]."""

    shared: Bools
    views: tuple[Bools, ...]


@dataclass(frozen=True, eq=False)
class Eliminated:
    """One view after its predecessor was folded into it: what was solved with its matrix L."""

    link: Doubles | None
    """[M, M] B"""
    solved_coupling: Doubles
    """[M, S] L^-1 C"""
    solved_right: Doubles
    """[M] L^-1 g"""
    solved_link: Doubles
    """[M, M] L^-1 B; [M, 0] where there is no link."""


def eliminate(
    matrix: Doubles, coupling: Doubles, right: Doubles, link: Doubles | None
) -> Eliminated:
    """Solve with one view's matrix."""
    columns = [coupling, right[:, None]] if link is None else [coupling, right[:, None], link]
    solved = solve_positive(matrix, np.concatenate(columns, 1))
    count = coupling.shape[1]
    return Eliminated(link, solved[:, :count], solved[:, count], solved[:, count + 1 :])


def _substitute(parts: Sequence[Eliminated], shared: Doubles) -> Vector:
    """Find every view's step from that of what is shared, the last view first."""
    views: list[Doubles] = []
    for part in reversed(parts):
        step = part.solved_right - part.solved_coupling @ shared
        if part.link is not None:
            step = step - part.solved_link @ views[-1]
        views.append(step)
    return Vector(shared, tuple(reversed(views)))


def masked(matrix: Doubles, free: Bools, damping: float) -> Doubles:
    """The matrix of the free variables; the others get an equation of their own that says 0."""
    result = matrix * np.outer(free, free)
    np.fill_diagonal(result, np.where(free, np.diag(matrix) * (1.0 + damping) + 1e-9, 1.0))
    return result


def solve_positive(matrix: Doubles, right: Doubles) -> Doubles:
    """Solve with a positive definite matrix; one that rounding made indefinite gets a little on its diagonal."""
    try:
        return np.asarray(cho_solve(cho_factor(matrix, check_finite=False), right), np.float64)
    except LinAlgError:
        lifted = matrix + np.eye(len(matrix)) * 1e-6 * float(np.trace(matrix)) / len(matrix)
        return np.asarray(np.linalg.solve(lifted, right), np.float64)


def linked(blocks: Sequence[Block], links: Sequence[Doubles]) -> tuple[Block, ...]:
    """The same blocks, each but the last linked to the next."""
    return (
        *(replace(block, link=link) for block, link in zip(blocks[:-1], links, strict=True)),
        blocks[-1],
    )
