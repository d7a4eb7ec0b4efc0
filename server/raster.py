# SPDX-License-Identifier: GPL-3.0-or-later
"""Which triangle is seen in each pixel: a z-buffer over pictures and over UV maps, in plain numpy.

Pixels: the centre of the first pixel is (0.5, 0.5), as everywhere. A triangle owns a pixel when the pixel's centre lies
inside it. Depth is compared by its inverse, which is linear over the picture; larger wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt

from pixel3dmm_blender.wire import Camera, Floats, Ints, Record

Reals: TypeAlias = npt.NDArray[np.floating]
"""Real numbers of either precision."""
Indices: TypeAlias = npt.NDArray[np.integer]

_BATCH_PIXELS = 2_000_000
"""Candidate pixels worked on at once: keeps the temporary arrays below 200 MB."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Raster(Record):
    """What each pixel of a picture sees: one triangle, the place in it, and how far it is."""

    triangle: Annotated[Ints, "H W"]
    """Index into the triangles; -1 where there is none."""
    barycentric: Annotated[Floats, "H W 2"]
    """Weights of the triangle's second and third corner; the first has the rest. Perspective-correct."""
    depth: Annotated[Floats, "H W"]
    """Metres along the viewing direction; infinite where there is nothing."""


def split_quads(face_sizes: Indices, corner_values: Indices) -> Indices:
    """Turn faces of 3 or 4 corners into triangles [T, 3] of whatever stands at their corners.

    A quad a b c d becomes a b c and a c d; the triangles come in the order of the faces.
    """
    corners = corner_triangles(face_sizes)
    return np.asarray(corner_values, np.int32)[corners]


def corner_triangles(face_sizes: Indices) -> Indices:
    """Triangles [T, 3] as indices into the list of face corners."""
    starts = np.cumsum(face_sizes) - face_sizes
    first = np.repeat(starts, face_sizes - 2)
    nth = np.arange(len(first)) - np.repeat(
        np.cumsum(face_sizes - 2) - (face_sizes - 2), face_sizes - 2
    )
    return np.stack([first, first + nth + 1, first + nth + 2], axis=1).astype(np.int32)


def rasterise_camera(points_world: Reals, triangles: Indices, camera: Camera) -> Raster:
    """Draw a posed head as the camera sees it.

    Args:
        points_world: [V, 3] metres.
        triangles: [T, 3] vertex indices; both sides are drawn, what lies behind the camera is not.
        camera: gives the size of the picture too.
    """
    points = camera.to_camera(np.asarray(points_world, np.float64))
    depth = np.maximum(points[:, 2], 1e-6)
    points_px = camera.focal_px * points[:, :2] / depth[:, None] + camera.center_px
    in_front = np.flatnonzero((points[:, 2] > 1e-3)[triangles].all(axis=1))
    raster = rasterise(points_px, depth, triangles[in_front], (camera.height, camera.width))
    seen = raster.triangle >= 0
    triangle = np.where(seen, in_front[raster.triangle], -1) if len(in_front) else raster.triangle
    return Raster(
        triangle=triangle.astype(np.int32), barycentric=raster.barycentric, depth=raster.depth
    )


def rasterise_uv(uv: Reals, triangles: Indices, size: int) -> Raster:
    """Find the triangle under each texel of a square texture; row 0 is v = 1.

    Args:
        uv: [L, 2], origin at the bottom left.
        triangles: [T, 3] indices into ``uv``.
        size: side of the texture in texels.
    """
    points = np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1).astype(np.float64) * size
    return rasterise(points, np.ones(len(points)), triangles, (size, size))


def rasterise(
    points_px: Reals,
    depth: Reals,
    triangles: Indices,
    shape: tuple[int, int],
) -> Raster:
    """Draw triangles of projected points [V, 2] with depths [V] into a picture of shape (H, W).

    Each triangle is cut into one span of pixels per row, so only pixels inside it are ever touched.
    """
    height, width = shape
    near = np.zeros(height * width, np.float32)
    owner = np.full(height * width, -1, np.int32)
    planes = _planes(points_px, 1.0 / depth, triangles)
    spans = _spans(points_px[triangles], shape)
    for pixel, span in _pixels(spans, width):
        inverse = _inverse_depth(planes, spans, pixel, span, width)
        _keep_nearest(near, owner, pixel, inverse, spans.triangle[span])
    return _finish(points_px, depth, triangles, (near, owner), shape)


@dataclass(frozen=True)
class _Spans:
    """Runs of pixels: triangle, row, first column and length of each."""

    triangle: Indices
    row: Indices
    column: Indices
    length: Indices


def _spans(corners: Reals, shape: tuple[int, int]) -> _Spans:
    height, width = shape
    top = np.clip(np.ceil(corners[:, :, 1].min(axis=1) - 0.5), 0, height).astype(np.int64)
    bottom = np.clip(np.ceil(corners[:, :, 1].max(axis=1) - 0.5), 0, height).astype(np.int64)
    rows = np.maximum(bottom - top, 0)
    triangle = np.repeat(np.arange(len(corners)), rows)
    row = np.arange(len(triangle)) - np.repeat(np.cumsum(rows) - rows, rows) + top[triangle]
    left, right = _crossings(corners[triangle], row + 0.5)
    first = np.clip(np.ceil(left - 0.5), 0, width).astype(np.int64)
    last = np.clip(np.ceil(right - 0.5), 0, width).astype(np.int64)
    kept = last > first
    length = (last - first)[kept]
    return _Spans(*(a.astype(np.int32) for a in (triangle[kept], row[kept], first[kept], length)))


