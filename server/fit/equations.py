# SPDX-License-Identifier: GPL-3.0-or-later
"""The normal equation: a block for each view, and the shared identity as the arrow's tip.

```
[ L1        C1 ] [ d1 ]     [ g1 ]
[     L2    C2 ] [ d2 ] = - [ g2 ]      S' = S - sum C' L^-1 C  (Schur complement)
[ C1' C2'   S  ] [ ds ]     [ gs ]
```
The cost of a solve is linear in the number of views.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles


@dataclass(eq=False)
class Block:
    """What one view adds: Hessian [M, M], gradient [M], and its coupling [M, S] to the shared variables."""

    hessian: Doubles
    gradient: Doubles
    coupling: Doubles


@dataclass(eq=False)
class Equations:
    """Gauss-Newton normal equation of the whole energy; terms add to it in place."""

    hessian: Doubles
    """[S, S]"""
    gradient: Doubles
    """[S]"""
    blocks: tuple[Block, ...]

    @classmethod
    def zero(cls, shared: int, local: int, views: int) -> Equations:
        """An empty equation of S shared and M local variables in each view."""
        blocks = tuple(
            Block(np.zeros((local, local)), np.zeros(local), np.zeros((local, shared)))
            for _ in range(views)
        )
        return cls(np.zeros((shared, shared)), np.zeros(shared), blocks)

    def solve(self, free: Bools, free_views: tuple[Bools, ...], damping: float) -> Step:
        """Solve for the free variables; the others stay. Damping is Levenberg-Marquardt's, relative to the diagonal."""
        schur, right = _masked(self.hessian, free, damping), -self.gradient * free
        eliminated: list[tuple[Doubles, Doubles]] = []
        for block, mask in zip(self.blocks, free_views, strict=True):
            coupling = block.coupling * mask[:, None] * free
            both = _solved(
                _masked(block.hessian, mask, damping),
                np.column_stack([coupling, -block.gradient * mask]),
            )
            spread, alone = both[:, :-1], both[:, -1]
            schur = schur - coupling.T @ spread
            right = right - coupling.T @ alone
            eliminated.append((spread, alone))
        shared = _solved(schur, right) if len(right) else right
        return Step(shared, tuple(alone - spread @ shared for spread, alone in eliminated))


@dataclass(frozen=True, eq=False)
class Step:
    """A change of the shared variables [S] and of every view's local ones [M]."""

    shared: Doubles
    views: tuple[Doubles, ...]


def _masked(hessian: Doubles, free: Bools, damping: float) -> Doubles:
    masked = hessian * np.outer(free, free)
    diagonal = np.where(free, np.diag(hessian) * (1.0 + damping) + 1e-9, 1.0)
    np.fill_diagonal(masked, diagonal)
    return masked


def _solved(matrix: Doubles, right: Doubles) -> Doubles:
    return np.asarray(np.linalg.solve(matrix, right), np.float64)
