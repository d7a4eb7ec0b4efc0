# SPDX-License-Identifier: GPL-3.0-or-later
"""The same photos in another precision or on another device: how far cost and parameters are apart, and the time.

Compared are solves to the bottom (tolerance 1e-9, a new matrix in every step) from the same start, so that what differs
is arithmetic and not where the product's stop rule happened to stop; the time is that of the product's schedule.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from pixel3dmm_blender.wire import Doubles
from server.fit.head import make_fit_head
from server.fit.problem import nobody_cancels
from server.fit.solver import Solution
from server.fit.stages import Fitter
from server.fit.variables import FitVariables
from tests.bench.table import Figure, spread
from tests.truth.noise import HARD

from .cases import REPORTING, Photo, Studio, draw_photo, solve_from

Keep = Callable[[str, Figure], None]
SEED = REPORTING + 400
GOAL = 1e-4


@dataclass(frozen=True)
class Place:
    """Where and how precisely sums are done."""

    name: str
    device: torch.device
    dtype: torch.dtype


def report_backends(studio: Studio, quick: bool, keep: Keep) -> None:
    """Compare with float32 on the CPU."""
    photos = [draw_photo(studio, SEED + i, HARD) for i in range(2 if quick else 6)]
    cpu = [to_the_bottom(studio.fitter, photo) for photo in photos]
    times = [pace(studio.fitter, photo) for photo in photos]
    keep("backend CPU float32: time", spread(times, "ms"))
    for place in places():
        there = moved(studio, place)
        others = [draw_photo(there, photo.seed, HARD) for photo in photos]
        found = [to_the_bottom(there.fitter, photo) for photo in others]
        title = f"backend {place.name}"
        keep(f"{title}: time", spread([pace(there.fitter, photo) for photo in others], "ms"))
        pairs = list(zip(cpu, found, strict=True))
        costs = [abs(b.state.cost / a.state.cost - 1) for a, b in pairs]
        keep(f"{title}: cost against CPU float32", replace(spread(costs, ""), goal=GOAL))
        shifts = [apart(a.variables, b.variables) for a, b in pairs]
        keep(f"{title}: parameters against CPU float32", replace(spread(shifts, ""), goal=GOAL))
    for name, here in (("CUDA", torch.cuda.is_available()), ("MPS", _has_mps())):
        if not here:
            print(f"backend {name}: not measured, this machine has none", flush=True)


def places() -> tuple[Place, ...]:
    """What this machine has beside float32 on the CPU."""
    found = [Place("CPU float64", torch.device("cpu"), torch.float64)]
    if torch.cuda.is_available():
        found.append(Place("CUDA float32", torch.device("cuda"), torch.float32))
    if _has_mps():
        found.append(Place("MPS float32", torch.device("mps"), torch.float32))
    return tuple(found)


def moved(studio: Studio, place: Place) -> Studio:
    """The same head elsewhere."""
    head = make_fit_head(studio.model, dense=True, device=place.device, dtype=place.dtype)
    return Studio(studio.model, replace(studio.fitter, head=head))


def to_the_bottom(fitter: Fitter, photo: Photo) -> Solution:
    """Solve until nothing moves."""
    schedule = replace(fitter.schedule, tolerance=1e-9, steps=100, matrix_age=1)
    tight = replace(fitter, schedule=schedule)
    return solve_from(tight, photo.seen, tight.start(photo.seen))


def pace(fitter: Fitter, photo: Photo) -> float:
    """Milliseconds of a solve with the product's schedule, the median of five after a warm-up."""
    fitter.fit_photos((photo.seen,), nobody_cancels)
    taken: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        fitter.fit_photos((photo.seen,), nobody_cancels)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def apart(first: FitVariables, second: FitVariables) -> float:
    """|a - b| / |a| over identity, expression and joints, all in units of about a sigma."""
    a, b = _row(first), _row(second)
    return float(np.linalg.norm(a - b) / np.linalg.norm(a))


def _row(variables: FitVariables) -> Doubles:
    (view,) = variables.views
    return np.concatenate([variables.identity, view.expression, view.joint_rotation.ravel() / 0.35])


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
