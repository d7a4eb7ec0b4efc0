# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the main thread is away: a timer of a few milliseconds that notes when it was called.

On a busy machine a thread waits for a core, which is nobody's fault here: Linux counts that wait, and it is taken off.
What is left is drawing, waiting, and the extension's own step, whose time is taken as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import bpy

_EVERY_S = 0.005
_CLICK_S = 0.4
"""How long Blender still draws what a click has changed: the button, the status bar, the panel."""
_SCHEDULER = Path("/proc/thread-self/schedstat")


@dataclass(frozen=True)
class Moment:
    """One call of the timer. Clock, wait for a core and time inside the extension's step in s; the job, if any."""

    clock: float
    starved: float
    own: float
    stage: str
    fraction: float


@dataclass(frozen=True)
class Gap:
    """The time between two calls: all, that of the extension's step, the wait for a core; ms. The stages around it."""

    wall_ms: float
    own_ms: float
    starved_ms: float
    before: str
    after: str
    is_drawing: bool
    """Whether the panel changed in it, so that Blender drew the window anew."""

    @property
    def away_ms(self) -> float:
        """What a user on a machine with a free core would have waited."""
        return self.wall_ms - self.starved_ms

    def __str__(self) -> str:
        after = self.after or "the job's end"
        where = self.before if self.before == self.after else f"{self.before} -> {after}"
        parts = f"{self.own_ms:.0f} ms our step, {self.starved_ms:.0f} ms waiting for a core"
        return f"{self.wall_ms:.0f} ms ({parts}; {where or 'no job'})"


class Watch:
    """Notes from ``start`` to ``stop``. ``jobs`` is the extension's module with the timer."""

    def __init__(self, running: Callable[[], object]) -> None:
        self._running = running
        self._timer = self._note  # a bound method is another object each time it is asked for
        self._own = 0.0
        self.moments: list[Moment] = []

    def time_steps_of(self, jobs: ModuleType) -> None:
        """Put a stop-watch around the extension's step; from the next job on it is this that the timer calls."""
        pump = jobs.pump

        def timed() -> float | None:
            begun = time.perf_counter()
            try:
                return pump()
            finally:
                self._own += time.perf_counter() - begun

        jobs.pump = timed

    def start(self) -> None:
        self.moments = []
        bpy.app.timers.register(self._timer)

    def stop(self) -> None:
        bpy.app.timers.unregister(self._timer)

    def gaps(self) -> list[Gap]:
        clicked = next((moment.clock for moment in self.moments if moment.stage), 0.0)
        return [
            Gap(
                1e3 * (after.clock - before.clock),
                1e3 * (after.own - before.own),
                1e3 * (after.starved - before.starved),
                before.stage,
                after.stage,
                (before.stage, before.fraction) != (after.stage, after.fraction)
                or before.clock < clicked + _CLICK_S,
            )
            for before, after in pairwise(self.moments)
        ]

    def in_job(self) -> list[Gap]:
        """Gaps while the job ran, up to the building of the rig."""
        return [gap for gap in self.gaps() if gap.before and gap.after]

    def building(self) -> Gap | None:
        """The gap in which the job ended: the rig was built and first drawn in it."""
        return next((gap for gap in self.gaps() if gap.before and not gap.after), None)

    def idle(self) -> Gap | None:
        """The longest gap without a job: what this machine and its drawing cost anyway."""
        quiet = [gap for gap in self.gaps() if not gap.before and not gap.after]
        return max(quiet, key=lambda gap: gap.away_ms, default=None)

    def job_s(self) -> float:
        """How long the job took, from the click to the head."""
        clocks = [moment.clock for moment in self.moments if moment.stage]
        if not clocks:
            return 0.0
        ended = (moment.clock for moment in self.moments if moment.clock > clocks[-1])
        return next(ended, clocks[-1]) - clocks[0]

    def stages(self) -> list[tuple[str, float]]:
        """The stages in order, each with the highest fraction that was seen in it."""
        seen: dict[str, float] = {}
        for moment in self.moments:
            if moment.stage:
                seen[moment.stage] = max(seen.get(moment.stage, 0.0), moment.fraction)
        return list(seen.items())

    def only_rises(self) -> bool:
        fractions = [moment.fraction for moment in self.moments if moment.stage]
        return all(a <= b for a, b in pairwise(fractions))

    def _note(self) -> float:
        job = self._running()
        stage, fraction = (job.stage, job.fraction) if job is not None else ("", 0.0)
        self.moments.append(Moment(time.perf_counter(), _starved_s(), self._own, stage, fraction))
        return _EVERY_S


def _starved_s() -> float:
    """How long this thread has been ready to run without a core so far, s; 0 where nobody counts it."""
    try:
        return 1e-9 * float(_SCHEDULER.read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
