# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the story needs: the installed extension's own state, its buttons, the screenshots' folder."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from types import ModuleType

import bpy

from . import driver
from .checks import Checks
from .driver import Steps, until
from .watch import Watch

PACKAGE = "bl_ext.user_default.pixel3dmm_blender"
RECONSTRUCT = "pixel3dmm.reconstruct_face"
CANCEL = "pixel3dmm.cancel"
DIAGNOSTICS = "pixel3dmm.copy_diagnostics"
DISMISS = "pixel3dmm.dismiss"
JOB_LIMIT_S = 90.0


class Stage:
    """The window with the extension in it."""

    def __init__(self, checks: Checks, options: argparse.Namespace, scratch: Path) -> None:
        self.checks = checks
        self.photo: Path = options.photo
        self.extension: Path = options.extension
        self.scratch = scratch
        self._screenshots: Path = options.screenshots
        self._engines: list[int] = []
        self.field = self.button = (0, 0)
        self.watch = Watch(self.job)

    def installed(self) -> None:
        """From here on the extension is there."""
        self.watch.time_steps_of(self._module("jobs"))

    def job(self):
        """Return the extension's job that runs, if any."""
        return self._module("jobs").running()

    def error(self):
        """Return why the last job failed, if it did."""
        return self._module("jobs").last_error()

    def engine(self) -> int:
        """Return the engine's process id, noted for the end of the story; 0 if there is none."""
        resident = self._module("engine")
        pid = resident.process_id() if resident.is_running() else 0
        if pid and pid not in self._engines:
            self._engines.append(pid)
            self.checks.fact("engines", " ".join(map(str, self._engines)))
        return pid

    def shoot(self, name: str) -> Steps:
        yield from driver.screenshot(self._screenshots / f"{name}.png")

    def choose(self, photo: Path) -> Steps:
        """Paste a photo's path into the panel's field."""
        yield from driver.paste(str(photo), self.field)
        chosen = bpy.context.scene.pixel3dmm.filepath
        self.checks.that(f"{photo.name} is in the panel's field", chosen == str(photo), chosen)

    def press_button(self) -> Steps:
        """Click Reconstruct Face, and see that a job runs because of it."""
        idle = self.job() is None
        yield from driver.click(self.button)
        yield from until(lambda: self.job() is not None, 1.0)
        job = self.job()
        self.checks.that(
            "A click on Reconstruct Face starts the job",
            idle and job is not None and job.label == "Reconstruct Face",
            f"idle before: {idle}; error: {self.error()}",
        )

    def job_ends(self) -> Steps:
        yield from until(lambda: self.engine() >= 0 and self.job() is None, JOB_LIMIT_S)

    def job_works(self) -> Steps:
        """Wait until the engine is in the middle of the job."""
        yield from until(lambda: (job := self.job()) is None or job.fraction > 0.05, JOB_LIMIT_S)
        self.engine()

    def undo(self) -> Steps:
        yield from driver.press("Z", driver.middle_of_viewport(), ctrl=True)
        yield 0.5

    def redo(self) -> Steps:
        yield from driver.press("Z", driver.middle_of_viewport(), ctrl=True, shift=True)
        yield 0.5

    def _module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.ui.{name}")
