# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a new head stands: at the world's origin, or beside what stands there already."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from ..motion.axes import points_to_blender
from ..wire import Floats, HeadRig

_CLEAR_M = (1.0, 0.05, 0.05)
"""Free space around the head: to its sides enough that its camera sees the plate and nothing else."""
_SURROUNDINGS_M = 10.0
"""What is longer than this is a floor, a room or a sky: a head stands in it, not beside it."""
_TRIES = 64


def find_free_place(scene: bpy.types.Scene, rig: HeadRig) -> Floats:
    """Find the first free place [3] for the head along +x (Blender axes, metres)."""
    vertices = points_to_blender(rig.neutral)
    low, high = vertices.min(axis=0) - _CLEAR_M, vertices.max(axis=0) + _CLEAR_M
    boxes = [
        _box_of(each)
        for each in scene.objects
        if each.type in ("MESH", "CURVE", "META") and each.visible_get()
    ]
    boxes = [box for box in boxes if np.max(box[1] - box[0]) <= _SURROUNDINGS_M]
    place = np.zeros(3, np.float32)
    for _ in range(_TRIES):
        struck = [
            box for box in boxes if np.all(box[0] < high + place) and np.all(box[1] > low + place)
        ]
        if not struck:
            return place
        place[0] = max(box[1][0] for box in struck) - low[0] + 1e-3
    return place


def _box_of(owner: bpy.types.Object) -> tuple[Floats, Floats]:
    corners = np.array(
        [owner.matrix_world @ Vector(corner) for corner in owner.bound_box], np.float32
    )
    return corners.min(axis=0), corners.max(axis=0)
