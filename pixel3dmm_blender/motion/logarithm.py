# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit quaternions (w, x, y, z) -> axis-angle vectors (radians): the way back to the wire."""

from __future__ import annotations

import numpy as np

from ..wire import Doubles


def axis_angle_from_quaternion(quaternions: Doubles) -> Doubles:
    """Turn unit quaternions [..., 4] into axis-angle vectors [..., 3] of at most half a turn.

    v = 2 atan2(|q_xyz|, q_w) q_xyz / |q_xyz|, of that one of q and -q whose w is not negative.
    """
    upright = np.where(quaternions[..., :1] < 0.0, -quaternions, quaternions)
    sine = np.linalg.norm(upright[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, upright[..., :1])
    # angle / sine tends to 2 where there is no turn.
    rate = np.divide(angle, sine, out=np.full_like(angle, 2.0), where=sine > 1e-12)
    return rate * upright[..., 1:]
