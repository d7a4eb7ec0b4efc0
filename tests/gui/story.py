# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole story in order: install, reconstruct, undo, and everything that can go wrong, to the end of Blender."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import bpy

from . import driver, reconstructing, trouble
from .checks import Checks
from .driver import Steps
from .stage import PACKAGE, RECONSTRUCT, Stage


class Story:
    """One run through everything that needs a window."""

    def __init__(self, checks: Checks, options: argparse.Namespace, scratch: Path) -> None:
        self._stage = Stage(checks, options, scratch)

    def tell(self) -> Steps:
        stage = self._stage
        yield from _install(stage)
        yield from _open_panel(stage)
        yield from reconstructing.head_stands(stage)
        yield from reconstructing.undo_is_one_step(stage)
        yield from reconstructing.warm_engine_is_quick(stage)
        yield from trouble.cancel(stage)
        yield from trouble.engine_is_killed(stage)
        yield from trouble.no_face(stage)
        yield from reconstructing.material(stage)
        yield from _quit_in_a_job(stage)


def _install(stage: Stage) -> Steps:
    """Install the built zip as a user does, into folders that were empty."""
    with bpy.context.temp_override(window=driver.window()):
        bpy.ops.extensions.package_install_files(
            filepath=str(stage.extension), repo="user_default", enable_on_install=True
        )
    yield 0.5
    enabled = PACKAGE in bpy.context.preferences.addons
    stage.checks.that("The built zip installs and enables", enabled)
    stage.installed()


def _open_panel(stage: Stage) -> Steps:
    yield from driver.open_tab("Pixel3DMM")
    stage.field = yield from driver.find_in_sidebar("pixel3dmm.filepath")
    stage.button = yield from driver.find_in_sidebar(RECONSTRUCT)
    stage.checks.that("The tab Pixel3DMM shows a field for the photo and the button", True)
    yield from driver.click(stage.button)
    yield 0.2
    stage.checks.that("The button waits for a photo", stage.job() is None)
    yield from driver.leave_sidebar()
    yield from stage.shoot("panel")


def _quit_in_a_job(stage: Stage) -> Steps:
    """Press Ctrl Q while the engine works; who started this Blender sees what comes of it."""
    yield from stage.choose(stage.photo)
    yield from stage.press_button()
    yield from stage.job_works()
    stage.checks.that("A job runs when Blender is told to quit", stage.job() is not None)
    stage.checks.fact("quit_at", time.time())
    yield from driver.press("Q", driver.middle_of_viewport(), ctrl=True)
    yield 5.0
    stage.checks.that("Ctrl Q quits Blender", False)
    bpy.ops.wm.quit_blender()
