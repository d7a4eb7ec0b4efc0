# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the engine's stages take on the astronaut, run by the engine's Python."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pixel3dmm_blender.wire import Footage, Locks, Pin, RefineTrack, TrackFace
from server.detect.detector import require_face
from server.engine import Engine
from server.footage import read_photo
from server.heads.catalogue import load_head
from server.job import Job
from server.live import start_live_face
from server.memory import resident_bytes
from server.pipeline import refine_track, track_face
from server.sight import observe, sight_photo
from server.solved import make_fitter
from tests.bench.table import measure

NOSE_TIP = 1
ASTRONAUT = Path(__file__).parents[1] / "data" / "astronaut.png"


def main() -> None:
    """Print the table."""
    engine = Engine(Path(os.environ["PIXEL3DMM_MODELS"]))
    frame, photo = read_photo(ASTRONAUT), Footage(path=str(ASTRONAUT))
    face = require_face(engine.detector.faces(frame))
    model = engine.head("")
    seen = (observe(model, sight_photo(photo, engine.detector, Job())),)
    fitter = make_fitter(model)

    measure("loading the head from its cache", 500, lambda: load_head(model.name, engine.models))
    measure("finding the face in a photo (512 x 512)", 700, lambda: engine.detector.faces(frame))
    measure(
        "following the face in the next frame", 120, lambda: engine.detector.follow(frame, face)
    )
    measure("fitting one photo", 200, lambda: fitter.fit_photos(seen, lambda: None))
    measure(
        "fitting ten photos of one person", 1000, lambda: fitter.fit_photos(seen * 10, lambda: None)
    )
    live = start_live_face(model, engine.detector).push(frame)
    measure("a live frame: landmarks, pose and expression", 33, lambda: live.push(frame))
    measure(
        "photo to answer, texture 2048",
        3000,
        lambda: track_face(TrackFace(footage=photo), engine, Job()),
    )
    measure("a pin in the photo, solved again", 200, pin_again(engine))
    print(f"{'memory of the engine':<58} {resident_bytes() / 2**20:8.0f} MiB  goal 2048")


def pin_again(engine: Engine) -> Callable[[], object]:
    """Pull the tip of the nose two pixels to one side and back."""
    embedding = engine.head("").landmarks_478
    pulls = itertools.cycle((2.0, -2.0))

    def pin() -> object:
        assert engine.present is not None
        _, placed = engine.present.solved.landmarks_px()
        px = (placed[0][NOSE_TIP] + (next(pulls), 0.0)).astype(np.float32)
        tip = Pin(frame=0, vertices=embedding.vertices[1], weights=embedding.weights[1], px=px)
        return refine_track(RefineTrack(pins=(tip,), locks=Locks()), engine, Job())

    return pin


if __name__ == "__main__":
    main()
