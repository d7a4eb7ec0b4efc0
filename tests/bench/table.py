# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the benchmarks: printed as a table, kept as out/bench/NAME.json. Standard library only.

The file is flat: {"name of the figure": {"value": 128.7, "unit": "ms", ...}}; beside value and unit there may be
"least" and "most" (extremes), "cases" (how many the median is of), "goal", "reached" and "note".
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNS = 7
FOLDER = Path(__file__).resolve().parents[2] / "out" / "bench"
STAGES = FOLDER / "stages.json"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number and what is to be said of it."""

    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    cases: int = 1
    goal: float | None = None
    at_least: bool = False
    """Whether the goal is to be exceeded; otherwise it is to be kept below."""
    above: bool = False
    """Whether all that is known is that the number is larger than this."""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def line(self, title: str) -> str:
        """Write the figure as a line of the table."""
        text = f"{title:<66} {'>' if self.above else ' '}{_short(self.value):>8} {self.unit:<9}"
        if self.least is not None and self.most is not None:
            text += f" ({_short(self.least)} to {_short(self.most)})"
        if self.goal is not None:
            sign = ">=" if self.at_least else "<="
            verdict = "reached" if self.reached else "MISSED"
            text += f"   goal {sign} {_short(self.goal)}: {verdict}"
        return text.rstrip() + (f"   {self.note}" if self.note else "")

    def record(self) -> dict[str, object]:
        """Turn into what stands in the file."""
        record: dict[str, object] = {"value": round(self.value, 6), "unit": self.unit}
        if self.least is not None and self.most is not None:
            record |= {"least": round(self.least, 6), "most": round(self.most, 6)}
        if self.goal is not None:
            record |= {"goal": self.goal, "reached": self.reached}
        record |= {"cases": self.cases} if self.cases > 1 else {}
        record |= {"only_known_to_be_larger": True} if self.above else {}
        return record | ({"note": self.note} if self.note else {})


def keep(path: Path, title: str, figure: Figure) -> None:
    """Print a figure and write it into its file at once: a run that is cut short has said what it knew."""
    print(figure.line(title), flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    records = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    records[title] = figure.record()
    path.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def spread(values: Sequence[float], unit: str) -> Figure:
    """Take median and extremes of several cases."""
    return Figure(
        value=statistics.median(values),
        unit=unit,
        least=min(values),
        most=max(values),
        cases=len(values),
    )


def measure(title: str, goal_ms: float, work: Callable[[], object], runs: int = RUNS) -> None:
    """Do something once to warm up and then ``runs`` times; print and keep median, extremes and the goal."""
    work()
    taken: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    times = spread(taken, "ms")
    kept = Figure(
        value=times.value,
        unit="ms",
        least=times.least,
        most=times.most,
        cases=runs,
        goal=goal_ms,
    )
    keep(STAGES, title, kept)


def _short(value: float) -> str:
    """Three or four digits that matter."""
    if value != value or abs(value) >= 1000 or value == int(value):
        return f"{value:.0f}"
    digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4
    return f"{value:.{digits}f}" if abs(value) >= 1e-3 else f"{value:.1e}"
