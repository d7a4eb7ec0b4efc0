# SPDX-License-Identifier: GPL-3.0-or-later
"""Robust Gauss-Newton with bounds: evaluate, step, accept or damp, stop.

The gradient is exact in every step; the matrix may be some steps old, which costs a step more now and then and saves
most of the work. Wide kernels first (graduated non-convexity), one step at each width, then the true ones to the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools

from .equations import Arrow, Free, Vector
from .head import FitHead
from .memory import Memory, Metric
from .problem import Problem, State
from .variables import CENTER, FOCAL, POSE_COUNT, FitVariables
from .weights import Schedule

_ACTIVE_SET_PASSES = 6
_DAMPING_START, _DAMPING_LIMIT, _DAMPING_LEAST = 1e-4, 1e6, 1e-7


@dataclass(frozen=True)
class Freedom:
    """Which variables may move."""

    identity: bool = True
    expression: bool = True
    pose: bool = True
    focal: bool = True
    center: bool = False

    @property
    def shape(self) -> bool:
        """Whether identity or expression may move."""
        return self.identity or self.expression


POSE_ONLY = Freedom(identity=False, expression=False, focal=False)
EVERYTHING = Freedom()
EXPRESSION_AND_POSE = Freedom(identity=False, focal=False)


@dataclass(frozen=True, eq=False)
class Solution:
    """Where a solve ended, and what it took."""

    state: State
    arrow: Arrow | None
    """The last Gauss-Newton matrix."""
    steps: int
    matrices: int

    @property
    def variables(self) -> FitVariables:
        """What was found."""
        return self.state.variables


def solve(problem: Problem, start: FitVariables, freedom: Freedom, schedule: Schedule) -> Solution:
    """Minimise the energy from a start; the cost never rises over an accepted step at one width of the kernels."""
    found = Solution(problem.evaluate(start, (*schedule.widenings, 1.0)[0]), None, 0, 0)
    for widening in schedule.widenings:
        found = Descent(problem, freedom, schedule, widening).run(found, 1)
    return Descent(problem, freedom, schedule, 1.0).run(found, schedule.steps)


@dataclass(frozen=True, eq=False)
class Descent:
    """Steps at one width of the kernels."""

    problem: Problem
    freedom: Freedom
    schedule: Schedule
    widening: float

    def run(self, start: Solution, steps: int) -> Solution:
        """Go down by at most so many steps."""
        state = start.state
        if self.widening != 1.0 or self.schedule.widenings:  # at other widths it was another cost
            state = self.problem.evaluate(start.variables, self.widening)
        free = free_variables(self.problem, state.variables, self.freedom)
        arrow, memory, damping = None, Memory(), _DAMPING_START
        done, matrices = 0, start.matrices
        while done < steps:
            if arrow is None or len(memory.pairs) >= self.schedule.matrix_age:
                arrow, memory = state.arrow(self.freedom.shape), Memory()
                matrices += 1
            lower = self._lower(state, memory.around(arrow), free, damping)
            if lower is None and not memory.pairs:
                break
            if lower is None:
                arrow = None  # what was remembered led astray
                continue
            gained = (state.cost - lower.state.cost) / max(abs(state.cost), 1e-12)
            memory = memory.with_step(lower.step, lower.state.slope().plus(state.slope(), -1.0))
            state, damping, done = lower.state, lower.damping, done + 1
            if gained < self.schedule.tolerance:
                break
        return Solution(state, arrow or start.arrow, start.steps + done, matrices)

    def _lower(self, state: State, metric: Metric, free: Free, damping: float) -> Lower | None:
        """Find a state of lower cost, with as much damping as it takes; None where there is none.

        With an old matrix only one step is tried.
        """
        while damping <= _DAMPING_LIMIT:
            step = bounded_step(self.problem, metric, state, free, damping)
            candidate = self.problem.evaluate(
                self.problem.moved(state.variables, step), self.widening
            )
            if candidate.cost <= state.cost:
                return Lower(candidate, step, max(damping / 4, _DAMPING_LEAST))
            if metric.memory.pairs:
                break
            damping *= 8
        return None


@dataclass(frozen=True, eq=False)
class Lower:
    """A state of lower cost, the step that led there, and the damping to go on with."""

    state: State
    step: Vector
    damping: float


def free_variables(problem: Problem, variables: FitVariables, freedom: Freedom) -> Free:
    """Which of the shared variables and of every view's own may move."""
    columns = problem.head.columns
    mask = np.zeros(columns.count, bool)
    mask[:POSE_COUNT] = freedom.pose
    mask[FOCAL] = freedom.focal
    mask[CENTER] = freedom.center
    mask[columns.joint_columns] = freedom.expression and _movable_joints(problem.head)
    mask[columns.identity] = freedom.identity
    bounds = problem.head.bounds.expression
    mask[columns.expression] = freedom.expression & (bounds[:, 1] > bounds[:, 0])
    local = mask[problem.local]
    views = tuple(local & (i not in problem.held) for i in range(len(variables.views)))
    return Free(mask[problem.shared], views)


def _movable_joints(head: FitHead) -> Bools:
    limits = head.skeleton.limits[list(head.columns.joints)].reshape(-1, 2)
    return limits[:, 1] > limits[:, 0]


def bounded_step(
    problem: Problem, metric: Metric, state: State, free: Free, damping: float
) -> Vector:
    """Active set: variables at a bound whose step leads outwards are held, and the rest is solved again."""
    slope = state.slope()
    step = metric.solve(slope, free, damping)
    for _ in range(_ACTIVE_SET_PASSES):
        shared, views = problem.leaving(state.variables, step)
        shared = shared & free.shared
        views = tuple(part & mask for part, mask in zip(views, free.views, strict=True))
        if not shared.any() and not any(part.any() for part in views):
            break
        rest = tuple(mask & ~part for part, mask in zip(views, free.views, strict=True))
        free = Free(free.shared & ~shared, rest)
        step = metric.solve(slope, free, damping)
    return step
