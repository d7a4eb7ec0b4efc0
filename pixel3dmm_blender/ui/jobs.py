# SPDX-License-Identifier: GPL-3.0-or-later
"""The one job that runs, and the only timer.

``pump`` is an ordinary function: the timer calls it in a window, and ``finish`` calls it in a loop
where there is none, for timers never fire in the background.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import bpy

from ..wire import Cancelled, Defect, EngineLost, Pixel3dmmError
from . import engine, reports

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

_BUSY_S: Final = 0.05
_IDLE_S: Final = 2.0
_SYNCHRONOUS_S: Final = 0.005
_STOP_S: Final = 5.0


class Job(Protocol):
    """Something that takes longer than a redraw; its methods are for the main thread and return soon."""

    label: str
    stage: str
    """What is being done, in the user's words."""
    fraction: float
    """0..1."""
    in_file: bool
    """Whether it will change the open .blend, and so ends with it."""

    def advance(self) -> bool:
        """Do what can be done now; True when all is done. Failures are raised as Pixel3dmmError."""
        ...

    def cancel(self) -> None:
        """Ask for an early end: a later ``advance`` raises Cancelled."""
        ...


@dataclass
class _State:
    job: Job | None = None
    error: Pixel3dmmError | None = None
    shown: tuple[object, ...] = ()
    """What the panel showed when it was last drawn anew."""


_state: Final = _State()


def running() -> Job | None:
    """Return the job that runs."""
    return _state.job


def last_error() -> Pixel3dmmError | None:
    """Return why the last job failed; None if it did not."""
    return _state.error


def forget_error() -> None:
    """Drop the last failure."""
    _state.error = None


def start(job: Job) -> None:
    """Begin a job; the timer takes it from here. The caller has seen to it that none runs."""
    assert _state.job is None
    _state.job, _state.error = job, None
    if not bpy.app.background:
        _set_timer()


def begin(operator: bpy.types.Operator, job: Job) -> set[OperatorReturnItems]:
    """Start a job for an operator; without a window, run it to its end and report how that was."""
    start(job)
    if not bpy.app.background:
        return {"FINISHED"}
    error = finish()
    if error is not None:
        reports.show(operator, error)
        return {"CANCELLED"}
    return {"FINISHED"}


def finish() -> Pixel3dmmError | None:
    """Run the job to its end, blocking, for scripts without a window; return why it failed."""
    while _state.job is not None:
        pump()
        time.sleep(_SYNCHRONOUS_S)
    return _state.error


def pump() -> float | None:
    """Do what can be done now; returns after how many seconds to come again, None for never."""
    job = _state.job
    try:
        if job is None:
            _tend_engine()
        elif job.advance():
            _end(None)
    except Pixel3dmmError as error:
        _end(error)
    except Exception as error:  # a timer that raises is gone for ever, and the panel would wait
        _end(
            Defect(
                f"Something went wrong: {error}.",
                "Use Copy Diagnostics to report it.",
                traceback.format_exc(),
            )
        )
    _redraw()
    if _state.job is not None:
        return _BUSY_S
    return _IDLE_S if engine.is_running() else None


def register() -> None:
    """Listen for another file being opened."""
    bpy.app.handlers.load_pre.append(_leave_file)


def unregister() -> None:
    """End timer, job and engine: whatever stayed would keep Blender from ending."""
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
    if _leave_file in bpy.app.handlers.load_pre:
        bpy.app.handlers.load_pre.remove(_leave_file)
    _cancel_and_wait()
    engine.stop(wait=True)


def _set_timer() -> None:
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
    bpy.app.timers.register(pump, first_interval=0.0, persistent=True)


def _end(error: Pixel3dmmError | None) -> None:
    _state.job, _state.error = None, error
    if error is not None:
        reports.pop_up(error)


def _tend_engine() -> None:
    try:
        engine.poll()
    except EngineLost:
        return  # nobody waits for it; the next job starts another
    engine.stop_if_idle()


@bpy.app.handlers.persistent
def _leave_file(_path: str = "", _unused: object = None) -> None:
    if _state.job is not None and _state.job.in_file:
        _cancel_and_wait()


def _cancel_and_wait() -> None:
    if _state.job is None:
        return
    _state.job.cancel()
    until = time.monotonic() + _STOP_S
    while _state.job is not None and time.monotonic() < until:
        pump()
        time.sleep(_SYNCHRONOUS_S)
    if _state.job is not None:
        _end(Cancelled("Cancelled."))


def _redraw() -> None:
    """Draw the sidebars anew, but only if they would look different: a viewport can be slow."""
    job = _state.job
    seen = (job.stage, round(job.fraction, 2)) if job is not None else ()
    shown = (job is None, engine.ready() is None, str(_state.error), *seen)
    if shown == _state.shown:
        return
    _state.shown = shown
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
