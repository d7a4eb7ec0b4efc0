# SPDX-License-Identifier: GPL-3.0-or-later
"""The vertices of one frame of a track."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Floats, Tracked

from .heads.deform import expressed, pose
from .heads.model import HeadModel
from .rotation import rotation_from_vector


def pose_frame(tracked: Tracked, model: HeadModel, index: int) -> Floats:
    """[V, 3] the person's head with the expression and the joints of one frame, head frame, metres."""
    track = tracked.track
    vertices = expressed(model, tracked.rig.neutral, track.expression[index])
    return pose(model, tracked.rig.bone_heads, vertices, track.joint_rotation[index])


def world_frame(tracked: Tracked, model: HeadModel, index: int) -> Floats:
    """[V, 3] the same in the world of the track's camera."""
    track, posed = tracked.track, pose_frame(tracked, model, index)
    rotation = rotation_from_vector(track.rotation[index].astype(np.float64))
    return (posed @ rotation.T + track.transl[index]).astype(np.float32)
