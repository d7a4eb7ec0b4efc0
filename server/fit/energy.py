# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of the energy and what they answer.

The energy is a sum of terms: those of a view (what was seen, what expressions are likely), those of the person
(identity), and those between neighbouring frames. Each answers with its cost, its exact gradient and, when the solver
asks, a Gauss-Newton matrix, which may be approximate: the gradient alone decides where the minimum is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Protocol

import numpy as np
from torch import Tensor

from pixel3dmm_blender.wire import Doubles

from .head import PlacedHead
from .points import Posed
from .variables import View


@dataclass(frozen=True, eq=False)
class Forces:
    """Derivatives of a cost by N points of the head; those of several terms are summed before they are pulled back."""

    posed: Posed
    by_camera: Tensor | None
    """[N, 3] in the camera frame."""
    by_head: Tensor | None
    """[N, 3] in the head frame."""

    def joined(self, other: Forces) -> Forces:
        """Sum the forces on the same points."""
        by_camera = _sum(self.by_camera, other.by_camera)
        return Forces(self.posed, by_camera, _sum(self.by_head, other.by_head))


@dataclass(frozen=True, eq=False)
class Value:
    """Cost, gradient [P] and, computed when asked for, Gauss-Newton matrix [P, P] of a term."""

    cost: float
    direct: Doubles
    """[P] gradient but for what the forces bring."""
    add_matrix: Callable[[Doubles, bool], None]
    """Adds the Gauss-Newton matrix to a matrix [P, P]: in place, since most terms touch a small part of it.

    The second argument says whether identity and expression may move; if not, only the pose's part is needed.
    """
    forces: Forces | None = None
    """On the surface of the face."""

    def matrix(self, shape: bool) -> Doubles:
        """The matrix alone, [P, P]."""
        result = np.zeros((len(self.direct), len(self.direct)))
        self.add_matrix(result, shape)
        return result

    @cached_property
    def gradient(self) -> Doubles:
        """[P] all of it."""
        if self.forces is None:
            return self.direct
        return self.direct + self.forces.posed.pull(self.forces.by_camera, self.forces.by_head)


class ViewTerm(Protocol):
    """A term of one view."""

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Evaluate at a placed head. ``widening`` >= 1 widens robust kernels (graduated non-convexity)."""
        ...


class PersonTerm(Protocol):
    """A term of the identity [S] alone."""

    def evaluate(self, identity: Doubles) -> Value:
        """Evaluate; gradient [S], matrix [S, S]."""
        ...


@dataclass(frozen=True, eq=False)
class PairValue:
    """A term between two views, whose Gauss-Newton matrix ties each variable of one to the same of the other."""

    cost: float
    gradients: tuple[Doubles, Doubles]
    """[P] by each of the views."""
    stiffness: Doubles
    """[P]: diagonal of the matrix of either view; between them stands the negative."""


class PairTerm(Protocol):
    """A term between two neighbouring frames."""

    def evaluate_pair(self, first: View, second: View, gap: int) -> PairValue:
        """Evaluate for frames that lie ``gap`` frames apart."""
        ...


def total(values: Sequence[Value]) -> Value:
    """Sum the values of several terms."""

    def add_matrix(into: Doubles, shape: bool) -> None:
        for value in values:
            value.add_matrix(into, shape)

    cost = float(sum(value.cost for value in values))
    forces = [value.forces for value in values if value.forces is not None]
    direct = np.sum([value.direct for value in values], axis=0)
    return Value(cost, direct, add_matrix, reduce(Forces.joined, forces) if forces else None)


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def quadratic(residuals: Doubles, jacobian: Doubles, where: slice, count: int) -> Value:
    """1/2 |r|^2 of residuals [N] with a Jacobian [N, Q] by the columns ``where`` of ``count``."""
    direct = np.zeros(count)
    direct[where] = jacobian.T @ residuals

    def add_matrix(into: Doubles, shape: bool) -> None:
        del shape
        into[where, where] += jacobian.T @ jacobian

    return Value(0.5 * float(residuals @ residuals), direct, add_matrix)
