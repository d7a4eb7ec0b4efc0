# SPDX-License-Identifier: GPL-3.0-or-later
"""Shot: one photo of one posed head, cut to the face and scaled to what the texture can hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from PIL import Image

from pixel3dmm_blender.wire import Bytes, Camera, Floats, Record
from server.detect.topology import CHIN, FOREHEAD
from server.raster import Reals


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shot(Record):
    """What a texture is made from. V vertices, K landmarks."""

    posed: Annotated[Floats, "V 3"]
    """World, metres."""
    camera: Camera
    pixels: Annotated[Bytes, "H W 3"]
    """sRGB, top row first."""
    landmarks_px: Annotated[Floats, "K 2"]
    """The 478 points of the face-mesh network, where the photo has them."""

    def face_height_px(self) -> float:
        """Distance from the top of the forehead to the chin."""
        return float(np.linalg.norm(self.landmarks_px[CHIN] - self.landmarks_px[FOREHEAD]))


def crop_shot(shot: Shot) -> Shot:
    """Cut out face and hair; a face half outside the photo is fine. The camera and the landmarks follow."""
    height = shot.face_height_px()
    low = np.floor(shot.landmarks_px.min(axis=0) - 0.75 * height).astype(int)
    high = np.ceil(shot.landmarks_px.max(axis=0) + 0.75 * height).astype(int)
    size = np.array(shot.pixels.shape[1::-1])
    low, high = np.clip(low, 0, size - 1), np.clip(high, 1, size)
    high = np.maximum(high, low + 1)
    pixels = shot.pixels[low[1] : high[1], low[0] : high[0]]
    return _moved(shot, np.ascontiguousarray(pixels), low.astype(np.float64), np.ones(2))


def shrink_shot(shot: Shot, face_height_px: float) -> Shot:
    """Scale a photo down to a face of at most ``face_height_px`` (never up), averaging, so that nothing aliases."""
    wanted = face_height_px / shot.face_height_px()
    if wanted >= 1.0:
        return shot
    size = np.array(shot.pixels.shape[1::-1])
    small = np.maximum(np.round(size * wanted).astype(int), 1)
    picture = Image.fromarray(shot.pixels)
    resized = picture.resize((int(small[0]), int(small[1])), Image.Resampling.BOX, reducing_gap=3.0)
    return _moved(shot, np.asarray(resized), np.zeros(2), small / size)


def _moved(shot: Shot, pixels: Bytes, low: Reals, scale: Reals) -> Shot:
    """The camera has one focal length: the two scales differ by rounding only, so their mean serves the focal."""
    camera = replace(
        shot.camera,
        width=pixels.shape[1],
        height=pixels.shape[0],
        focal_px=shot.camera.focal_px * float(scale.mean()),
        center_px=(shot.camera.center_px - low) * scale,
    )
    landmarks = ((shot.landmarks_px - low) * scale).astype(np.float32)
    return Shot(posed=shot.posed, camera=camera, pixels=pixels, landmarks_px=landmarks)
