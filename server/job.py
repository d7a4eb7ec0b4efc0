# SPDX-License-Identifier: GPL-3.0-or-later
"""Job: one request at work. It tells how far it is, how long each stage took, and stops when the user says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from pixel3dmm_blender.wire import Cancelled, Floats, Progress

Report = Callable[[Progress], None]


class Job:
    """Handed down through the pipeline; every loop that may last calls ``check``."""

    def __init__(
        self, report: Report | None = None, cancelled: threading.Event | None = None
    ) -> None:
        self._report = report
        self._cancelled = cancelled or threading.Event()
        self._stages: list[tuple[str, float]] = []

    def report(self, fraction: float, stage: str, count: str = "") -> None:
        """Say how far the whole request is (0..1) and what is done now ("Finding the face", "3 of 113").

        Raises Cancelled if the job is to stop.
        """
        self.check()
        if not self._stages or self._stages[-1][0] != stage:
            self._stages.append((stage, time.perf_counter()))
        if self._report is not None:
            self._report(Progress(fraction=float(fraction), stage=f"{stage} {count}".rstrip()))

    def check(self) -> None:
        """Raise Cancelled if the user has stopped the job."""
        if self._cancelled.is_set():
            raise Cancelled(
                "The reconstruction was cancelled.", "Nothing in the scene was changed."
            )

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages so far, in the user's words."""
        return tuple(name for name, _ in self._stages)

    @property
    def stage_s(self) -> Floats:
        """How long each stage took, in seconds; the last one until now."""
        ends = [start for _, start in self._stages[1:]] + [time.perf_counter()]
        return np.array(
            [end - start for (_, start), end in zip(self._stages, ends, strict=True)], np.float32
        )
