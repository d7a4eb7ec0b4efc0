# SPDX-License-Identifier: GPL-3.0-or-later
"""axis-angle (radians, on the wire), matrices, unit quaternions (w, x, y, z, in Blender)."""

from __future__ import annotations

import numpy as np

from ..wire import Doubles, Floats


def matrix_from_axis_angle(axis_angle: Floats | Doubles) -> Doubles:
    """Turn axis-angle vectors [..., 3] into matrices [..., 3, 3] (Rodrigues' formula)."""
    vectors = np.asarray(axis_angle, np.float64)
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    zero = np.zeros_like(x)
    cross = np.stack((zero, -z, y, z, zero, -x, -y, x, zero), axis=-1).reshape(*x.shape, 3, 3)
    # sin(a)/a and (1 - cos(a))/a^2 through sinc, which is exact at 0.
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2.0 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def quaternion_from_axis_angle(axis_angle: Floats | Doubles) -> Doubles:
    """Turn axis-angle vectors [..., 3] into unit quaternions [..., 4]."""
    vectors = np.asarray(axis_angle, np.float64)
    half = 0.5 * np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.concatenate((np.cos(half), 0.5 * np.sinc(half / np.pi) * vectors), axis=-1)


def matrix_from_quaternion(quaternions: Doubles) -> Doubles:
    """Turn unit quaternions [..., 4] into matrices [..., 3, 3]."""
    w, x, y, z = np.moveaxis(np.asarray(quaternions, np.float64), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def unwrap_quaternions(quaternions: Doubles) -> Doubles:
    """Choose signs along time [T, 4] so that no step flips: to an F-curve q and -q differ."""
    steps = np.sum(quaternions[1:] * quaternions[:-1], axis=-1)
    signs = np.cumprod(np.concatenate(([1.0], np.where(steps < 0.0, -1.0, 1.0))))
    return quaternions * signs[:, None]
