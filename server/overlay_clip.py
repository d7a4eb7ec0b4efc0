# SPDX-License-Identifier: GPL-3.0-or-later
"""The fit laid over a clip, as a movie: where it jumps, lags or slips is seen at once."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pixel3dmm_blender.wire import Bytes, Footage, Tracked

from .footage import read_footage
from .heads.model import HeadModel
from .overlay import draw_window, face_window
from .posed_frame import world_frame
from .raster import Indices

RIM = 8
LOST = (230, 40, 40)
"""Colour of the rim of a frame in which no face was found."""
_DEFAULT_FPS = 25


def write_overlay_clip(path: Path, footage: Footage, tracked: Tracked, model: HeadModel) -> None:
    """Write a movie of all frames of a track; frames without a face have a red rim and the bridged head."""
    track = tracked.track
    wanted = {int(frame): i for i, frame in enumerate(track.frames)}
    window = None
    with av.open(str(path), "w") as movie:
        stream = movie.add_stream(
            "mpeg4", rate=Fraction(track.fps or _DEFAULT_FPS).limit_denominator(1001)
        )
        stream.bit_rate = 8_000_000
        for frame in read_footage(footage):
            if frame.index not in wanted:
                continue
            if window is None:
                window = _clip_window(frame.pixels, tracked)
            picture = _draw(frame.pixels, tracked, model, wanted[frame.index], window)
            if not stream.codec_context.is_open:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            movie.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        movie.mux(stream.encode())


def _draw(
    pixels: Bytes, tracked: Tracked, model: HeadModel, index: int, window: tuple[Indices, Indices]
) -> Bytes:
    marks = (tracked.landmarks_px[index], tracked.fitted_px[index])
    world = world_frame(tracked, model, index)
    picture = draw_window(pixels, model, world, tracked.track.camera, marks, window).copy()
    if not tracked.track.valid[index]:
        for edge in (picture[:RIM], picture[-RIM:], picture[:, :RIM], picture[:, -RIM:]):
            edge[:] = LOST
    height, width = (side - side % 2 for side in picture.shape[:2])  # movies have even sides
    return np.ascontiguousarray(picture[:height, :width])


def _clip_window(pixels: Bytes, tracked: Tracked) -> tuple[Indices, Indices]:
    """One window for all frames, so that the movie does not move by itself."""
    return face_window(pixels, tracked.landmarks_px.reshape(-1, 2))
