# SPDX-License-Identifier: GPL-3.0-or-later
"""All or nothing: when building fails half way, what was built so far is taken out of the file again."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import bpy


@contextmanager
def all_or_nothing() -> Generator[None]:
    """Remove every datablock that was made inside, if the inside is left by an exception."""
    known = {each.session_uid for each in _datablocks()}
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            bpy.data.batch_remove([x for x in _datablocks() if x.session_uid not in known])


def _datablocks() -> Iterator[bpy.types.ID]:
    """All of the kinds that a person is made of; what belongs to them (keys, node trees) goes with them."""
    file = bpy.data
    for kind in (file.collections, file.objects, file.meshes, file.armatures, file.cameras):
        yield from kind
    for kind in (file.materials, file.images, file.actions):
        yield from kind
