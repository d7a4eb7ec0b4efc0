# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo: time, steps, cost and error of the solver; and how the original's way and SciPy do on the same photos."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from server.fit.pixels import make_pixels
from server.fit.problem import nobody_cancels
from server.fit.stages import Fitted
from tests.bench.table import Figure, spread
from tests.truth.noise import HARD, NETWORK

from .cases import REPORTING, STRIDE, Photo, Studio, draw_photo, make_studio
from .generic import precise, run_scipy
from .misses import Miss, miss
from .original import run_original
from .race import race

Keep = Callable[[str, Figure], None]
GOAL_MS = 200.0
ORIGINAL_STEPS = (200, 800)
SMALL = (40, 20)
"""Identity and expression components of the head that SciPy can still fit."""
SMALL_STRIDE = 8


def report_photos(studio: Studio, quick: bool, keep: Keep) -> None:
    """Solve photos of a good network and of a bad day."""
    for name, degradation in (("network noise", NETWORK), ("blobs, salt, 30 % hidden", HARD)):
        photos = [draw_photo(studio, REPORTING + i, degradation) for i in range(4 if quick else 16)]
        times, answers = timed(studio, photos, 2 if quick else 3, time.perf_counter)
        title = f"photo, {name}"
        keep(f"{title}: time with pixel look-up", replace(spread(times, "ms"), goal=GOAL_MS))
        times, _ = timed(studio, photos, 1 if quick else 3, time.process_time)
        keep(f"{title}: processor time", spread(times, "ms"))
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


def timed(
    studio: Studio, photos: Sequence[Photo], runs: int, clock: Callable[[], float]
) -> tuple[list[float], list[Fitted]]:
    """Milliseconds of every photo, the median of some runs, and what was found."""
    times: list[float] = []
    answers: list[Fitted] = []
    look_up_and_fit(studio, photos[0])  # warm up
    for photo in photos:
        taken: list[float] = []
        for _ in range(runs):
            start = clock()
            answer = look_up_and_fit(studio, photo)
            taken.append(1000 * (clock() - start))
        times.append(statistics.median(taken))
        answers.append(answer)
    return times, answers


def look_up_and_fit(studio: Studio, photo: Photo) -> Fitted:
    """What the engine does with a photo's maps."""
    head = studio.head
    assert head.uv_table is not None and head.surface is not None, "the studio's head is dense"
    pixels = make_pixels(photo.maps, head.uv_table, head.surface, stride=STRIDE)
    return studio.fitter.fit_photos((replace(photo.seen, pixels=pixels),), nobody_cancels)


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


def _report_misses(title: str, found: Sequence[Miss], keep: Keep) -> None:
    keep(f"{title}: error, whole face", spread([m.whole_mm for m in found], "mm"))
    keep(f"{title}: error, visible part", spread([m.visible_mm for m in found], "mm"))
    scaled = spread([m.whole_scaled_mm for m in found], "mm")
    keep(f"{title}: error, whole face, scale aligned", scaled)
    scaled = spread([m.visible_scaled_mm for m in found], "mm")
    keep(f"{title}: error, visible part, scale aligned", scaled)
    keep(f"{title}: rotation error", spread([m.rotation_deg for m in found], "degrees"))
