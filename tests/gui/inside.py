# SPDX-License-Identifier: GPL-3.0-or-later
"""In the Blender with the window: let a timer pump the story, so that Blender stays itself between two steps."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.gui.checks import Checks
from tests.gui.run import command_line
from tests.gui.story import Story

FIRST_DRAWING_S = 1.5


def main() -> None:
    options = command_line().parse_args(sys.argv[sys.argv.index("--") + 1 :])
    scratch = Path(os.environ["PIXEL3DMM_GUI_SCRATCH"])
    preferences = bpy.context.preferences
    preferences.view.show_splash = False
    preferences.view.use_save_prompt = False  # nobody is there to answer it
    steps = Story(Checks(scratch / "checks.jsonl"), options, scratch).tell()

    def step() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            return None
        except BaseException:
            traceback.print_exc()
            sys.stdout.flush()
            os._exit(2)

    bpy.app.timers.register(step, first_interval=FIRST_DRAWING_S, persistent=True)


main()
