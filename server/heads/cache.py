# SPDX-License-Identifier: GPL-3.0-or-later
"""A HeadModel as one file: an uncompressed .npz, the bases in half precision, all words in one JSON text.

A file that cannot be read, or holds anything but a valid head, counts as absent; it is written beside its place and moved
there in one step, so no reader ever sees half a file.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_type_hints

import numpy as np
import numpy.typing as npt

from pixel3dmm_blender.wire import DiskFull, Material, RecordError

from .model import Embedding, HeadModel, ViewCalibration

HALF_PRECISION = ("identity", "expression")
WORDS = "words"
NESTED: dict[str, type[Embedding] | type[ViewCalibration]] = {
    "landmarks_478": Embedding,
    "landmarks_68": Embedding,
    "calibration_478": ViewCalibration,
}
Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class CachedHead:
    """A head from the cache with the arrays that were put beside it."""

    head: HeadModel
    extras: Arrays


def read_head(path: Path, extras: tuple[str, ...] = ()) -> CachedHead | None:
    """Read a head; None when the file is absent or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays: Arrays = {name: stored[name] for name in stored.files}
        words = json.loads(str(arrays.pop(WORDS)))
        beside = {name: arrays.pop(f"extra.{name}") for name in extras}
        return CachedHead(_head(words, arrays), beside)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, RecordError):
        return None


def write_head(path: Path, head: HeadModel, extras: Arrays) -> None:
    """Write a head atomically.

    Raises:
        DiskFull: the folder cannot be written.
    """
    arrays, words = _taken_apart(head)
    arrays |= {f"extra.{name}": array for name, array in extras.items()}
    arrays[WORDS] = np.array(json.dumps(words))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, **arrays)
            Path(beside).replace(path)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as error:
        raise DiskFull(
            f"The head's cache {path} cannot be written.",
            "Free some space or check its permissions.",
            str(error),
        ) from error


def _taken_apart(head: HeadModel) -> tuple[Arrays, dict[str, object]]:
    arrays: Arrays = {}
    words: dict[str, object] = {}
    for field in fields(HeadModel):
        value = getattr(head, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = value.astype(np.float16) if field.name in HALF_PRECISION else value
        elif isinstance(value, Embedding | ViewCalibration):
            for inner in fields(value):
                arrays[f"{field.name}.{inner.name}"] = getattr(value, inner.name)
        elif field.name == "materials":
            words[field.name] = [_material_words(material) for material in head.materials]
        else:
            words[field.name] = value
    return arrays, words


def _material_words(material: Material) -> dict[str, object]:
    color = None if material.color is None else [float(part) for part in material.color]
    plain = {field.name: getattr(material, field.name) for field in fields(Material)}
    return plain | {"color": color}


def _head(words: dict[str, object], arrays: Arrays) -> HeadModel:
    values: dict[str, object] = {
        name: tuple(word) if isinstance(word, list) else word for name, word in words.items()
    }
    values["materials"] = tuple(_material(material) for material in words["materials"])  # type: ignore[union-attr]
    for name, record in NESTED.items():
        inner = {
            part.name: arrays.pop(f"{name}.{part.name}")
            for part in fields(record)
            if f"{name}.{part.name}" in arrays
        }
        values[name] = record(**inner) if inner else None
    values |= {
        name: array.astype(np.float32) if name in HALF_PRECISION else array
        for name, array in arrays.items()
    }
    return HeadModel(**values)  # type: ignore[arg-type]


def _material(words: dict[str, object]) -> Material:
    color = words["color"]
    return Material(**(words | {"color": None if color is None else np.array(color, np.float32)}))  # type: ignore[arg-type]
