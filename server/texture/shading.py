# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that the photo brought along: a low-frequency spherical-harmonic fit, divided out gently.

Log luminance of the skin = log albedo + h . Y(n), with Y the first nine real spherical harmonics of the normal n
(Ramamoorthi and Hanrahan 2001: irradiance of a distant light lies in them). Skin is taken as one albedo, robustly.
"""

from __future__ import annotations

import numpy as np

from server.raster import Indices, Reals

_STRENGTH = 0.55
"""Share of the fitted light (in log) that is removed: all of it would flatten shape that belongs to the person."""
_RANGE = (0.7, 1.35)
"""No place is brightened or darkened beyond this."""
_RIDGE = np.array([0.0, 1, 1, 1, 3, 3, 3, 3, 3]) * 0.02
"""Per harmonic, against fitting freckles: relative to the number of vertices."""


def vertex_normals(points: Reals, triangles: Indices) -> Reals:
    """Area-weighted unit normals [V, 3]; a vertex without a face has none (0, 0, 0)."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    sums = np.stack(
        [
            sum(
                np.bincount(triangles[:, k], face[:, axis], minlength=len(points)) for k in range(3)
            )
            for axis in range(3)
        ],
        axis=1,
    )
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.maximum(length, 1e-20)).astype(np.float32)


def fit_light(luminance: Reals, normals: Reals, weight: Reals) -> Reals:
    """Estimate how much brighter than average each vertex is lit.

    Args:
        luminance: [V] linear, of what was seen.
        normals: [V, 3] in any one frame.
        weight: [V] >= 0, 0 where the luminance is unknown.

    Returns:
        [V] factors about 1 to divide by, already softened; all 1 when too little was seen.
    """
    if np.count_nonzero(weight > 0.1) < 50:
        return np.ones(len(luminance), np.float32)
    basis = _harmonics(normals.astype(np.float64))
    log = np.log(np.maximum(luminance, 1e-3)).astype(np.float64)
    robust = weight.astype(np.float64)
    coefficients = np.zeros(9)
    for _ in range(5):
        normal = basis.T @ (robust[:, None] * basis) + np.diag(_RIDGE * robust.sum())
        coefficients = np.linalg.solve(normal + 1e-9 * np.eye(9), basis.T @ (robust * log))
        residual = (log - basis @ coefficients) / 0.15
        robust = weight / (1.0 + residual**2)
    fitted = basis @ coefficients
    middle = np.average(fitted, weights=weight)
    return np.exp(np.clip(_STRENGTH * (fitted - middle), *np.log(_RANGE))).astype(np.float32)


def _harmonics(normals: Reals) -> Reals:
    x, y, z = normals.T
    rows = [np.ones_like(x), x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1]
    return np.stack(rows, axis=1)  # type: ignore[return-value]
