# SPDX-License-Identifier: GPL-3.0-or-later
"""The view of a head: from where the camera sees it, and what the network gets wrong from there.

A head-to-camera rotation is read as R = Rz(roll) . diag(1, -1, -1) . Rx(-pitch) . Ry(yaw): the
camera circles the head (azimuth about the head's y axis, then elevation) and finally turns about
its own axis. Head: x to the subject's left, y up, z out of the face. Camera: OpenCV (x right,
y down, z forward), so diag(1, -1, -1) is the frontal view. The calibration is measured with, and
the fit applies it through, the functions of this file and only these.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles, Floats
from server.heads.model import ViewCalibration

YAW_LIMIT_RAD = float(np.radians(45.0))
"""The calibration was measured up to here; beyond, the value at the limit is used."""
PITCH_LIMIT_RAD = float(np.radians(25.0))


def view_angles(rotation_head_to_camera: Doubles | Floats) -> tuple[float, float]:
    """Return (yaw, pitch) in radians of a head-to-camera rotation [3, 3]; frontal is (0, 0).

    yaw > 0: the subject turns to its left (the nose moves to the image's right); pitch > 0: it
    looks up. Both follow from the direction to the camera in the head's frame alone, so turning
    the image changes neither.
    """
    to_camera = -np.asarray(rotation_head_to_camera, dtype=np.float64)[2]
    yaw = np.arctan2(-to_camera[0], to_camera[2])
    pitch = np.arctan2(-to_camera[1], np.hypot(to_camera[0], to_camera[2]))
    return float(yaw), float(pitch)


def view_roll(rotation_head_to_camera: Doubles | Floats) -> float:
    """Return the clockwise turn of the head in the image, radians; 0 when its y axis points up."""
    up = np.asarray(rotation_head_to_camera, dtype=np.float64)[:, 1]
    return float(np.arctan2(up[0], -up[1]))


def view_rotation(yaw: float, pitch: float, roll: float = 0.0) -> Doubles:
    """Return the head-to-camera rotation [3, 3]: the inverse of `view_angles` and `view_roll`."""
    cos, sin = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    azimuth = np.array([[cos[0], 0, sin[0]], [0, 1, 0], [-sin[0], 0, cos[0]]])
    elevation = np.array([[1, 0, 0], [0, cos[1], sin[1]], [0, -sin[1], cos[1]]])
    turn = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
    return turn @ np.diag([1.0, -1.0, -1.0]) @ elevation @ azimuth


def view_terms(yaw: float, pitch: float) -> Doubles:
    """Return the regressors [7], [1, yaw, pitch, yaw^2, pitch^2, yaw*pitch, yaw^3]."""
    return np.array([1.0, yaw, pitch, yaw**2, pitch**2, yaw * pitch, yaw**3])


def calibration_offsets(
    calibration: ViewCalibration, yaw: float, pitch: float, roll: float = 0.0
) -> Doubles:
    """Return network minus true projection, [K, 2] metres in the image plane (x right, y down).

    Multiply by focal_px / depth_m and subtract from the landmarks. Yaw and pitch are clamped to
    the measured range. The network straightens its crop, so its offsets turn with the head:
    `roll` is that of `view_roll`.
    """
    yaw = float(np.clip(yaw, -YAW_LIMIT_RAD, YAW_LIMIT_RAD))
    pitch = float(np.clip(pitch, -PITCH_LIMIT_RAD, PITCH_LIMIT_RAD))
    upright = np.einsum("n,nkc->kc", view_terms(yaw, pitch), calibration.coefficients)
    cos, sin = np.cos(roll), np.sin(roll)
    return upright @ np.array([[cos, sin], [-sin, cos]])
