# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine makes once and keeps: head and atlas in the cache. ``server/__main__.py --prepare --models FOLDER``.

Set-up calls it, so that the first photo need not wait, and so that an engine that cannot start is found out then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pixel3dmm_blender.wire import Footage, Pixel3dmmError, TrackFace

from .engine import Engine


def main() -> None:
    """Load everything; exit 1 with a sentence on stderr if something cannot be loaded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--models", type=Path, required=True)
    try:
        prepare(Engine(parser.parse_args().models))
    except Pixel3dmmError as error:
        sys.exit(str(error))


def prepare(engine: Engine) -> None:
    """Load networks, head and atlas as the first photo would."""
    usual = TrackFace(footage=Footage())
    _ = engine.detector
    engine.atlas(engine.head(usual.head), usual.texture_size)
