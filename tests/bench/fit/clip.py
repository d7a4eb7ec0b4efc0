# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: frames per second and error frame by frame, then all frames together; linear time, size, jitter, memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

from server.fit.clip import fit_person, fit_together, follow_clip
from server.fit.problem import nobody_cancels
from server.fit.stages import Fitted
from server.memory import resident_bytes
from tests.bench.table import Figure, spread

from .cases import REPORTING, Studio
from .takes import Take, TakeMiss, draw_take, miss_of_take

Keep = Callable[[str, Figure], None]
SEED = REPORTING + 300
FRAMES = 48
STRIDE = 4
"""As the engine reads the maps of a clip's frames."""
LONG = ((200, 512, 4), (1000, 256, 2))
"""Frames, side of the maps and stride: as many pixels a frame in both."""
GOAL_FPS, GOAL_LOSS, GOAL_SCALE = 40.0, 5.0, 1.0


@dataclass(frozen=True, eq=False)
class Solve:
    """One way through one take."""

    seconds: float
    busy: float
    """Seconds by the processor's clock, which a busy machine does not disturb."""
    fitted: Fitted


@dataclass(frozen=True, eq=False)
class Both:
    """A take solved online, exactly, and together."""

    online: TakeMiss
    exact: TakeMiss
    joint: TakeMiss
    online_seconds: float
    online_busy: float
    person_seconds: float
    joint_seconds: float


def report_clips(studio: Studio, quick: bool, keep: Keep) -> None:
    """Solve short takes in every way, then long ones."""
    count, frames = (1, 24) if quick else (4, FRAMES)
    results = [_solve_take(studio, SEED + i, frames) for i in range(count)]
    title = f"clip, {frames} frames"
    paces = [frames / result.online_seconds for result in results]
    keep(
        f"{title}: online, frames per second",
        replace(spread(paces, "1/s"), goal=GOAL_FPS, at_least=True),
    )
    paces = [frames / result.online_busy for result in results]
    keep(f"{title}: online, frames per second of the processor's time", spread(paces, "1/s"))
    keep(f"{title}: key frames", spread([result.person_seconds for result in results], "s"))
    for name in ("online", "exact", "joint"):
        _report_misses(f"{title}, {name}", [getattr(result, name) for result in results], keep)
    losses = [100 * (r.online.error_mm / r.exact.error_mm - 1) for r in results]
    keep(f"{title}: online error over exact", replace(spread(losses, "%"), goal=GOAL_LOSS))
    drifts = [100 * abs(r.joint.scale / r.online.scale - 1) for r in results]
    keep(f"{title}: joint size against online", replace(spread(drifts, "%"), goal=GOAL_SCALE))
    gains = [100 * (r.joint.error_mm / r.online.error_mm - 1) for r in results]
    keep(f"{title}: joint error over online", spread(gains, "%"))
    shares = [1000 * result.joint_seconds / frames for result in results]
    keep(f"{title}: joint, one frame", spread(shares, "ms"))
    for long in LONG[:0] if quick else LONG:
        _report_long(studio, long, keep)


def _solve_take(studio: Studio, seed: int, frames: int) -> Both:
    coarse, fine = draw_take(studio, seed, frames, strides=(STRIDE, 1))
    fitter = studio.fitter
    began = time.perf_counter()
    person = fit_person(fitter, coarse.clip, nobody_cancels)
    person_seconds = time.perf_counter() - began
    online = _follow(studio, person, coarse)
    tight = replace(fitter.schedule, frame_tolerance=1e-7, steps=100, matrix_age=1)
    exact = _follow(replace(studio, fitter=replace(fitter, schedule=tight)), person, fine)
    joint = _together(studio, online.fitted, coarse)
    misses = [
        miss_of_take(studio, take, solve.fitted.variables)
        for take, solve in ((coarse, online), (fine, exact), (coarse, joint))
    ]
    return Both(*misses, online.seconds, online.busy, person_seconds, joint.seconds)


def _report_long(studio: Studio, long: tuple[int, int, int], keep: Keep) -> None:
    frames, size, stride = long
    (take,) = draw_take(studio, SEED + 50, frames, strides=(stride,), size=size)
    title = f"clip, {frames} frames"
    before = resident_bytes()
    with watched_memory() as peak:
        person = fit_person(studio.fitter, take.clip, nobody_cancels)
        online = _follow(studio, person, take)
        joint = _together(studio, online.fitted, take)
    keep(f"{title}: online, frames per second", Figure(value=frames / online.seconds, unit="1/s"))
    pace = Figure(value=frames / online.busy, unit="1/s")
    keep(f"{title}: online, frames per second of the processor's time", pace)
    keep(f"{title}: joint, one frame", Figure(value=1000 * joint.seconds / frames, unit="ms"))
    busy = Figure(value=1000 * joint.busy / frames, unit="ms")
    keep(f"{title}: joint, one frame, processor's time", busy)
    misses = [miss_of_take(studio, take, solve.fitted.variables) for solve in (online, joint)]
    for name, found in zip(("online", "joint"), misses, strict=True):
        _report_misses(f"{title}, {name}", [found], keep)
    drift = 100 * abs(misses[1].scale / misses[0].scale - 1)
    keep(
        f"{title}: joint size against online",
        Figure(value=drift, unit="%", goal=GOAL_SCALE),
    )
    keep(f"{title}: memory at most", Figure(value=peak.most / 2**20, unit="MiB"))
    keep(
        f"{title}: memory that the solve took",
        Figure(value=(peak.most - before) / 2**20, unit="MiB"),
    )


def _follow(studio: Studio, person: Fitted, take: Take) -> Solve:
    began, busy = time.perf_counter(), time.process_time()
    fitted = follow_clip(studio.fitter, person, take.clip, nobody_cancels, lambda share: None)
    return Solve(time.perf_counter() - began, time.process_time() - busy, fitted)


def _together(studio: Studio, followed: Fitted, take: Take) -> Solve:
    began, busy = time.perf_counter(), time.process_time()
    fitted = fit_together(studio.fitter, followed, take.clip, nobody_cancels)
    return Solve(time.perf_counter() - began, time.process_time() - busy, fitted)


UNITS = {
    "error_mm": ("error, whole face", "mm"),
    "scaled_mm": ("error, whole face, scale aligned", "mm"),
    "rotation_deg": ("rotation error", "degrees"),
    "scale": ("size over true", ""),
    "jitter_mm": ("jitter of position", "mm"),
    "jitter_deg": ("jitter of rotation", "degrees"),
    "jitter_expression": ("jitter of expression", "sigma"),
    "lag_expression": ("lag of expression", "frames"),
    "lag_rotation": ("lag of rotation", "frames"),
}


def _report_misses(title: str, found: Sequence[TakeMiss], keep: Keep) -> None:
    for field in fields(TakeMiss):
        if len(found) > 1 and field.name.startswith("lag"):
            continue  # two seconds are too short to tell a lag from noise
        name, unit = UNITS[field.name]
        values = [float(getattr(miss, field.name)) for miss in found]
        keep(f"{title}: {name}", spread(values, unit))


class Peak:
    """The most memory seen so far."""

    most = 0


@contextmanager
def watched_memory(every_s: float = 0.02) -> Generator[Peak]:
    """Look at the resident memory again and again until the end of the block."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(every_s):
            peak.most = max(peak.most, resident_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    peak.most = resident_bytes()
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
