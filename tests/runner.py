# SPDX-License-Identifier: GPL-3.0-or-later
"""How build.py runs children under a hard limit, counts tests, and shows progress. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
_BAR = 28
_LINE_EVERY_S = 5.0
_NO_TESTS = 5  # pytest's exit status when the selection is empty


@dataclass(frozen=True)
class TestTotals:
    """What came out of test runs, summed."""

    __test__ = False  # pytest: not a test, whatever the name says

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: TestTotals) -> TestTotals:
        return TestTotals(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(command: list[str], environment: dict[str, str], limit_s: float | None) -> int:
    """Run a child in the repository's folder; past the limit it is killed with its children, status 124."""
    windows = sys.platform == "win32"
    child = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=not windows)
    try:
        return child.wait(limit_s)
    except subprocess.TimeoutExpired:
        print(f"\nStopped after {limit_s:.0f} s: {' '.join(command)}", file=sys.stderr)
        return 124
    finally:
        _kill(child)


def run_pytest(
    python: Path, arguments: list[str], environment: dict[str, str], limit_s: float
) -> TestTotals:
    """Run pytest under a limit and count; a run that did not come to its end counts as one failure."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [str(python), "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        status = run(command, environment, limit_s)
        if status == _NO_TESTS:
            return TestTotals()
        totals = _count(report) if report.is_file() else TestTotals()
    if status != 0 and not totals.failed:
        return totals + TestTotals(failed=1)
    return totals


class ProgressLines:
    """Progress on the terminal: a bar that moves, or in a file a line now and then."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = time.monotonic()
        self._shown_s = 0.0
        self._stage = ""
        self._moves = sys.stdout.isatty()

    def __enter__(self) -> ProgressLines:
        return self

    def __call__(self, fraction: float, text: str) -> None:
        """Show a fraction 0..1 and what is going on."""
        now = time.monotonic()
        stage = text.split(" ")[0]
        waiting = now - self._shown_s < (0.1 if self._moves else _LINE_EVERY_S)
        if stage == self._stage and waiting:
            return
        self._stage, self._shown_s = stage, now
        done = round(_BAR * fraction)
        if self._moves:
            line = f"{self._title} [{'#' * done}{'-' * (_BAR - done)}] {text}"
            print(f"\r\x1b[K{line[:118]}", end="", flush=True)
        else:
            print(f"{self._title}: {fraction:4.0%} {text}", flush=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._stage:
            end = "ready" if kind is None else "stopped"
            start = "\r\x1b[K" if self._moves else ""
            print(
                f"{start}{self._title}: {end} after {time.monotonic() - self._started:.0f} s",
                flush=True,
            )


def _count(report: Path) -> TestTotals:
    """Read the numbers of a JUnit report; errors count as failures."""
    totals = TestTotals()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        tests, failures, errors, skipped = (
            int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
        )
        failed = failures + errors
        totals += TestTotals(tests - failed - skipped, failed, skipped)
    return totals


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a child and whatever it started; nothing if all of them are gone."""
    if sys.platform == "win32":
        if child.poll() is None:
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(child.pid)], check=False, capture_output=True
            )
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()
