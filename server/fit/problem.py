# SPDX-License-Identifier: GPL-3.0-or-later
"""Problem: the terms of one solve; State: all of them evaluated; and the normal equation that follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from .energy import PairTerm, PairValue, PersonTerm, Value, ViewTerm, total
from .equations import Arrow, Block, Vector, linked
from .head import FitHead
from .variables import FitVariables

Check = Callable[[], None]


def nobody_cancels() -> None:
    """Check nothing."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A head, and the terms of N views, of the person, and between neighbours."""

    head: FitHead
    views: tuple[tuple[ViewTerm, ...], ...]
    person: tuple[PersonTerm, ...] = ()
    pairs: tuple[PairTerm, ...] = ()
    gaps: tuple[int, ...] = ()
    """[N - 1] frames between neighbours; empty where the views are photos."""
    shared_camera: bool = False
    held: tuple[int, ...] = ()
    """Views that stay as they are."""
    check: Check = nobody_cancels
    """Called before every view; may raise to cancel."""

    @cached_property
    def shared(self) -> Ints:
        """Columns of a view that all views have in common."""
        return self.head.columns.shared(self.shared_camera)

    @cached_property
    def local(self) -> Ints:
        """Columns that are a view's own."""
        return self.head.columns.local(self.shared_camera)

    def evaluate(self, variables: FitVariables, widening: float) -> State:
        """Cost and gradient of everything."""
        views: list[Value] = []
        for view, terms in zip(variables.views, self.views, strict=True):
            self.check()
            placed = self.head.placed(variables.identity, view)
            views.append(total([term.evaluate(placed, widening) for term in terms]))
        neighbours = zip(variables.views[:-1], variables.views[1:], self.gaps, strict=False)
        pairs = tuple(
            tuple(term.evaluate_pair(first, second, gap) for term in self.pairs)
            for first, second, gap in neighbours
        )
        person = tuple(term.evaluate(variables.identity) for term in self.person)
        return State(self, variables, tuple(views), pairs, person)

    def moved(self, variables: FitVariables, step: Vector) -> FitVariables:
        """Apply a step; what has bounds stays within them."""
        columns, bounds = self.head.columns, self.head.bounds
        changes = tuple(self.whole(step.shared, local) for local in step.views)
        identity = bounds.moved_identity(variables.identity, changes[0][columns.identity])
        views = tuple(
            bounds.moved(view, change, columns)
            for view, change in zip(variables.views, changes, strict=True)
        )
        return FitVariables(identity, views)

    def whole(self, shared: Doubles, local: Doubles) -> Doubles:
        """Put shared and own variables of a view into its order of columns [P]."""
        columns = self.head.columns
        result = np.zeros(columns.count, shared.dtype)
        result[self.shared] = shared
        result[self.local] = local
        return result

    def leaving(self, variables: FitVariables, step: Vector) -> tuple[Bools, tuple[Bools, ...]]:
        """Which variables stand at a bound that the step would cross: shared, and of every view."""
        columns, bounds = self.head.columns, self.head.bounds
        held = [
            bounds.leaving(variables.identity, view, self.whole(step.shared, local), columns)
            for view, local in zip(variables.views, step.views, strict=True)
        ]
        return held[0][self.shared], tuple(part[self.local] for part in held)


@dataclass(frozen=True, eq=False)
class State:
    """A problem evaluated at some variables."""

    problem: Problem
    variables: FitVariables
    views: tuple[Value, ...]
    pairs: tuple[tuple[PairValue, ...], ...]
    person: tuple[Value, ...]

    @property
    def cost(self) -> float:
        """The whole energy."""
        between = sum(value.cost for values in self.pairs for value in values)
        return float(
            sum(value.cost for value in self.views)
            + sum(value.cost for value in self.person)
            + between
        )

    def slope(self) -> Vector:
        """The exact gradient."""
        columns, problem = self.problem.head.columns, self.problem
        gradients = [value.gradient.copy() for value in self.views]
        for i, values in enumerate(self.pairs):
            for value in values:
                gradients[i] += value.gradients[0]
                gradients[i + 1] += value.gradients[1]
        everything = np.sum(gradients, axis=0)
        for value in self.person:
            everything[columns.identity] += value.gradient
        return Vector(everything[problem.shared], tuple(part[problem.local] for part in gradients))

    def arrow(self, shape: bool) -> Arrow:
        """The Gauss-Newton matrix; without ``shape`` only the pose's part of it."""
        columns, shared, local = self.problem.head.columns, self.problem.shared, self.problem.local
        tip = np.zeros((columns.count, columns.count))
        for value in self.person:
            value.add_matrix(tip[columns.identity, columns.identity], shape)
        blocks: list[Block] = []
        for i, value in enumerate(self.views):
            self.problem.check()
            matrix = value.matrix(shape)
            around = self.pairs[i - 1] if 0 < i <= len(self.pairs) else ()
            around += self.pairs[i] if i < len(self.pairs) else ()
            for pair in around:
                matrix[np.diag_indices(columns.count)] += pair.stiffness
            tip += matrix
            blocks.append(Block(matrix[np.ix_(local, local)], matrix[np.ix_(local, shared)]))
        links = [
            np.diag(-np.sum([value.stiffness for value in values], axis=0)[local])
            for values in self.pairs
        ]
        chain = linked(blocks, links) if links else tuple(blocks)
        return Arrow(tip[np.ix_(shared, shared)], chain)
