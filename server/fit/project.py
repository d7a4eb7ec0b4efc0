# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera projection and its Jacobian.

Pixels: the centre of the first one is (0.5, 0.5). Camera frame: OpenCV, metres.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles


def project(points_camera: Doubles, focal_px: float, center_px: Doubles) -> Doubles:
    """[K, 3] in the camera frame -> [K, 2] pixels."""
    return focal_px * points_camera[:, :2] / points_camera[:, 2:] + center_px


def projection_jacobian(points_camera: Doubles, focal_px: float) -> Doubles:
    """D pixel / d point, [K, 2, 3]: f / z [1 0 -x/z; 0 1 -y/z]."""
    x, y, z = points_camera.T
    jacobian = np.zeros((len(points_camera), 2, 3))
    jacobian[:, 0, 0] = jacobian[:, 1, 1] = focal_px / z
    jacobian[:, 0, 2] = -focal_px * x / z**2
    jacobian[:, 1, 2] = -focal_px * y / z**2
    return jacobian
