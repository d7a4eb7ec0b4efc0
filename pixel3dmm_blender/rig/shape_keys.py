# SPDX-License-Identifier: GPL-3.0-or-later
"""The HeadRig's named keys as shape keys over the person's neutral face."""

from __future__ import annotations

import bpy
import numpy as np

from ..motion.axes import points_to_blender
from ..wire import Floats, HeadRig


def build_keys(head: bpy.types.Object, rig: HeadRig) -> None:
    """Add "Basis" and all named keys, every value 0."""
    basis = points_to_blender(rig.neutral)
    head.shape_key_add(name="Basis", from_mix=False)
    reference = head.data.shape_keys.reference_key
    reference.points.foreach_set("co", basis.ravel())
    offsets = points_to_blender(rig.keys)
    for name, offset, low, high in zip(
        rig.key_names, offsets, rig.key_min, rig.key_max, strict=True
    ):
        key = head.shape_key_add(name=name, from_mix=False)
        key.points.foreach_set("co", (basis + offset).ravel())
        key.slider_min, key.slider_max = float(low), float(high)
        # Blender 5.0 and later give a new key the value 1.
        key.value = 0.0


def set_keys(head: bpy.types.Object, names: tuple[str, ...], values: Floats) -> None:
    """Set the values [N] of named keys; sliders that are too short are lengthened."""
    widen_sliders(head, names, values[None])
    blocks = head.data.shape_keys.key_blocks
    for name, value in zip(names, values.tolist(), strict=True):
        blocks[name].value = value


def widen_sliders(head: bpy.types.Object, names: tuple[str, ...], values: Floats) -> None:
    """Let the sliders reach all values [T, N], for Blender clamps what lies outside."""
    blocks = head.data.shape_keys.key_blocks
    for name, low, high in zip(
        names, np.min(values, axis=0).tolist(), np.max(values, axis=0).tolist(), strict=True
    ):
        blocks[name].slider_min = min(blocks[name].slider_min, low)
        blocks[name].slider_max = max(blocks[name].slider_max, high)
