# SPDX-License-Identifier: GPL-3.0-or-later
"""Closed-form start: a scaled-orthographic camera, read as a perspective one."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles


def start_pose(
    points: Doubles, pixels: Doubles, weights: Doubles, focal_px: float, center_px: Doubles
) -> tuple[Doubles, Doubles]:
    """Find rotation [3, 3] and translation [3] (head -> camera) that put head points [K, 3] on pixels [K, 2].

    Least squares of the affine camera ``pixel = A point + b``; the rotation nearest to A's rows gives the pose, their
    length the depth. Exact for a far camera, good to some degrees for a near one.
    """
    root = np.sqrt(weights)[:, None]
    middle = (weights @ points) / weights.sum()
    design = np.concatenate([points - middle, np.ones((len(points), 1))], 1)
    solution, *_ = np.linalg.lstsq(design * root, (pixels - center_px) * root, rcond=None)
    rows, shift = solution[:3].T, solution[3]
    u, stretch, vt = np.linalg.svd(rows, full_matrices=False)
    upper = u @ vt
    rotation = np.vstack([upper, np.cross(upper[0], upper[1])])
    depth = focal_px / float(stretch.mean())
    position = np.array([*(shift * depth / focal_px), depth])
    return rotation, position - rotation @ middle
