# SPDX-License-Identifier: GPL-3.0-or-later
"""The chosen file as Footage: by path for an engine on this machine, else as pixels."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..rig.camera import load_upright, picture_size
from ..wire import Footage, FootageUnreadable
from .preferences import read_settings


def read_footage(path: Path, focal_35mm: float) -> Footage:
    """Describe the footage for the engine that is set; focal length in mm, 0 if nobody knows it."""
    if not _is_file(path):
        raise FootageUnreadable(f"There is no file {path}.", "Choose a photo or a clip.")
    if not read_settings().is_remote:
        return Footage(path=str(path.resolve()), focal_35mm=focal_35mm)
    return Footage(pixels=_read_pixels(path), focal_35mm=focal_35mm)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def _read_pixels(path: Path) -> np.ndarray:
    image = load_upright(path)
    try:
        if image.source == "MOVIE":
            raise FootageUnreadable(
                "A clip cannot be sent to an engine on another machine.", "Send a photo."
            )
        width, height = picture_size(image)
        pixels = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(pixels)
        upright = pixels.reshape(height, width, image.channels)[::-1]
        color = upright[..., :3] if image.channels >= 3 else np.repeat(upright[..., :1], 3, axis=2)
        return np.rint(np.clip(color, 0.0, 1.0) * 255.0).astype(np.uint8)
    finally:
        bpy.data.images.remove(image)
