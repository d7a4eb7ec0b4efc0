# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo: time, steps, cost and error of the solver, beside Adam, the original's way and SciPy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from server.fit.pixels import make_pixels
from server.fit.problem import nobody_cancels
from server.fit.solver import Solution
from server.fit.stages import Fitted
from tests.bench.table import Figure, spread
from tests.truth.noise import HARD, NETWORK

from .adam import ORIGINAL_RATES, SETTINGS, Trace, run_adam
from .cases import REPORTING, Photo, Studio, draw_photo, make_studio, solve_from
from .generic import precise, run_scipy
from .misses import Miss, miss
from .original import run_original

Keep = Callable[[str, Figure], None]
GOAL_MS, GOAL_RATIO = 200.0, 40.0
THRESHOLDS = (0.05, 0.01, 0.001)
ADAM_STEPS = 3000
ORIGINAL_STEPS = (200, 800)
SMALL = (40, 20)
"""Identity and expression components of the head that SciPy can still fit."""
SMALL_STRIDE = 8


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


def report_photos(studio: Studio, quick: bool, keep: Keep) -> None:
    """Solve photos of a good network and of a bad day."""
    for name, degradation in (("network noise", NETWORK), ("blobs, salt, 30 % hidden", HARD)):
        photos = [draw_photo(studio, REPORTING + i, degradation) for i in range(4 if quick else 16)]
        times, answers = timed(studio, photos, 2 if quick else 3)
        title = f"photo, {name}"
        keep(f"{title}: time with pixel look-up", replace(spread(times, "ms"), goal=GOAL_MS))
        solutions = [answer.solution for answer in answers if answer.solution]
        keep(f"{title}: steps", spread([s.steps for s in solutions], ""))
        keep(f"{title}: matrices", spread([s.matrices for s in solutions], ""))
        keep(f"{title}: cost", spread([s.state.cost for s in solutions], ""))
        pixels = [photo.seen.pixels.count for photo in photos if photo.seen.pixels]
        keep(f"{title}: pixels", spread(pixels, ""))
        found = [
            miss(studio.head, photo, answer.variables)
            for photo, answer in zip(photos, answers, strict=True)
        ]
        _report_misses(title, found, keep)
    keep("photo: free parameters", Figure(value=studio.free_count, unit=""))


def timed(studio: Studio, photos: Sequence[Photo], runs: int) -> tuple[list[float], list[Fitted]]:
    """Milliseconds of every photo, the median of some runs, and what was found."""
    times: list[float] = []
    answers: list[Fitted] = []
    look_up_and_fit(studio, photos[0])  # warm up
    for photo in photos:
        taken: list[float] = []
        for _ in range(runs):
            start = time.perf_counter()
            answer = look_up_and_fit(studio, photo)
            taken.append(1000 * (time.perf_counter() - start))
        times.append(statistics.median(taken))
        answers.append(answer)
    return times, answers


def look_up_and_fit(studio: Studio, photo: Photo) -> Fitted:
    """What the engine does with a photo's maps."""
    head = studio.head
    assert head.uv_table is not None and head.surface is not None, "the studio's head is dense"
    pixels = make_pixels(photo.maps, head.uv_table, head.surface, stride=2)
    return studio.fitter.fit_photos((replace(photo.seen, pixels=pixels),), nobody_cancels)


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
        began = time.perf_counter()
        solution = solve_from(studio.fitter, photo.seen, start)
        return time.perf_counter() - began, solution

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
    seconds: list[float] = []
    costs: list[float] = []
    for count in range(1, steps + 1):
        schedule = replace(studio.fitter.schedule, steps=count)
        fitter = replace(studio.fitter, schedule=schedule)
        taken: list[float] = []
        for _ in range(3):
            began = time.perf_counter()
            solution = solve_from(fitter, photo.seen, start)
            taken.append(time.perf_counter() - began)
        seconds.append(statistics.median(taken))
        costs.append(solution.state.cost)
    return Curve(tuple(seconds), tuple(costs))


def report_original(studio: Studio, quick: bool, keep: Keep) -> None:
    """Race Adam on the original's energy and schedule."""
    photos = [draw_photo(studio, REPORTING + i, NETWORK) for i in range(1 if quick else 4)]
    for steps in ORIGINAL_STEPS[:1] if quick else ORIGINAL_STEPS:
        outcomes = [run_original(studio, photo, steps) for photo in photos]
        title = f"Adam, the original's way, 500 + {steps} iterations"
        keep(f"{title}: time", spread([outcome.seconds for outcome in outcomes], "s"))
        found = [
            miss(studio.head, photo, outcome.variables)
            for photo, outcome in zip(photos, outcomes, strict=True)
        ]
        _report_misses(title, found, keep)


def report_scipy(models: Path, quick: bool, keep: Keep) -> None:
    """Race SciPy on a small head and few pixels, where it can run at all."""
    small = make_studio(models, *SMALL)
    doubled = precise(small)
    seconds: list[float] = []
    ratios: list[float] = []
    costs: list[float] = []
    for i in range(1 if quick else 4):
        photo = draw_photo(small, REPORTING + i, HARD, stride=SMALL_STRIDE)
        run = race(small, photo, 1)
        other = run_scipy(doubled, draw_photo(doubled, REPORTING + i, HARD, stride=SMALL_STRIDE))
        seconds.append(other.seconds)
        ratios.append(other.seconds / run.seconds)
        costs.append(100 * (other.cost / run.cost - 1))
        keep("SciPy, small head: parameters", Figure(value=other.parameters, unit=""))
    keep("SciPy, small head: time", spread(seconds, "s"))
    keep("SciPy, small head: times the solver's time", spread(ratios, "x"))
    keep("SciPy, small head: cost over solver's", spread(costs, "%"))


def _report_threshold(races: Sequence[Race], share: float, keep: Keep) -> None:
    found = [run.adam_reaches(share) for run in races]
    times = [run.patience if t is None else t for run, t in zip(races, found, strict=True)]
    censored = sum(t is None for t in found)
    above = censored * 2 > len(races)
    note = f"{censored} of {len(races)} never in {ADAM_STEPS} iterations" if censored else ""
    title = f"Adam, same objective, within {100 * share:g} %"

    def say(name: str, values: Sequence[float], unit: str) -> None:
        figure = replace(spread(values, unit), above=above)
        if name == "times the solver's whole time":
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


def _report_misses(title: str, found: Sequence[Miss], keep: Keep) -> None:
    keep(f"{title}: error, whole face", spread([m.whole_mm for m in found], "mm"))
    keep(f"{title}: error, visible part", spread([m.visible_mm for m in found], "mm"))
    scaled = spread([m.whole_scaled_mm for m in found], "mm")
    keep(f"{title}: error, whole face, scale aligned", scaled)
    scaled = spread([m.visible_scaled_mm for m in found], "mm")
    keep(f"{title}: error, visible part, scale aligned", scaled)
    keep(f"{title}: rotation error", spread([m.rotation_deg for m in found], "degrees"))


def _noted(figure: Figure, note: str) -> Figure:
    return replace(figure, note=note)
