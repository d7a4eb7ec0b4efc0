# SPDX-License-Identifier: GPL-3.0-or-later
"""Engine: the networks, heads and atlases that stay loaded between requests."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from .detect.detector import FaceDetector
from .heads.catalogue import HEADS, load_head
from .heads.model import HeadModel
from .present import Present
from .texture import Atlas, load_atlas


class Engine:
    """Loads each thing once, on first use, from one folder of model files."""

    def __init__(self, models: Path) -> None:
        self.models = models
        self.present: Present | None = None
        """The last track, for corrections."""
        self._heads: dict[str, HeadModel] = {}
        self._atlases: dict[tuple[str, int], Atlas] = {}

    @cached_property
    def detector(self) -> FaceDetector:
        """The face networks; WeightsMissing or WeightsCorrupt where a file is not the right one."""
        return FaceDetector(self.models)

    def head(self, name: str) -> HeadModel:
        """A head model by its name, the default one for an empty name; HeadMissing if it is not there."""
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