def _crossings(corners: Reals, y: Reals) -> tuple[Reals, Reals]:
    """Where the line at height y enters and leaves each triangle [N, 3, 2]."""
    left, right = np.full(len(y), np.inf), np.full(len(y), -np.inf)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        start, end = corners[:, a], corners[:, b]
        rise = end[:, 1] - start[:, 1]
        # Half-open, so that a row through a corner crosses two edges and not three.
        crossed = (start[:, 1] <= y) != (end[:, 1] <= y)
        along = (y - start[:, 1]) / np.where(crossed, rise, 1.0)
        x = start[:, 0] + along * (end[:, 0] - start[:, 0])
        left = np.where(crossed, np.minimum(left, x), left)
        right = np.where(crossed, np.maximum(right, x), right)
    empty = ~(left <= right)
    return np.where(empty, 0.0, left), np.where(empty, 0.0, right)


def _pixels(spans: _Spans, width: int) -> Iterator[tuple[Indices, Indices]]:
    """Spans -> flat pixel indices and the span of each, in batches."""
    ends = np.cumsum(spans.length, dtype=np.int64)
    start = 0
    while start < len(ends):
        base = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, base + _BATCH_PIXELS, side="right")), start + 1)
        length = spans.length[start:stop]
        span = np.repeat(np.arange(start, stop), length)
        offset = np.arange(len(span)) - np.repeat(ends[start:stop] - length - base, length)
        first = spans.row[start:stop].astype(np.int64) * width + spans.column[start:stop]
        yield np.repeat(first, length) + offset, span
        start = stop


def _planes(points_px: Reals, inverse: Reals, triangles: Indices) -> Reals:
    """Inverse depth of each triangle as a + b x + c y, [T, 3]."""
    a, b, c = (points_px[triangles[:, k]] for k in range(3))
    area = _cross(b - a, c - a)
    area = np.where(np.abs(area) < 1e-12, np.inf, area)
    rise_b, rise_c = (inverse[triangles[:, k]] - inverse[triangles[:, 0]] for k in (1, 2))
    slope_x = (rise_b * (c - a)[:, 1] - rise_c * (b - a)[:, 1]) / area
    slope_y = (rise_c * (b - a)[:, 0] - rise_b * (c - a)[:, 0]) / area
    at_origin = inverse[triangles[:, 0]] - slope_x * a[:, 0] - slope_y * a[:, 1]
    return np.stack([at_origin, slope_x, slope_y], axis=1)


def _inverse_depth(
    planes: Reals,
    spans: _Spans,
    pixel: Indices,
    span: Indices,
    width: int,
) -> Reals:
    plane = planes[spans.triangle]
    start = plane[:, 0] + plane[:, 1] * (spans.column + 0.5) + plane[:, 2] * (spans.row + 0.5)
    first = spans.row.astype(np.int64) * width + spans.column
    return (start[span] + plane[span, 1] * (pixel - first[span])).astype(np.float32)


def _keep_nearest(
    near: Reals, owner: Indices, pixel: Indices, inverse: Reals, triangle: Indices
) -> None:
    """Let every candidate that is nearer than what stands in its pixel take it."""
    open_ = np.flatnonzero(inverse > near[pixel])
    while len(open_):
        # Of several assignments to one pixel the last stays: repeat until nobody is nearer than who stands there.
        near[pixel[open_]] = inverse[open_]
        owner[pixel[open_]] = triangle[open_]
        open_ = open_[inverse[open_] > near[pixel[open_]]]


def _finish(
    points_px: Reals,
    depth: Reals,
    triangles: Indices,
    buffers: tuple[Reals, Indices],
    shape: tuple[int, int],
) -> Raster:
    """Barycentrics and depth of the pixels that are covered."""
    near, owner = buffers
    seen = np.flatnonzero(owner >= 0)
    corners = triangles[owner[seen]]
    barycentric = np.zeros((len(owner), 2), np.float32)
    distance = np.full(len(owner), np.inf, np.float32)
    if len(seen):
        flat = _screen_barycentric(points_px, triangles, owner[seen], seen, shape[1])
        weights = flat / depth[corners]
        weights /= weights.sum(axis=1, keepdims=True)
        barycentric[seen] = weights[:, 1:]
        distance[seen] = 1.0 / near[seen]
    return Raster(
        triangle=owner.astype(np.int32, copy=False).reshape(shape),
        barycentric=barycentric.reshape(*shape, 2),
        depth=distance.reshape(shape),
    )


def _screen_barycentric(
    points_px: Reals,
    triangles: Indices,
    owner: Indices,
    pixel: Indices,
    width: int,
) -> Reals:
    a, b, c = (points_px[triangles[:, k]] for k in range(3))
    area = _cross(b - a, c - a)
    area = np.where(np.abs(area) < 1e-12, 1.0, area)[:, None]
    # Weight of a corner = cross of the opposite edge with the way to the pixel: affine in x and y.
    to_second = np.stack([(c - a)[:, 1], -(c - a)[:, 0]], axis=1) / area
    to_third = np.stack([-(b - a)[:, 1], (b - a)[:, 0]], axis=1) / area
    away = np.stack([pixel % width + 0.5, pixel // width + 0.5], axis=1) - a[owner]
    second = (away * to_second[owner]).sum(axis=1)
    third = (away * to_third[owner]).sum(axis=1)
    weights = np.stack([1.0 - second - third, second, third], axis=1)
    return np.clip(weights, 0.0, 1.0)


def _cross(a: Reals, b: Reals) -> Reals:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
