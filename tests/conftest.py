# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers by folder, and a clean end for runs with bpy; nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import server  # noqa: F401  before numpy: it gives linear algebra one thread

HERE = Path(__file__).parent
_status = 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(item.path.relative_to(HERE).parts[0])


def pytest_sessionfinish(exitstatus: int | pytest.ExitCode) -> None:
    global _status  # the only road from this hook to the next one
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """End at once: with a class or timer registered, bpy 4.5 would hang in the interpreter's own exit."""
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status)
