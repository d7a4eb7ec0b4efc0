# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera projection and its Jacobian, and rotations.

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


def rotation_from_vector(vector: Doubles) -> Doubles:
    """Axis-angle [3] in radians -> rotation matrix [3, 3] (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    k = cross_matrix(vector)
    if angle < 1e-8:
        return np.eye(3) + k
    return np.eye(3) + np.sin(angle) / angle * k + (1 - np.cos(angle)) / angle**2 * (k @ k)


def vector_from_rotation(rotation: Doubles) -> Doubles:
    """Rotation matrix [3, 3] -> axis-angle [3] in radians, also near half turns (through the quaternion)."""
    m = rotation
    w = np.array([m.trace(), m[0, 0], m[1, 1], m[2, 2]])
    largest = int(np.argmax(w))
    if largest == 0:
        quaternion = np.array(
            [1 + m.trace(), m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]]
        )
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        quaternion = np.zeros(4)
        quaternion[0] = m[k, j] - m[j, k]
        quaternion[1 + i] = 1 + m[i, i] - m[j, j] - m[k, k]
        quaternion[1 + j] = m[j, i] + m[i, j]
        quaternion[1 + k] = m[k, i] + m[i, k]
    quaternion /= np.linalg.norm(quaternion)
    if quaternion[0] < 0:
        quaternion = -quaternion
    sine = float(np.linalg.norm(quaternion[1:]))
    if sine < 1e-12:
        return 2 * quaternion[1:]
    return quaternion[1:] / sine * 2 * np.arctan2(sine, quaternion[0])


def cross_matrix(vector: Doubles) -> Doubles:
    """[3] -> the matrix K with K @ p = vector x p."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
