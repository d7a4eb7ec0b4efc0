# SPDX-License-Identifier: GPL-3.0-or-later
"""Closed-form start: a scaled-orthographic camera, read as a perspective one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles

_ROUNDS = 8
_LEAST_WEIGHT = 1e-12


@dataclass(frozen=True, eq=False)
class Correspondences:
    """N points of the head and where they were seen."""

    points: Doubles
    """[N, 3] head frame, metres."""
    pixels: Doubles
    """[N, 2]"""
    weights: Doubles
    """[N]"""


def start_pose(
    seen: Correspondences, focal_px: float, center_px: Doubles, *, robust: bool = False
) -> tuple[Doubles, Doubles]:
    """Find rotation [3, 3] and translation [3] (head -> camera) that put head points on their pixels.

    Least squares of the affine camera ``pixel = A point + b``; the rotation nearest to A's rows gives the pose, their
    length the depth. Exact for a far camera, good to some degrees for a near one. ``robust`` weights the points again
    by how far they lie from the last answer (Cauchy, scale from the median): pixels of a dense map may be anywhere.
    """
    offsets = seen.pixels - center_px
    affine = _fit_affine(seen.points, offsets, seen.weights)
    for _ in range(_ROUNDS if robust else 0):
        away = np.linalg.norm(_apply(affine, seen.points) - offsets, axis=1)
        scale = 1.5 * float(np.median(away[seen.weights > 0])) + 1e-9
        affine = _fit_affine(seen.points, offsets, seen.weights / (1.0 + (away / scale) ** 2) ** 2)
    u, stretch, vt = np.linalg.svd(affine[:3].T, full_matrices=False)
    upper = u @ vt
    rotation = np.vstack([upper, np.cross(upper[0], upper[1])])
    depth = focal_px / max(float(stretch.mean()), 1e-9)
    middle = (seen.weights @ seen.points) / max(seen.weights.sum(), _LEAST_WEIGHT)
    shift = _apply(affine, middle[None])[0]
    position = np.array([*(shift * depth / focal_px), depth])
    return rotation, position - rotation @ middle


def _apply(affine: Doubles, points: Doubles) -> Doubles:
    return points @ affine[:3] + affine[3]


def _fit_affine(points: Doubles, offsets: Doubles, weights: Doubles) -> Doubles:
    """[4, 2]: three rows of A', and b; by least squares about the weighted middle."""
    middle = (weights @ points) / max(weights.sum(), _LEAST_WEIGHT)
    design = np.concatenate([points - middle, np.ones((len(points), 1))], 1)
    weighted = design * weights[:, None]
    solution, *_ = np.linalg.lstsq(weighted.T @ design, weighted.T @ offsets, rcond=None)
    solution[3] -= middle @ solution[:3]
    return np.asarray(solution, np.float64)
