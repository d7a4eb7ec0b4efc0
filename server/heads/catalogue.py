# SPDX-License-Identifier: GPL-3.0-or-later
"""Which heads there are, whether their files are present, and loading them through the cache."""

from __future__ import annotations

from pathlib import Path

from pixel3dmm_blender.wire import HeadMissing

from . import makehuman
from .model import HeadModel

HEADS = (makehuman.NAME,)


def available_heads(models: Path) -> tuple[str, ...]:
    """List the heads whose files are in the models folder."""
    return tuple(name for name in HEADS if makehuman.is_present(models))


def licence_of(name: str) -> str:
    """Say what a head is made with and whether commercial use is allowed."""
    return {makehuman.NAME: makehuman.LICENCE}[name]


def load_head(name: str, models: Path) -> HeadModel:
    """Load a head by name from the files in the models folder; its cache is ``models/cache``.

    Raises:
        HeadMissing: there is no head of this name, or its files are not there or cannot be read.
        WeightsCorrupt: its files are damaged.
    """
    if name != makehuman.NAME:
        raise HeadMissing(f"There is no head named {name}.", f"Choose one of: {', '.join(HEADS)}.")
    try:
        return makehuman.load(models)
    except OSError as error:
        raise HeadMissing(
            f"The files of the head {name} cannot be read: {error.strerror or error}.",
            f"Check the permissions of {models}, or install the engine again.",
        ) from error
