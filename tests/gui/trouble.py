# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong while a user works: second thoughts, an engine that is killed, a photo without a face."""

from __future__ import annotations

import importlib
import os
import signal
import time

import numpy as np

from . import driver
from .driver import Steps, until
from .scene import contents, difference, part
from .stage import CANCEL, DIAGNOSTICS, DISMISS, PACKAGE, Stage

CANCEL_S = 0.5


def cancel(stage: Stage) -> Steps:
    """Begin, look at the progress, and press the X."""
    before = contents()
    yield from stage.press_button()
    cross = yield from driver.find_in_row(CANCEL, stage.button[1])
    yield from stage.job_works()
    yield from stage.shoot("progress")
    stage.checks.that("The job still runs when the X is clicked", stage.job() is not None)
    yield from driver.hold(cross)
    begun = time.monotonic()
    yield from driver.let_go(cross)
    yield from until(lambda: stage.job() is None, 5.0, every_s=0.005)
    seconds = time.monotonic() - begun
    stage.checks.that(f"A click on the X ends the job in {seconds:.2f} s", seconds <= CANCEL_S)
    yield 1.0
    _check_untouched(stage, before)
    yield from driver.leave_sidebar()
    yield from stage.shoot("cancelled")


def engine_is_killed(stage: Stage) -> Steps:
    """The engine dies in the middle of its work; the next click works again."""
    before = contents()
    yield from stage.press_button()
    yield from stage.job_works()
    killed = stage.engine()
    stage.checks.that("An engine works when it is killed", killed > 0 and stage.job() is not None)
    os.kill(killed, signal.SIGKILL)
    yield from until(lambda: stage.job() is None, 5.0)
    error = stage.error()
    told = error is not None and type(error).__name__ == "EngineLost"
    stage.checks.that(f"The loss is told: {error}", told)
    yield from driver.leave_sidebar()
    yield from stage.shoot("lost")
    _check_untouched(stage, before)
    yield from stage.press_button()
    yield from stage.job_ends()
    yield 1.0
    stage.checks.that("The next click works", part("head") is not None, str(stage.error()))
    stage.checks.that("It works in another engine", stage.engine() not in (0, killed))
    yield from stage.undo()


def no_face(stage: Stage) -> Steps:
    """A picture of a sky is refused with a sentence that the panel shows."""
    sky = stage.scratch / "sky.png"
    png = importlib.import_module(f"{PACKAGE}.motion.png")
    shade = np.linspace(90, 230, 480).astype(np.uint8)[:, None, None]
    sky.write_bytes(png.encode_png(np.broadcast_to(shade, (480, 640, 3)).copy()))
    yield from stage.choose(sky)
    before = contents()
    yield from stage.press_button()
    yield from stage.job_ends()
    error = stage.error()
    told = error is not None and type(error).__name__ == "NoFaceFound"
    stage.checks.that(f"A photo without a face is told: {error}", told)
    yield from driver.leave_sidebar()
    yield from stage.shoot("noface")
    _check_untouched(stage, before)
    beside = yield from driver.find_in_sidebar(DIAGNOSTICS)
    cross = yield from driver.find_in_row(DISMISS, beside[1])
    yield from driver.click(cross)
    yield 0.3
    stage.checks.that("The message can be dismissed", stage.error() is None)


def _check_untouched(stage: Stage, before: dict[str, object]) -> None:
    changed = difference(before, contents())
    stage.checks.that("The scene is as it was", not changed, changed)
