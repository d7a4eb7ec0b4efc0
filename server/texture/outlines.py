# SPDX-License-Identifier: GPL-3.0-or-later
"""Outlines of the parts of a face in the 478 landmarks, as soft masks over a picture.

Left and right are the subject's.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from pixel3dmm_blender.wire import Bools, Floats

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""From the forehead over the subject's left cheek to the chin and back."""
EYE_RIGHT = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
EYE_LEFT = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
BROW_RIGHT = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
BROW_LEFT = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
BROW_LINE = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
"""The upper edges of both brows, from the subject's right to its left."""
IRIS_RIGHT = (468, 469, 470, 471, 472)
IRIS_LEFT = (473, 474, 475, 476, 477)
"""The centre first."""
NOSE, UPPER_LIP = 1, 0


def polygon_mask(points_px: Floats, shape: tuple[int, int]) -> Bools:
    """Mark the pixels of a picture (H, W) whose centres lie in a polygon [N, 2] (or nearly so)."""
    picture = Image.new("1", (shape[1], shape[0]))
    # Pillow counts from the centre of the first pixel.
    corners = [(float(x), float(y)) for x, y in np.asarray(points_px, np.float64) - 0.5]
    ImageDraw.Draw(picture).polygon(corners, fill=1)
    return np.asarray(picture, bool)


def outline(landmarks_px: Floats, indices: tuple[int, ...], grow: float = 1.0) -> Floats:
    """Take the points of an outline, grown about their mean."""
    points = landmarks_px[list(indices)]
    middle = points.mean(axis=0)
    return middle + grow * (points - middle)


def padded(points_px: Floats, pad_px: float) -> Floats:
    """Move the points of a closed outline away from their mean by ``pad_px``."""
    away = points_px - points_px.mean(axis=0)
    return points_px + pad_px * away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)


def inner_face(landmarks_px: Floats) -> Floats:
    """Outline of what is face in any haircut: brows to chin, a little inside the oval."""
    below = np.array(OVAL[9:28])
    nose = landmarks_px[NOSE]
    jaw = nose + 0.82 * (landmarks_px[below] - nose)
    return np.concatenate([landmarks_px[list(BROW_LINE)], jaw])
