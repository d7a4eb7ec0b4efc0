# SPDX-License-Identifier: GPL-3.0-or-later
"""Robust Gauss-Newton with bounds: assemble, step, accept or damp, stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles

from .equations import Equations, Step
from .problem import Problem
from .terms.expression import add_expression, expression_cost
from .terms.gauge import add_gauge, gauge_cost
from .terms.identity import add_identity, identity_cost
from .terms.landmarks import add_landmarks, landmark_cost
from .variables import EXPRESSION, LOCAL_COUNT, FitVariables, LandmarkBasis, View

_ACTIVE_SET_PASSES = 6
_DAMPING_START, _DAMPING_LIMIT = 1e-4, 1e6


@dataclass(frozen=True)
class Freedom:
    """Which variables may move."""

    identity: bool = True
    expression: bool = True
    focal: bool = True


POSE_ONLY = Freedom(identity=False, expression=False, focal=False)
EVERYTHING = Freedom()
EXPRESSION_AND_POSE = Freedom(identity=False, focal=False)


def energy(problem: Problem, variables: FitVariables) -> float:
    """The whole cost."""
    basis, weights = problem.basis, problem.weights
    total = identity_cost(basis, variables.identity, weights)
    for index, (view, seen) in enumerate(zip(variables.views, problem.seen, strict=True)):
        total += landmark_cost(problem, variables, index)
        total += expression_cost(basis, view, weights) + gauge_cost(view, seen.focal, weights)
    return total


def assemble(problem: Problem, variables: FitVariables) -> Equations:
    """Gauss-Newton normal equation at these variables; its gradient is the exact one of ``energy``."""
    basis, weights = problem.basis, problem.weights
    local = LOCAL_COUNT + len(basis.expression)
    equations = Equations.zero(len(basis.identity), local, len(variables.views))
    add_identity(equations, basis, variables.identity, weights)
    for index, (view, seen) in enumerate(zip(variables.views, problem.seen, strict=True)):
        block = equations.blocks[index]
        add_landmarks(equations, problem, variables, index)
        add_expression(block, basis, view, weights)
        add_gauge(block, view, seen.focal, weights)
    return equations


def solve(
    problem: Problem, start: FitVariables, freedom: Freedom, steps: int, check: Callable[[], None]
) -> FitVariables:
    """Minimise the energy from a start; the cost never rises over an accepted step. ``check`` may raise to cancel."""
    current, cost, damping = start, energy(problem, start), _DAMPING_START
    for _ in range(steps):
        check()
        equations = assemble(problem, current)
        while True:
            candidate = _moved(
                problem, current, _bounded_step(problem, equations, current, freedom, damping)
            )
            lower = energy(problem, candidate)
            if lower <= cost or damping > _DAMPING_LIMIT:
                break
            damping *= 8
        if lower > cost:
            break
        settled = cost - lower < problem.schedule.tolerance * cost
        current, cost, damping = candidate, lower, max(damping / 4, 1e-7)
        if settled:
            break
    return current


def _moved(problem: Problem, variables: FitVariables, step: Step) -> FitVariables:
    basis = problem.basis
    bounds = basis.identity_bounds
    identity = np.clip(variables.identity + step.shared, bounds[:, 0], bounds[:, 1])
    views = tuple(
        view.moved(local, basis.expression_bounds)
        for view, local in zip(variables.views, step.views, strict=True)
    )
    return FitVariables(identity, views)


def _bounded_step(
    problem: Problem,
    equations: Equations,
    variables: FitVariables,
    freedom: Freedom,
    damping: float,
) -> Step:
    """Active set: variables at a bound whose step leads outwards are held, and the rest is solved again."""
    basis = problem.basis
    free = np.full(len(variables.identity), freedom.identity)
    free_views = tuple(_free_locals(basis, view, freedom) for view in variables.views)
    step = equations.solve(free, free_views, damping)
    for _ in range(_ACTIVE_SET_PASSES):
        held = _leaving(variables.identity, step.shared, basis.identity_bounds) & free
        held_views = tuple(
            _leaving(view.expression, local[EXPRESSION], basis.expression_bounds) & mask[EXPRESSION]
            for view, local, mask in zip(variables.views, step.views, free_views, strict=True)
        )
        if not held.any() and not any(part.any() for part in held_views):
            break
        free = free & ~held
        for mask, part in zip(free_views, held_views, strict=True):
            mask[EXPRESSION] &= ~part
        step = equations.solve(free, free_views, damping)
    return step


def _free_locals(basis: LandmarkBasis, view: View, freedom: Freedom) -> Bools:
    movable = basis.expression_bounds[:, 1] > basis.expression_bounds[:, 0]
    pose = np.array([True] * 6 + [freedom.focal])
    return np.concatenate([pose, movable & freedom.expression])


def _leaving(values: Doubles, step: Doubles, bounds: Doubles) -> Bools:
    at_low = (values <= bounds[:, 0]) & (step < 0)
    at_high = (values >= bounds[:, 1]) & (step > 0)
    return at_low | at_high
