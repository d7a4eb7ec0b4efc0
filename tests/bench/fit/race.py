# SPDX-License-Identifier: GPL-3.0-or-later
"""Solver against Adam on the identical energy, from the same start, in turn.

Races are timed by the processor's clock, which a busy machine does not disturb: everything runs on one thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from server.fit.solver import Solution
from server.fit.variables import FitVariables
from tests.bench.table import Figure, spread
from tests.truth.noise import HARD

from .adam import ORIGINAL_RATES, SETTINGS, Trace, run_adam
from .cases import REPORTING, Photo, Studio, draw_photo, photo_problem, solve_from

Keep = Callable[[str, Figure], None]
GOAL_RATIO = 40.0
THRESHOLDS = (0.05, 0.01, 0.001, 0.0001)
SAME_COST = 0.0001
"""To four digits the costs are the same: the goal counts there, the rest is told beside it."""
ADAM_STEPS = 4000


@dataclass(frozen=True, eq=False)
class Curve:
    """Cost over time: K points."""

    seconds: tuple[float, ...]
    costs: tuple[float, ...]

    def reaches(self, cost: float) -> float:
        """When a cost was reached; the last time where it never was."""
        return next(
            (t for t, c in zip(self.seconds, self.costs, strict=True) if c <= cost),
            self.seconds[-1],
        )


@dataclass(frozen=True, eq=False)
class Race:
    """One photo: the solver and Adam's three settings on the same energy."""

    seconds: float
    """Of the whole solve."""
    cost: float
    curve: Curve
    traces: tuple[Trace, ...]
    slow: Trace
    """Adam with the original's learning rates."""

    def adam_reaches(self, share: float) -> float | None:
        """When the fastest setting was within a share of the solver's cost; None: none ever was."""
        times = [trace.reaches(self.cost * (1.0 + share)) for trace in self.traces]
        return min((found for found in times if found is not None), default=None)

    def adam_iterations(self, share: float) -> int | None:
        """How many iterations that took, the least of the three."""
        counts = [trace.iterations_to(self.cost * (1.0 + share)) for trace in self.traces]
        return min((found for found in counts if found is not None), default=None)

    @property
    def patience(self) -> float:
        """How long the longest run was."""
        return max(float(trace.seconds[-1]) for trace in self.traces)


def report_adam(studio: Studio, quick: bool, keep: Keep) -> Race:
    """Race Adam on the identical objective, solver and rival in turn; return the first race for the plot."""
    races: list[Race] = []
    for i in range(1 if quick else 4):
        photo = draw_photo(studio, REPORTING + i, HARD)
        races.append(race(studio, photo, ADAM_STEPS))
    for share in THRESHOLDS:
        _report_threshold(races, share, keep)
    _report_slow(races, keep)
    finals = [100 * (min(t.costs.min() for t in r.traces) / r.cost - 1) for r in races]
    note = f"{ADAM_STEPS} iterations, best of {len(SETTINGS)} settings"
    keep("Adam, same objective: least cost over solver's", _noted(spread(finals, "%"), note))
    paces = [1000 * float(t.seconds[-1]) / len(t.costs) for r in races for t in r.traces]
    keep("Adam, same objective: one iteration", spread(paces, "ms"))
    return races[0]


def race(studio: Studio, photo: Photo, iterations: int) -> Race:
    """Solve, let Adam run, solve again."""
    start = studio.fitter.start(photo.seen)

    def once() -> tuple[float, Solution]:
        began = time.process_time()
        solution = solve_from(studio.fitter, photo.seen, start)
        return time.process_time() - began, solution

    once()
    before = [once() for _ in range(3)]
    cost = before[0][1].state.cost
    curve = solver_curve(studio, photo, before[0][1].steps)
    traces = tuple(run_adam(studio, photo, start, r, iterations, enough=cost) for r in SETTINGS)
    slow = run_adam(studio, photo, start, ORIGINAL_RATES, iterations, enough=cost)
    after = [once() for _ in range(3)]
    seconds = statistics.median([taken for taken, _ in (*before, *after)])
    return Race(seconds, cost, curve, traces, slow)


def solver_curve(studio: Studio, photo: Photo, steps: int) -> Curve:
    """Cost at the true width of the kernels over time: runs that are stopped after ever more steps."""
    start = studio.fitter.start(photo.seen)
    variables = FitVariables(np.zeros(studio.head.columns.identity_count), (start,))
    problem = photo_problem(studio.fitter, photo.seen)
    began = time.process_time()
    costs = [problem.evaluate(variables, 1.0).cost]
    seconds = [time.process_time() - began]
    for count in range(1, steps + 1):
        schedule = replace(studio.fitter.schedule, steps=count)
        fitter = replace(studio.fitter, schedule=schedule)
        taken: list[float] = []
        for _ in range(3):
            began = time.process_time()
            solution = solve_from(fitter, photo.seen, start)
            taken.append(time.process_time() - began)
        seconds.append(max(min(taken), seconds[-1]))
        costs.append(solution.state.cost)
    return Curve(tuple(seconds), tuple(costs))


def _report_threshold(races: Sequence[Race], share: float, keep: Keep) -> None:
    found = [run.adam_reaches(share) for run in races]
    times = [run.patience if t is None else t for run, t in zip(races, found, strict=True)]
    censored = sum(t is None for t in found)
    above = censored * 2 > len(races)
    note = f"{censored} of {len(races)} never in {ADAM_STEPS} iterations" if censored else ""
    title = f"Adam, same objective, within {100 * share:g} %"

    def say(name: str, values: Sequence[float], unit: str) -> None:
        figure = replace(spread(values, unit), above=above)
        if name == "times the solver's whole time" and share == SAME_COST:
            figure = replace(figure, goal=GOAL_RATIO, at_least=True)
        keep(f"{title}: {name}", _noted(figure, note))

    counts = [run.adam_iterations(share) for run in races]
    say("iterations", [ADAM_STEPS if c is None else c for c in counts], "")
    say("time", times, "s")
    say(
        "times the solver's whole time",
        [t / run.seconds for t, run in zip(times, races, strict=True)],
        "x",
    )
    say(
        "times the solver's time to the same cost",
        [
            t / run.curve.reaches(run.cost * (1 + share))
            for t, run in zip(times, races, strict=True)
        ],
        "x",
    )


def _report_slow(races: Sequence[Race], keep: Keep) -> None:
    """How long Adam takes with the original's learning rates."""
    found = [run.slow.reaches(run.cost * 1.01) for run in races]
    times = [
        float(run.slow.seconds[-1]) if t is None else t for run, t in zip(races, found, strict=True)
    ]
    ratios = [t / run.seconds for t, run in zip(times, races, strict=True)]
    above = sum(t is None for t in found) * 2 > len(races)
    title = "Adam, same objective, the original's learning rates, within 1 %"
    keep(f"{title}: times the solver's whole time", replace(spread(ratios, "x"), above=above))


def _noted(figure: Figure, note: str) -> Figure:
    return replace(figure, note=note)
