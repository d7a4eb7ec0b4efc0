# SPDX-License-Identifier: GPL-3.0-or-later
"""Where image points fall on a seen mesh: the frontmost triangle under each point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

CELL_PX = 8.0
SNAP_M = 0.006
"""A point beside the visible surface snaps to it from at most this far."""


@dataclass(frozen=True, kw_only=True)
class Hits:
    """K image points on the surface."""

    vertices: Ints
    """[K, 3]"""
    weights: Doubles
    """[K, 3] barycentric."""
    cosine: Doubles
    """[K] of the angle between the surface normal and the ray."""
    direct: Bools
    """[K] the ray itself met the surface."""
    found: Bools
    """[K] direct, or near enough to be snapped to it."""


def cast_rays(
    points_camera: Doubles, triangles: Ints, wanted: Bools, rays: Doubles, focal_px: float
) -> Hits:
    """Meet rays [K, 2] px (from the principal point) with triangles [T, 3] of points [W, 3].

    The frontmost triangle counts; one that is not `wanted` [T] only hides what lies behind it. A
    ray that meets no wanted triangle snaps to the nearest wanted, front-facing vertex in the image.
    """
    image = points_camera[:, :2] / points_camera[:, 2:] * focal_px
    normals, centres = _normals(points_camera, triangles)
    cosines = -np.einsum("tc,tc->t", normals, centres) / np.linalg.norm(centres, axis=1)
    front = np.flatnonzero(cosines > 0.02).astype(np.int32)
    rows, weights, direct = _frontmost(image, points_camera[:, 2], triangles, front, rays)
    direct &= wanted[rows]
    vertices, cosine, found = triangles[rows], cosines[rows], direct.copy()
    seen = front[wanted[front]]
    for k in np.flatnonzero(~direct):
        snapped = _snap(image, points_camera[:, 2], triangles[seen], rays[k], focal_px)
        if snapped is None:
            continue
        row, corner = snapped
        vertices[k], weights[k] = triangles[seen[row]], np.eye(3)[corner]
        cosine[k], found[k] = cosines[seen[row]], True
    return Hits(vertices=vertices, weights=weights, cosine=cosine, direct=direct, found=found)


def _normals(points: Doubles, triangles: Ints) -> tuple[Doubles, Doubles]:
    a, b, c = (points[triangles[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    return normals, (a + b + c) / 3


def _frontmost(
    image: Doubles, depth: Doubles, triangles: Ints, rows: Ints, rays: Doubles
) -> tuple[Ints, Doubles, Bools]:
    """For each ray: the nearest of the triangles named by rows, its weights, whether there is one."""
    corners = image[triangles[rows]]  # [R, 3, 2]
    low, high = corners.min(axis=1), corners.max(axis=1)
    best = np.zeros(len(rays), dtype=np.int32)
    weights = np.tile(np.array([1.0, 0.0, 0.0]), (len(rays), 1))
    hit = np.zeros(len(rays), dtype=bool)
    order = np.argsort(low[:, 0])
    lefts = low[order, 0]
    widest = float((high[:, 0] - low[:, 0]).max(initial=0.0))
    for k, ray in enumerate(rays):
        near = order[np.searchsorted(lefts, ray[0] - widest) : np.searchsorted(lefts, ray[0])]
        near = near[np.all((low[near] <= ray) & (high[near] >= ray), axis=1)]
        inside = _barycentric(corners[near], ray)
        kept = np.all(inside >= -1e-9, axis=1)
        if not kept.any():
            continue
        near, inside = near[kept], inside[kept]
        corner_depth = depth[triangles[rows[near]]]
        # Barycentric coordinates of the image become those of space through the inverse depth.
        spatial = inside / corner_depth
        nearest = int(np.argmax(spatial.sum(axis=1)))
        best[k], hit[k] = rows[near[nearest]], True
        weights[k] = spatial[nearest] / spatial[nearest].sum()
    return best, weights, hit


def _barycentric(corners: Doubles, point: Doubles) -> Doubles:
    """Image barycentric coordinates [N, 3] of one point in triangles [N, 3, 2]."""
    u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], point - corners[:, 0]
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    second = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / area
    third = (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / area
    return np.stack([1 - second - third, second, third], axis=1)


def _snap(
    image: Doubles, depth: Doubles, triangles: Ints, ray: Doubles, focal_px: float
) -> tuple[int, int] | None:
    """Find triangle and corner nearest to the ray in the image; of equally near ones the frontmost."""
    corners = image[triangles]
    distance = np.linalg.norm(corners - ray, axis=2)
    in_metres = distance * depth[triangles] / focal_px
    limit = float(in_metres.min(initial=np.inf)) + 3e-4
    if limit > SNAP_M:
        return None
    rank = np.where(in_metres <= limit, depth[triangles], np.inf)
    row, corner = np.unravel_index(int(np.argmin(rank)), rank.shape)
    return int(row), int(corner)
