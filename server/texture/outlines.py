# SPDX-License-Identifier: GPL-3.0-or-later
"""Outlines of the parts of a face in the 478 landmarks, as soft masks over a picture.

Left and right are the subject's.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from pixel3dmm_blender.wire import Bools
from server.detect.topology import (
    FACE_OVAL,
    LEFT_BROW_LOWER,
    LEFT_BROW_UPPER,
    RIGHT_BROW_LOWER,
    RIGHT_BROW_UPPER,
)
from server.raster import Reals

BROW_LINE = RIGHT_BROW_UPPER + LEFT_BROW_UPPER[::-1]
"""The upper edges of both brows, from the subject's right to its left."""
BROW_RIGHT = RIGHT_BROW_UPPER + RIGHT_BROW_LOWER[::-1]
BROW_LEFT = LEFT_BROW_UPPER + LEFT_BROW_LOWER[::-1]
IRIS_RIGHT = (468, 469, 470, 471, 472)
IRIS_LEFT = (473, 474, 475, 476, 477)
"""The centre first."""
NOSE, UPPER_LIP = 1, 0


def polygon_mask(points_px: Reals, shape: tuple[int, int]) -> Bools:
    """Mark the pixels of a picture (H, W) whose centres lie in a polygon [N, 2] (or nearly so)."""
    picture = Image.new("1", (shape[1], shape[0]))
    # Pillow counts from the centre of the first pixel.
    corners = [(float(x), float(y)) for x, y in np.asarray(points_px, np.float64) - 0.5]
    ImageDraw.Draw(picture).polygon(corners, fill=1)
    return np.asarray(picture, bool)


def outline(landmarks_px: Reals, indices: tuple[int, ...], grow: float = 1.0) -> Reals:
    """Take the points of an outline, grown about their mean."""
    points = landmarks_px[list(indices)]
    middle = points.mean(axis=0)
    return middle + grow * (points - middle)


def padded(points_px: Reals, pad_px: float) -> Reals:
    """Move the points of a closed outline away from their mean by ``pad_px``."""
    away = points_px - points_px.mean(axis=0)
    return points_px + pad_px * away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)


def inner_face(landmarks_px: Reals) -> Reals:
    """Outline of what is face in any haircut: brows to chin, a little inside the oval."""
    below = np.array(FACE_OVAL[9:28])
    nose = landmarks_px[NOSE]
    jaw = nose + 0.82 * (landmarks_px[below] - nose)
    return np.concatenate([landmarks_px[list(BROW_LINE)], jaw])
