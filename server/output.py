# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reconstruction leaves in its folder: meshes, overlay and track of one footage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixel3dmm_blender.wire import Bytes, Footage, Tracked

from .export import write_clip, write_photo
from .footage import read_footage
from .heads.model import HeadModel
from .overlay import draw_overlay
from .overlay_clip import write_overlay_clip
from .posed_frame import pose_frame, world_frame
from .sight import is_clip_footage


@dataclass(frozen=True)
class Extras:
    """What is written for a clip beside the usual."""

    meshes: bool = False
    """One OBJ for each frame."""
    overlays: bool = False
    """The head over every frame, as a movie."""


def write_results(
    folder: Path, footage: Footage, tracked: Tracked, model: HeadModel, extras: Extras
) -> None:
    """Write the results of one photo or clip."""
    if is_clip_footage(footage):
        meshes = extras.meshes
        every = (pose_frame(tracked, model, index) for index in range(len(tracked.track.frames)))
        best = int(np.nanargmin(tracked.track.error_px))
        write_clip(
            folder, tracked, every if meshes else (), _overlay(footage, tracked, model, best)
        )
        if extras.overlays:
            write_overlay_clip(folder / "overlay.mp4", footage, tracked, model)
    else:
        write_photo(
            folder, tracked, pose_frame(tracked, model, 0), _overlay(footage, tracked, model, 0)
        )


def _overlay(footage: Footage, tracked: Tracked, model: HeadModel, index: int) -> Bytes:
    track = tracked.track
    world = world_frame(tracked, model, index)
    pixels = _pixels(footage, int(track.frames[index]))
    return draw_overlay(
        pixels, model, world, track.camera, tracked.landmarks_px[index], tracked.fitted_px[index]
    )


def _pixels(footage: Footage, number: int) -> Bytes:
    one = Footage(path=footage.path, pixels=footage.pixels, first=number, last=number)
    frames: Iterator[Bytes] = (frame.pixels for frame in read_footage(one))
    return next(frames)
