# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures in the user's words: in an operator's report, in a pop-up, and whole for diagnostics."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Iterator

import bpy

from .. import __package__ as base_package
from ..wire import PROTOCOL, Cancelled, Pixel3dmmError
from . import engine, paths
from .preferences import read_settings

_LOG_CHARACTERS = 8000


def show(operator: bpy.types.Operator, error: Pixel3dmmError) -> None:
    """Report a failure through the operator that met it."""
    operator.report({"INFO" if isinstance(error, Cancelled) else "ERROR"}, str(error))


def pop_up(error: Pixel3dmmError) -> None:
    """Tell of a failure that no operator is there to report; only where no open panel tells it."""
    windows = bpy.context.window_manager.windows
    if bpy.app.background or not windows or isinstance(error, Cancelled):
        return
    if any(_shows_panel(window) for window in windows):
        return

    def draw(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
        for line in wrap(str(error), 60):
            menu.layout.label(text=line)

    with bpy.context.temp_override(window=windows[0]):
        bpy.context.window_manager.popup_menu(draw, title="Pixel3DMM", icon="ERROR")


def wrap(text: str, width: int) -> list[str]:
    """Break a text into lines, for labels do not."""
    return [
        line for part in text.splitlines() for line in textwrap.wrap(part, max(width, 20)) or [""]
    ]


def diagnose(error: Pixel3dmmError | None) -> str:
    """Write down what helps to find a mistake: versions, places, the last failure, the log."""
    return "\n".join(_diagnosis(error))


def _shows_panel(window: bpy.types.Window) -> bool:
    return any(
        region.type == "UI" and region.width > 1 and region.active_panel_category == "Pixel3DMM"
        for area in window.screen.areas
        if area.type == "VIEW_3D"
        for region in area.regions
    )


def _diagnosis(error: Pixel3dmmError | None) -> Iterator[str]:
    settings = read_settings()
    ready = engine.ready()
    yield f"Pixel3DMM ({base_package}), protocol {PROTOCOL}"
    yield f"Blender {bpy.app.version_string}, Python {platform.python_version()}"
    yield platform.platform()
    yield f"engine Python: {paths.python(settings)}"
    yield f"models: {paths.models(settings)}"
    yield f"missing: {engine.what_is_missing() or 'nothing'}"
    if ready is None:
        yield "engine: not running" if not engine.is_running() else "engine: starting"
    else:
        yield f"engine: {ready.version} on {ready.device}, {ready.memory_bytes >> 20} MiB"
        yield f"heads: {', '.join(ready.heads)}"
    if error is not None:
        yield f"last failure: {error.code.value}: {error}"
        yield error.detail
    yield "engine log:"
    yield _tail_of_log()


def _tail_of_log() -> str:
    try:
        return paths.log().read_bytes()[-_LOG_CHARACTERS:].decode("utf-8", "replace")
    except OSError:
        return "(empty)"
