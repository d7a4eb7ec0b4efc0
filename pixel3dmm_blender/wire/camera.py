# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera convention, stated once.

Pixels: origin at the top left corner of the picture, x right, y down, the centre of the first pixel is (0.5, 0.5).
Camera frame: OpenCV (x right, y down, z forward), metres. ``world_to_camera`` takes world points (metres, y up) there.
Projection: ``px = focal_px * xy / z + center_px``; square pixels, no distortion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from .record import Doubles, Record


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Camera(Record):
    """One pinhole camera that stands still."""

    width: int
    height: int
    focal_px: float
    center_px: Annotated[Doubles, "2"]
    world_to_camera: Annotated[Doubles, "4 4"]
    """Rigid: rotation and translation in metres."""
    focal_source: str = "prior"
    """Where the focal length came from: "exif", "user", "frames" (those of a clip show it together) or "prior"."""

    def to_camera(self, points_world: Doubles) -> Doubles:
        """Bring world points [..., 3] into the camera frame."""
        return points_world @ self.world_to_camera[:3, :3].T + self.world_to_camera[:3, 3]

    def project(self, points_world: Doubles) -> Doubles:
        """World points [..., 3] in metres -> pixels [..., 2]."""
        points = self.to_camera(np.asarray(points_world, np.float64))
        return self.focal_px * points[..., :2] / points[..., 2:] + self.center_px
