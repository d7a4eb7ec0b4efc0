# SPDX-License-Identifier: GPL-3.0-or-later
"""A HeadModel as one file: an uncompressed .npz of its arrays, displacement fields in half precision, words as JSON.

A file that cannot be read, or holds anything but a valid head, counts as absent. It is written beside its
place and moved there in one step, so no reader ever sees half a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pixel3dmm_blender.wire import Ints, StreamCorrupt
from pixel3dmm_blender.wire.codec import Arrays, decode, encode

from .model import HeadModel

AnyArray: TypeAlias = npt.NDArray[np.generic]
WORDS, ORIGIN = "words", "origin"


@dataclass(frozen=True)
class CachedHead:
    """A head and where its vertices come from."""

    head: HeadModel
    origin: Ints
    """[V] vertex of the mesh that the head was cut from, -1 for geometry of our own."""


def read_head(path: Path) -> CachedHead | None:
    """Read a head; None when the file is absent or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            words = json.loads(str(stored[WORDS]))
            origin = stored[ORIGIN].astype(np.int32)
            count = len(stored.files) - 2
            arrays: Arrays = [_full(stored[str(index)]) for index in range(count)]
        head = decode(HeadModel, words, arrays)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, StreamCorrupt):
        return None
    assert isinstance(head, HeadModel)
    return CachedHead(head, origin)


def write_head(path: Path, cached: CachedHead) -> None:
    """Write a head atomically; a folder that cannot be written is no reason to fail."""
    arrays: Arrays = []
    words = json.dumps(encode(cached.head, arrays))
    table: dict[str, Any] = {str(index): _halved(array) for index, array in enumerate(arrays)}
    table |= {WORDS: np.array(words), ORIGIN: cached.origin}
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, **table)
            Path(beside).replace(path)
        finally:
            Path(beside).unlink(missing_ok=True)


def _halved(array: AnyArray) -> AnyArray:
    """Stacks of displacement fields [N, V, 3] are small numbers, and most of a head."""
    return array.astype(np.float16) if array.ndim == 3 and array.shape[2] == 3 else array


def _full(array: AnyArray) -> AnyArray:
    return array.astype(np.float32) if array.dtype == np.float16 else array
