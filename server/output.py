# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reconstruction leaves in its folder: meshes, overlay and track of one footage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pixel3dmm_blender.wire import Bytes, FaceTrack, Floats, Footage, Tracked

from .export import write_clip, write_photo
from .footage import read_footage
from .heads.deform import expressed, pose
from .heads.model import HeadModel
from .overlay import draw_overlay
from .rotation import rotation_from_vector
from .sight import is_clip_footage


def write_results(
    folder: Path, footage: Footage, tracked: Tracked, model: HeadModel, meshes: bool
) -> None:
    """Write the results of one photo or clip; ``meshes`` adds one OBJ for each frame of a clip."""
    if is_clip_footage(footage):
        every = (pose_frame(tracked, model, index) for index in range(len(tracked.track.frames)))
        best = int(np.nanargmin(tracked.track.error_px))
        write_clip(
            folder, tracked, every if meshes else (), _overlay(footage, tracked, model, best)
        )
    else:
        write_photo(
            folder, tracked, pose_frame(tracked, model, 0), _overlay(footage, tracked, model, 0)
        )


def pose_frame(tracked: Tracked, model: HeadModel, index: int) -> Floats:
    """[V, 3] the person's head with the expression and the joints of one frame, head frame, metres."""
    track = tracked.track
    vertices = expressed(model, tracked.rig.neutral, track.expression[index])
    return pose(model, tracked.rig.bone_heads, vertices, track.joint_rotation[index])


def _overlay(footage: Footage, tracked: Tracked, model: HeadModel, index: int) -> Bytes:
    track = tracked.track
    world = _in_world(track, pose_frame(tracked, model, index), index)
    pixels = _pixels(footage, int(track.frames[index]))
    return draw_overlay(
        pixels, model, world, track.camera, tracked.landmarks_px[index], tracked.fitted_px[index]
    )


def _in_world(track: FaceTrack, posed: Floats, index: int) -> Floats:
    rotation = rotation_from_vector(track.rotation[index].astype(np.float64))
    return (posed @ rotation.T + track.transl[index]).astype(np.float32)


def _pixels(footage: Footage, number: int) -> Bytes:
    one = Footage(path=footage.path, pixels=footage.pixels, first=number, last=number)
    frames: Iterator[Bytes] = (frame.pixels for frame in read_footage(one))
    return next(frames)
