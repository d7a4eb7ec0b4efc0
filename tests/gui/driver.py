# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and eyes: mouse, keys, what lies under the mouse, screenshots. Steps are generators that yield seconds to wait.

Buttons are found as a user finds them, by pointing: Blender can name the operator or property under the mouse.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path

import bpy

Steps = Generator[float, None, None]
Search = Generator[float, None, tuple[int, int]]

_PROBE_PX = 8
_HOVER_S = 0.03
_AWARE_S = 0.2
"""How long a button needs to know for sure that the mouse came or went."""


def window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def viewport() -> bpy.types.Area:
    return next(area for area in window().screen.areas if area.type == "VIEW_3D")


def region(kind: str) -> bpy.types.Region:
    return next(each for each in viewport().regions if each.type == kind)


def middle_of_viewport() -> tuple[int, int]:
    drawing = region("WINDOW")
    return drawing.x + drawing.width // 3, drawing.y + drawing.height // 2


def move(place: tuple[int, int]) -> Steps:
    window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=place[0], y=place[1])
    yield _HOVER_S


def leave_sidebar() -> Steps:
    """Move the mouse away, and let the button that was under it know."""
    yield from move(middle_of_viewport())
    yield _AWARE_S


def click(place: tuple[int, int]) -> Steps:
    yield from hold(place)
    yield from let_go(place)


def hold(place: tuple[int, int]) -> Steps:
    """Press the mouse's button at ``place``; a click is done when it is let go."""
    yield from move(place)
    yield _AWARE_S
    window().event_simulate(type="LEFTMOUSE", value="PRESS", x=place[0], y=place[1])
    yield 0.02


def let_go(place: tuple[int, int]) -> Steps:
    window().event_simulate(type="LEFTMOUSE", value="RELEASE", x=place[0], y=place[1])
    yield 0.02


def press(key: str, place: tuple[int, int], **modifiers: bool) -> Steps:
    """Press a key while the mouse is at ``place``."""
    yield from move(place)
    for value in ("PRESS", "RELEASE"):
        window().event_simulate(type=key, value=value, x=place[0], y=place[1], **modifiers)
        yield 0.02


def open_tab(category: str) -> Steps:
    viewport().spaces.active.show_region_ui = True
    viewport().tag_redraw()
    yield 0.7  # the tabs are known once they have been drawn
    region("UI").active_panel_category = category
    viewport().tag_redraw()
    yield 0.7


def redraw_everything() -> Steps:
    """Have the whole window drawn anew a few times."""
    for _ in range(5):
        for area in window().screen.areas:
            area.tag_redraw()
        yield 0.15


def find_in_sidebar(name: str) -> Search:
    """Point down the middle of the sidebar until ``name`` is under the mouse; returns its middle."""
    sidebar = region("UI")
    x = sidebar.x + sidebar.width // 2 - 20
    hits: list[int] = []
    yield from leave_sidebar()
    for y in range(sidebar.y + sidebar.height - _PROBE_PX, sidebar.y, -_PROBE_PX):
        yield from move((x, y))
        if name in _named_under_mouse():
            hits.append(y)
        elif hits:
            break
    if not hits:
        raise LookupError(f"{name} is not in the sidebar")
    return x, sum(hits) // len(hits)


def find_in_row(name: str, y: int) -> Search:
    """Point along a row of the sidebar, from its right end, until ``name`` is under the mouse."""
    sidebar = region("UI")
    yield from leave_sidebar()
    for x in range(sidebar.x + sidebar.width - _PROBE_PX, sidebar.x, -_PROBE_PX):
        yield from move((x, y))
        if name in _named_under_mouse():
            return x - _PROBE_PX // 2, y
    raise LookupError(f"{name} is not in the row")


def paste(text: str, place: tuple[int, int]) -> Steps:
    """Paste a text over that of the field at ``place``, as Ctrl V does on a field under the mouse."""
    yield from leave_sidebar()
    yield from move(place)
    yield _AWARE_S
    bpy.context.window_manager.clipboard = text
    yield from press("V", place, ctrl=True)
    yield 0.2


def until(condition: Callable[[], bool], limit_s: float, every_s: float = 0.02) -> Steps:
    """Wait for something, but not for ever; the caller looks what has come of it."""
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        yield every_s


def screenshot(path: Path) -> Steps:
    """Take a picture of the whole screen, while Blender goes on."""
    yield 0.3
    camera = subprocess.Popen(["import", "-window", "root", str(path)])
    while camera.poll() is None:
        yield 0.02
    if camera.returncode:
        raise OSError(f"ImageMagick's import could not write {path}")


def _named_under_mouse() -> str:
    """Name operator and property of the button under the mouse; empty over anything else."""
    named = []
    manager = bpy.context.window_manager
    with bpy.context.temp_override(window=window(), area=viewport(), region=region("UI")):
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
            named.append(manager.clipboard)
        if bpy.ops.ui.copy_data_path_button.poll():
            bpy.ops.ui.copy_data_path_button(full_path=True)
            named.append(manager.clipboard)
    return " ".join(named)
