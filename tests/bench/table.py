# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of times: each thing is done several times, the median counts. Standard library only."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

RUNS = 7


def measure(title: str, goal_ms: float, work: Callable[[], object], runs: int = RUNS) -> None:
    """Do something once to warm up and then ``runs`` times; print median, extremes and the goal."""
    work()
    taken: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    median = statistics.median(taken)
    verdict = "reached" if median <= goal_ms else "MISSED"
    print(
        f"{title:<58} {median:8.1f} ms  ({min(taken):.1f} to {max(taken):.1f})"
        f"   goal {goal_ms:.0f}: {verdict}",
        flush=True,
    )
