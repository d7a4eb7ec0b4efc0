# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Blender's side takes to build a rig and to key a clip, run by Blender's Python."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402  after the path
import numpy as np  # noqa: E402

from pixel3dmm_blender.motion.png import encode_png  # noqa: E402
from pixel3dmm_blender.rig.person import build_person  # noqa: E402
from pixel3dmm_blender.wire import Tracked  # noqa: E402
from tests.bench.table import measure  # noqa: E402
from tests.fakes.tracked import make_rig, make_tracked  # noqa: E402

OF_THE_RIG = ("rig", "vertex_std_m", "vertex_confidence")


def main() -> None:
    """Print the table."""
    still, clip = make_tracked(), make_tracked(frame_count=300)
    large = Tracked(
        **{name: getattr(still, name) for name in Tracked.__slots__ if name not in OF_THE_RIG},
        rig=make_rig(100, 200, 150),
        vertex_confidence=np.linspace(0.0, 1.0, 20_000, dtype=np.float32),
    )
    with tempfile.TemporaryDirectory() as folder:
        plate = Path(folder) / "plate.png"
        plate.write_bytes(encode_png(np.full((480, 640, 3), 128, np.uint8)))
        measure("building a rig of 20,000 vertices and 150 keys", 500, lambda: build(large, plate))
        measure("building and keying a small rig over 300 frames", 500, lambda: build(clip, plate))


def build(tracked: Tracked, plate: Path) -> None:
    """Build one person in an empty scene."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    build_person(bpy.context.scene, tracked, "ada", plate, None)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # some Blenders hang or crash while their Python is torn down
