# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python as a child: pip with its progress read line by line, a cancel that is heard, failures in words.

Everything pip says goes into a log file beside the environment; the progress shows the line that matters.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..wire.faults import Cancelled, DiskFull, DownloadFailed, EngineNotInstalled, Pixel3dmmError
from .launch import clean_environment

Progress = Callable[[float, str], None]
CancelFlag = Callable[[], bool]

_WINDOWLESS = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
_POLL_S = 0.1
_TAIL_LINES = 40
_COLLECTED = re.compile(r"^(?:Collecting|Requirement already satisfied:) (?P<name>[A-Za-z0-9._-]+)")
_LOCAL = re.compile(r"^Processing .*?(?P<name>[A-Za-z0-9_.]+)-\d[^/\\]*\.whl")
_BYTES = re.compile(r"^Progress (?P<here>\d+) of (?P<total>\d+)")  # pip's --progress-bar=raw
_NOT_OFFERED = re.compile(r"ERROR: No matching distribution found for (\S+)")
_LIBRARY = re.compile(r"ImportError: (lib\S+): cannot open shared object file")
# what bpy needs of a bare Debian (measured)
_APT_NAMES = "libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1 libegl1"
_FULL = ("No space left on device", "Errno 28", "WinError 112", "Disk quota exceeded")
_WRONG_FILE = ("DO NOT MATCH THE HASHES", "Hashes are required", "--require-hashes mode")
_NO_NETWORK = (
    "Connection", "Max retries", "name resolution", "ReadTimeout", "IncompleteRead", "Read timed out",
    "SSLError", "ProxyError", "HTTP error", "ProtocolError",
)  # fmt: skip


@dataclass
class PipLines:
    """Turns pip's lines into a fraction and a sentence; ``expected`` is the number of packages asked for."""

    progress: Progress
    expected: int
    collected: int = 0
    package: str = ""

    def read(self, line: str) -> None:
        """Look at one line of pip."""
        if found := _COLLECTED.match(line) or _LOCAL.match(line):
            self.collected += 1
            self.package = found["name"]
            self._report(0.0, f"Fetching {self.package}")
        elif (found := _BYTES.match(line)) and int(found["total"]) > 1 << 20:
            here, total = int(found["here"]), int(found["total"])
            self._report(here / total, f"Fetching {self.package}: {here >> 20} of {total >> 20} MB")
        elif line.startswith("Installing collected packages"):
            self.progress(0.9, "Installing (the longest step without news)")

    def _report(self, part: float, text: str) -> None:
        packages = max(self.collected - 1 + part, 0.0) / max(self.expected, self.collected, 1)
        self.progress(0.9 * packages, text)


def ask_python(
    python: Path, *arguments: str, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run a Python for a short answer; OSError or TimeoutExpired if it does not run."""
    return subprocess.run(
        [str(python), "-I", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=timeout_s,
        check=False,
        env=clean_environment(os.environ),
        creationflags=_WINDOWLESS,
    )


def site_packages(environment: Path) -> Path | None:
    """Return the folder of an environment's packages; None if there is none."""
    found = [
        *environment.glob("lib/python3*/site-packages"),
        *environment.glob("Lib/site-packages"),
    ]
    return found[0] if found else None


def run_logged(
    arguments: list[str], log: Path, read_line: Callable[[str], None], cancelled: CancelFlag
) -> None:
    """Run a child to its end, each line into ``log`` and ``read_line``.

    Raises Cancelled (the child and its children are dead then), or what its last words mean.
    """
    tail: list[str] = []
    with log.open("a", encoding="utf-8", errors="replace") as log_file:
        log_file.write(f"\n$ {' '.join(arguments)}\n")
        child = _start(arguments)
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True).start()
        try:
            while (line := _next_line(lines, cancelled)) is not None:
                if not line.startswith("Progress "):
                    log_file.write(line)
                    tail = [*tail[-_TAIL_LINES:], line]
                read_line(line.strip())
            status = child.wait()
        finally:
            if child.poll() is None:
                _kill(child)
    if status != 0:
        raise _meaning("".join(tail), log)


def _start(arguments: list[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=clean_environment(os.environ)
            | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"},
            start_new_session=sys.platform != "win32",
            creationflags=_WINDOWLESS,
        )
    except OSError as error:
        raise EngineNotInstalled(
            f"{arguments[0]} could not be started: {error.strerror}.",
            "Choose another Python and try again.",
        ) from error


def _pump(stream: IO[str] | None, lines: queue.SimpleQueue[str | None]) -> None:
    """Move lines from the pipe to the queue; None is the end."""
    if stream is not None:
        with stream:
            for line in stream:
                lines.put(line)
    lines.put(None)


def _next_line(lines: queue.SimpleQueue[str | None], cancelled: CancelFlag) -> str | None:
    """Wait for a line, looking at the cancel flag all the while."""
    while True:
        if cancelled():
            raise Cancelled("The installation was stopped.", "Start it again when you like.")
        with contextlib.suppress(queue.Empty):
            return lines.get(timeout=_POLL_S)


def _kill(child: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        child.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _meaning(words: str, log: Path) -> Pixel3dmmError:
    """Turn the last words of pip or Python into an error for the user."""
    if any(mark in words for mark in _FULL):
        return DiskFull(
            f"The disk of {log.parent} is full.", "Make room on it and try again.", words
        )
    if any(mark in words for mark in _WRONG_FILE):
        return DownloadFailed(
            "A package is not the one that the lock file names: its checksum is wrong or missing.",
            "Try again; if it happens again, the mirror in between changes files.",
            words,
        )
    if any(mark in words for mark in _NO_NETWORK):
        return DownloadFailed(
            "The packages could not be downloaded.",
            f"Check the network (proxy, firewall, pip's settings) and try again. All that pip said: {log}",
            words,
        )
    if package := _NOT_OFFERED.search(words):
        return EngineNotInstalled(
            f"The package index has no {package[1]} for this Python and system, or cannot be reached.",
            f"Check the network and pip's settings, or try another Python. All that pip said: {log}",
            words,
        )
    if library := _LIBRARY.search(words):
        return EngineNotInstalled(
            f"A library of the system is missing: {library[1]}.",
            f"On Debian and Ubuntu: apt install {_APT_NAMES}",
            words,
        )
    return EngineNotInstalled(
        "The environment could not be made.", f"All that pip said: {log}", words
    )
