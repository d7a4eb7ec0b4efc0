# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as axis-angle vectors (radians) and as matrices."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles


def rotations_from_vectors(vectors: Doubles) -> Doubles:
    """Axis-angle vectors [N, 3] -> rotation matrices [N, 3, 3] (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    cross = _cross_matrices(vectors)
    # sin(a)/a and (1 - cos(a))/a^2, both smooth at 0.
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(0.5 * angle / np.pi) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def rotation_from_vector(vector: Doubles) -> Doubles:
    """Axis-angle [3] -> rotation matrix [3, 3]."""
    return rotations_from_vectors(vector[None])[0]


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


def left_jacobians(vectors: Doubles) -> Doubles:
    """Find J [N, 3, 3] with exp(v + d) = exp(J d) exp(v) to first order in d, v axis-angle [N, 3] (Sola 2018, 145)."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    cross = _cross_matrices(vectors)
    # (1 - cos(a))/a^2 and (a - sin(a))/a^3, both smooth at 0.
    first = 0.5 * np.sinc(0.5 * angle / np.pi) ** 2
    safe = np.maximum(angle, 1e-3)
    second = np.where(angle < 1e-3, 1 / 6 - angle**2 / 120, (safe - np.sin(safe)) / safe**3)
    return np.eye(3) + first * cross + second * (cross @ cross)


def _cross_matrices(vectors: Doubles) -> Doubles:
    """[N, 3, 3] with M a = v x a."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
