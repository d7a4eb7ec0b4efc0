# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves -> one Action. The only file that knows slots, layers, strips and channelbags."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np

from ..motion.curves import Curve, Owner

_LINEAR: Final = 1
"""Interpolation by its number in Blender's enumeration: between frames there is nothing to ease."""


def key_track(
    name: str, curves: tuple[Curve, ...], rig: bpy.types.Object, keys: bpy.types.Key
) -> bpy.types.Action:
    """Write curves into a new Action with one slot for the armature and one for the shape keys."""
    action = bpy.data.actions.new(name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    for owner, block in ((Owner.RIG, rig), (Owner.KEYS, keys)):
        mine = [curve for curve in curves if curve.owner is owner]
        slot = action.slots.new(id_type=block.id_type, name=block.name)
        block.animation_data_create()
        block.animation_data.action = action
        block.animation_data.action_slot = slot
        _write_curves(strip.channelbag(slot, ensure=True), mine)
    return action


def _write_curves(bag: bpy.types.ActionChannelbag, curves: list[Curve]) -> None:
    groups = {name: bag.groups.new(name) for name in dict.fromkeys(curve.group for curve in curves)}
    for curve in curves:
        written = bag.fcurves.new(curve.data_path, index=curve.index)
        written.group = groups[curve.group]
        count = len(curve.frames)
        written.keyframe_points.add(count)
        pairs = np.stack((curve.frames, curve.values), axis=1).astype(np.float32)
        written.keyframe_points.foreach_set("co", pairs.ravel())
        written.keyframe_points.foreach_set("interpolation", np.full(count, _LINEAR, np.int32))
        written.update()
