# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceTrack -> what to key, in Blender's terms but without bpy.

Bones are keyed as quaternions in their own rest frame, whose x axis is the subject's left: a
positive turn about x looks down, nods and opens the jaw alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..wire import Doubles, FaceTrack, Floats, HeadRig
from .axes import points_to_blender
from .posing import joint_rotations, key_values
from .rotation import quaternion_from_axis_angle, unwrap_quaternions

FIRST_FRAME = 1
"""Blender's frame of the footage's frame 0."""
_STILL = 1e-6


class Owner(Enum):
    """The datablock that a curve belongs to."""

    RIG = "rig"
    """The armature object."""
    KEYS = "keys"
    """The shape keys of the head's mesh."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One animated number over K Blender frames."""

    owner: Owner
    data_path: str
    index: int
    group: str
    frames: Floats
    """[K]"""
    values: Floats
    """[K]"""


def describe_track(rig: HeadRig, track: FaceTrack, place: Floats) -> tuple[Curve, ...]:
    """Describe every motion of a track.

    ``place`` [3] is where the head's origin stands in the scene, in Blender's axes and metres.
    """
    frames = (track.frames + FIRST_FRAME).astype(np.float32)
    location = points_to_blender(track.transl).astype(np.float64) + place
    turned = unwrap_quaternions(quaternion_from_axis_angle(points_to_blender(track.rotation)))
    curves = _channels(frames, "location", "Head in the World", location)
    curves += _channels(frames, "rotation_quaternion", "Head in the World", turned)
    for name, turns in zip(
        rig.bone_names, np.moveaxis(bone_quaternions(rig, track), 1, 0), strict=True
    ):
        if np.ptp(turns, axis=0).max() > _STILL or np.abs(turns[0, 1:]).max() > _STILL:
            curves += _channels(
                frames, f'pose.bones["{name}"].rotation_quaternion', name, unwrap_quaternions(turns)
            )
    for name, values in zip(rig.key_names, key_values(rig, track).T, strict=True):
        if np.abs(values).max() > _STILL:
            curves.append(
                Curve(Owner.KEYS, f'key_blocks["{name}"].value', 0, "Expression", frames, values)
            )
    return tuple(curves)


def bone_quaternions(rig: HeadRig, track: FaceTrack) -> Doubles:
    """Express the track's joint rotations in the bones' rest frames: [T, J, 4]."""
    vectors = points_to_blender(joint_rotations(rig, track)).astype(np.float64)
    return quaternion_from_axis_angle(np.einsum("jab,tja->tjb", bone_frames(rig), vectors))


def bone_frames(rig: HeadRig) -> Doubles:
    """Find the bones' rest axes, columns of [J, 3, 3]: y along the bone, x the subject's left."""
    along = points_to_blender((rig.bone_tails - rig.bone_heads).astype(np.float64))
    y = along / np.linalg.norm(along, axis=1, keepdims=True)
    # A bone that itself points sideways has no left; any axis across it will do.
    is_sideways = np.abs(y[:, 0]) > 0.99
    left = np.zeros_like(y)
    left[:, 0], left[:, 2] = ~is_sideways, is_sideways
    x = left - np.sum(left * y, axis=1, keepdims=True) * y
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    frames = np.empty((len(y), 3, 3))
    frames[:, :, 0], frames[:, :, 1], frames[:, :, 2] = x, y, np.cross(x, y)
    return frames


def _channels(frames: Floats, path: str, group: str, values: Doubles) -> list[Curve]:
    return [
        Curve(Owner.RIG, path, index, group, frames, values[:, index].astype(np.float32))
        for index in range(values.shape[1])
    ]
