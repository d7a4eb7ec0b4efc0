# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminal: what the user reads, apart from what Blender, its exporters and its drivers say."""

from __future__ import annotations

import os
import sys
from pathlib import Path


class Terminal:
    """Takes the terminal for itself; everything else that is printed goes to a log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        self._user = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)

    def say(self, text: str = "") -> None:
        """Print a line for the user."""
        self._user.write(f"{text}\n")
        self._user.flush()
