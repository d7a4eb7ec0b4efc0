# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine does for each kind of request. Networks and heads are loaded once, on first use."""

from __future__ import annotations

import tomllib
from functools import cached_property
from pathlib import Path

from pixel3dmm_blender.wire import (
    PROTOCOL,
    Hello,
    ProtocolMismatch,
    Ready,
    Record,
    StreamCorrupt,
    TrackFace,
)

from .detect.detector import FaceDetector
from .detect.weights import LICENCE
from .device import choose_device, describe_device
from .heads.catalogue import HEADS, available_heads, licence_of, load_head
from .heads.model import HeadModel
from .job import Job
from .memory import resident_bytes
from .pipeline import track_face
from .texture import Atlas, load_atlas


class Handlers:
    """The engine's memory between requests, and one method for each request."""

    def __init__(self, models: Path) -> None:
        self.models = models
        self._heads: dict[str, HeadModel] = {}
        self._atlases: dict[tuple[str, int], Atlas] = {}

    def answer(self, request: Record, job: Job) -> Record:
        """Answer one request; failures are raised as Pixel3dmmError."""
        if isinstance(request, Hello):
            return self.greet(request)
        if isinstance(request, TrackFace):
            return track_face(request, self, job)
        raise StreamCorrupt(f"{type(request).__name__} is not a request.")

    def greet(self, hello: Hello) -> Ready:
        """Say what this engine is; ProtocolMismatch if the two sides cannot talk."""
        if hello.protocol != PROTOCOL:
            raise ProtocolMismatch(
                f"Blender's side speaks protocol {hello.protocol}, the engine {PROTOCOL}.",
                "Restart Blender after an update; if that does not help, reinstall the engine.",
            )
        heads = available_heads(self.models)
        return Ready(
            protocol=PROTOCOL,
            version=version(),
            device=describe_device(choose_device()),
            heads=heads,
            priors=("landmarks",),
            licences=(LICENCE, *map(licence_of, heads)),
            memory_bytes=resident_bytes(),
        )

    @cached_property
    def detector(self) -> FaceDetector:
        """The face networks."""
        return FaceDetector(self.models)

    def head(self, name: str) -> HeadModel:
        """A head model by its name; the default one for an empty name."""
        name = name or HEADS[0]
        if name not in self._heads:
            self._heads[name] = load_head(name, self.models)
        return self._heads[name]

    def atlas(self, model: HeadModel, size: int) -> Atlas:
        """The texture layout of a head."""
        key = (model.name, size)
        if key not in self._atlases:
            self._atlases[key] = load_atlas(model, size, self.models / "cache")
        return self._atlases[key]


def version() -> str:
    """Read the version out of the manifest, which lies beside this package wherever it is installed."""
    manifest = Path(__file__).resolve().parent.parent / "blender_manifest.toml"
    return str(tomllib.loads(manifest.read_text("utf-8"))["version"])
