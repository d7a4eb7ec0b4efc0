# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python on this machine can make environments."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..wire.faults import EngineNotInstalled
from .pip import ask_python

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 13)
_SUITABLE = "import ensurepip, ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"


def find_python(
    chosen: Path | None = None,
    oldest: tuple[int, int] = OLDEST_PYTHON,
    newest: tuple[int, int] = NEWEST_PYTHON,
) -> Path:
    """Find a Python that can make environments: the chosen one, or this one, or one of the search path.

    Raises EngineNotInstalled, which says why the chosen one, or else this one, does not do.
    """
    names = [f"python{major}.{minor}" for major, minor in ((3, 13), (3, 11), (3, 12))] + ["python3"]
    found = [Path(path) for name in names if (path := shutil.which(name))]
    candidates = [chosen] if chosen else [Path(sys.executable), *found] if sys.executable else found
    problems: list[str] = []
    for candidate in dict.fromkeys(candidates):
        problem = _unsuitable(candidate, oldest, newest)
        if not problem:
            return candidate
        problems.append(problem)
    wanted = " to ".join(f"{major}.{minor}" for major, minor in dict.fromkeys((oldest, newest)))
    raise EngineNotInstalled(
        problems[0] if problems else "No Python was found.",
        f"Install Python {wanted} with venv (Debian and Ubuntu: apt install python3-venv), or choose one.",
        "\n".join(problems),
    )


def _unsuitable(python: Path, oldest: tuple[int, int], newest: tuple[int, int]) -> str:
    """Say what is wrong with a Python, or nothing."""
    try:
        answer = ask_python(python, "-c", _SUITABLE, timeout_s=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{python} does not run: {error}."
    if answer.returncode != 0:
        missing = re.search(r"No module named '?(\w+)", answer.stderr)
        return f"{python} lacks {missing[1] if missing else 'what it takes to make environments'}."
    major, minor = (int(part) for part in answer.stdout.split("."))
    if not oldest <= (major, minor) <= newest:
        return f"{python} is Python {major}.{minor}, which does not fit."
    return ""
