# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's first half, run by Blender's Python: photo -> .blend, .glb and the pictures of the sheet.

It does what a user does: enable the extension, press Reconstruct Face, look at the head. It prints how long each stage
took, the error and the engine's memory, and asks the warm engine once more.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402  after the path

import pixel3dmm_blender  # noqa: E402
from pixel3dmm_blender.rig.find import ROLE, Role  # noqa: E402
from tests.demo.terminal import Terminal  # noqa: E402
from tests.demo.views import render_views  # noqa: E402

Say = Callable[..., None]


def main() -> int:
    """Make everything; 0 if it worked."""
    options = read_options()
    os.environ["PIXEL3DMM_ENGINE_PYTHON"] = str(options.engine)
    os.environ["PIXEL3DMM_MODELS"] = str(options.models)
    terminal = Terminal(options.output / "blender.log")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    pixel3dmm_blender.register()
    try:
        make(options.image, options.output, terminal.say)
    except RuntimeError as error:  # an operator's report is a script's exception
        terminal.say(str(error).strip())
        return 1
    except (LookupError, OSError, TypeError, ValueError, AttributeError):
        traceback.print_exc()
        terminal.say(f"It failed. What happened is in {terminal.log}.")
        return 1
    finally:
        pixel3dmm_blender.unregister()
    return 0


def make(image: Path, output: Path, say: Say) -> None:
    """Reconstruct, render, save, and measure the warm engine."""
    say(f"Reconstructing {image.name}")
    report("Cold, engine started", reconstruct(image), say)
    say()
    render_views(part(Role.HEAD), part(Role.CAMERA), output / "views" / image.stem, say)
    start = time.perf_counter()
    path = (output / f"{image.stem}.blend").resolve()
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)
    export_gltf(path.with_suffix(".glb"))
    say(f"  {time.perf_counter() - start:6.2f} s  Saving {image.stem}.blend and {image.stem}.glb")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    report("Warm, engine running", reconstruct(image), say)


def reconstruct(image: Path) -> float:
    """Press the button; returns how many seconds the artist waited."""
    start = time.perf_counter()
    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(image.resolve()))
    return time.perf_counter() - start


def report(title: str, waited_s: float, say: Say) -> None:
    """Say what the rig knows of its own making."""
    rig = part(Role.RIG)
    stages = rig["pixel3dmm_stages"].to_dict()
    say(f"\n{title}: photo to rigged head in {waited_s:.2f} s")
    for stage, seconds in stages.items():
        say(f"  {seconds:6.2f} s  {stage}")
    say(
        f"  {waited_s - sum(stages.values()):6.2f} s  The wire, the texture's file and the rig in Blender"
    )
    error_px, percent = rig["pixel3dmm_error_px"], rig["pixel3dmm_error_percent"]
    raw = rig["pixel3dmm_raw_error_percent"]
    say(f"  error {error_px:.2f} px = {percent:.2f} % of the face's height")
    say(f"  ({raw:.2f} % before the landmarks' measured bias is subtracted)")
    say(f"  engine memory {rig['pixel3dmm_engine_bytes'] / 2**20:.0f} MiB")
    for note in str(rig["pixel3dmm_notes"]).splitlines():
        say(f"  {note}")


def part(role: Role) -> bpy.types.Object:
    """Find the person's rig, head or camera."""
    return next(each for each in bpy.context.scene.objects if each.get(ROLE) == role.value)


def export_gltf(path: Path) -> None:
    """Write the head with its keys and bones, without camera and lamps."""
    bpy.ops.export_scene.gltf(
        filepath=str(path.resolve()),
        export_format="GLB",
        export_apply=False,
        export_morph=True,
        export_cameras=False,
    )


def read_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("image", "output", "engine", "models"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    status = main()
    os._exit(status)  # some Blenders hang or crash while their Python is torn down
