# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine does for each kind of request."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pixel3dmm_blender.wire import (
    PROTOCOL,
    Hello,
    ProtocolMismatch,
    Ready,
    Record,
    RefineTrack,
    StreamCorrupt,
    TrackFace,
)

from .detect.weights import LICENCE
from .device import choose_device, describe_device
from .engine import Engine
from .heads.catalogue import available_heads, licence_of
from .job import Job
from .memory import resident_bytes
from .pipeline import refine_track, track_face


def answer(request: Record, engine: Engine, job: Job) -> Record:
    """Answer one request; failures are raised as Pixel3dmmError."""
    if isinstance(request, Hello):
        return greet(request, engine)
    if isinstance(request, TrackFace):
        return track_face(request, engine, job)
    if isinstance(request, RefineTrack):
        return refine_track(request, engine, job)
    raise StreamCorrupt(f"{type(request).__name__} is not a request.")


def greet(hello: Hello, engine: Engine) -> Ready:
    """Say what this engine is; ProtocolMismatch if the two sides cannot talk."""
    if hello.protocol != PROTOCOL:
        raise ProtocolMismatch(
            f"Blender's side speaks protocol {hello.protocol}, the engine {PROTOCOL}.",
            "Restart Blender after an update; if that does not help, reinstall the engine.",
        )
    heads = available_heads(engine.models)
    return Ready(
        protocol=PROTOCOL,
        version=version(),
        device=describe_device(choose_device()),
        heads=heads,
        priors=("landmarks",),
        licences=(LICENCE, *map(licence_of, heads)),
        memory_bytes=resident_bytes(),
    )


def version() -> str:
    """Read the version out of the manifest, which lies beside this package wherever it is."""
    manifest = Path(__file__).resolve().parent.parent / "blender_manifest.toml"
    return str(tomllib.loads(manifest.read_text("utf-8"))["version"])
