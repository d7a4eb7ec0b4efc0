# SPDX-License-Identifier: GPL-3.0-or-later
"""Sculpt targets: lines of ``vertex dx dy dz`` with ``#`` comments, plain or gzipped, as sparse offsets."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles, Ints
from pixel3dmm_blender.wire.faults import WeightsCorrupt

GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class SparseOffsets:
    """Offsets of N vertices of a mesh, in the units of the file; all other vertices stay."""

    vertices: Ints
    """[N], each vertex once."""
    offsets: Doubles
    """[N, 3]"""

    def dense(self, vertex_count: int) -> Doubles:
        """Spread the offsets over all vertices of the mesh, [V, 3]."""
        spread = np.zeros((vertex_count, 3))
        spread[self.vertices] = self.offsets
        return spread


def read_target(content: bytes, name: str) -> SparseOffsets:
    """Read one target file; ``name`` is only for the words of the error.

    Raises:
        WeightsCorrupt: the bytes are no gzip stream, no text, or not four numbers a line.
    """
    try:
        plain = gzip.decompress(content) if content[:2] == GZIP_MAGIC else content
        table = _numbers(plain.decode("utf-8"))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise WeightsCorrupt(
            f"The sculpt target {name} cannot be read.",
            "Download the head's files again.",
            str(error),
        ) from error
    vertices, kept = np.unique(table[:, 0].astype(np.int32), return_index=True)
    return SparseOffsets(vertices, table[kept, 1:])


def _numbers(text: str) -> Doubles:
    """Parse all lines at once: [N, 4]."""
    if "#" in text:
        text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    flat = np.array(text.split(), dtype=np.float64)
    if flat.size % 4:
        raise ValueError(f"{flat.size} numbers do not make lines of four")
    table = flat.reshape(-1, 4)
    if np.any(table[:, 0] < 0) or np.any(table[:, 0] != np.rint(table[:, 0])):
        raise ValueError("a vertex number is no whole number")
    return table
