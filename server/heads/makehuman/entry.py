# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading the MakeHuman head: from its cache, or built from the wheel and put there."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pixel3dmm_blender.wire import Ints

from ..cache import CachedHead, read_head, write_head
from ..embedding import MEASURED_FILE, read_measured
from ..model import HeadModel
from .archive import WHEEL, wheel_digest
from .assemble import NAME, build_head

BUILDER_VERSION = 13
"""To be raised whenever the code of this folder would build another head from the same files."""


def is_present(models: Path) -> bool:
    """Say whether the wheel is in the models folder."""
    return (models / WHEEL).is_file()


def load(models: Path) -> HeadModel:
    """Load the head, building it (a few seconds) if the cache does not hold this very one.

    Raises:
        HeadMissing: the wheel is not there.
        WeightsCorrupt: the wheel is damaged.
    """
    return _built(models).head


def hm08_vertices(models: Path) -> Ints:
    """Read which vertex of MakeHuman's base mesh each vertex of the head is, [V]; -1 for geometry of our own."""
    return _built(models).origin


def _built(models: Path) -> CachedHead:
    digest = wheel_digest(models / WHEEL)
    place = models / "cache" / f"{NAME}-{_key(digest)}.npz"
    cached = read_head(place)
    if cached is None:
        cached = build_head(models / WHEEL, digest, read_measured())
        write_head(place, cached)
    return cached


def _key(digest: str) -> str:
    """Digest of all that the head depends on."""
    parts = (digest, str(BUILDER_VERSION), hashlib.sha256(MEASURED_FILE.read_bytes()).hexdigest())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
