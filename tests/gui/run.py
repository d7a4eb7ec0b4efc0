# SPDX-License-Identifier: GPL-3.0-or-later
"""The window tests, seen from outside: a Blender in the background starts one with a window and judges its end.

It gives that Blender an empty folder for its settings, a hard time limit, and looks whether it quits as it should and
leaves no engine behind. What happens in the window is told by ``story.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bpy

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.gui.checks import Checks  # noqa: E402

WINDOW = ["--enable-event-simulate", "--window-geometry", "0", "0", "1600", "900"]
LIMIT_S = 400.0
QUIT_S = 10.0


def main() -> int:
    """Run the story, judge its end; 0 if every check was passed."""
    arguments = sys.argv[sys.argv.index("--") + 1 :]
    options = command_line().parse_args(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        checks = Checks(Path(scratch) / "checks.jsonl")
        status = run_window(options, arguments, Path(scratch))
        ended = time.time()
        told = checks.facts().get("quit_at")
        checks.that("The story came to its end", told is not None)
        checks.that("Blender quit with status 0", status == 0, f"status {status}")
        if told is not None:
            seconds = ended - float(told)
            checks.that(
                f"Blender was gone {seconds:.1f} s after Quit, in the middle of a job",
                seconds < QUIT_S,
            )
        engines = [int(pid) for pid in str(checks.facts().get("engines", "")).split()]
        left = [pid for pid in engines if is_alive(pid)]
        checks.that(f"None of the {len(engines)} engines outlived Blender", not left, str(left))
        passed, failed = checks.totals()
    print(f"\n{passed} passed, {failed} failed; screenshots: {options.screenshots}", flush=True)
    return 1 if failed or not passed else 0


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description="The window tests")
    for name in ("--screenshots", "--engine", "--models", "--extension", "--photo"):
        parser.add_argument(name, type=Path, required=True)
    return parser


def run_window(options: argparse.Namespace, arguments: list[str], scratch: Path) -> int:
    """Start the Blender with the window and wait for it; past the limit it is killed."""
    options.screenshots.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "BLENDER_USER_RESOURCES": str(scratch / "resources"),
        "PIXEL3DMM_ENGINE_PYTHON": str(options.engine),
        "PIXEL3DMM_MODELS": str(options.models),
        "PIXEL3DMM_GUI_SCRATCH": str(scratch),
    }
    blender = [bpy.app.binary_path, "--factory-startup", *WINDOW]
    command = [*blender, "--python", str(HERE / "inside.py"), "--", *arguments]
    child = subprocess.Popen(command, env=environment)
    try:
        return child.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        print(f"Stopped after {LIMIT_S:.0f} s.", flush=True)
        child.kill()
        return child.wait()


def is_alive(pid: int) -> bool:
    """Whether a process is there, a moment after the one that should have taken it along."""
    for _ in range(20):
        with contextlib.suppress(PermissionError):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
        time.sleep(0.1)
    return True


if __name__ == "__main__":
    try:
        status = main()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 2
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a script's own status is not Blender's
