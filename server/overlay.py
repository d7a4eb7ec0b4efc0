# SPDX-License-Identifier: GPL-3.0-or-later
"""The fit laid over the photo: the head as translucent clay, the landmarks found and the landmarks fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from pixel3dmm_blender.wire import Bytes, Camera
from server.heads.model import HeadModel
from server.raster import Indices, Raster, Reals, corner_triangles, rasterise_camera
from server.texture.shading import vertex_normals

_Corner: TypeAlias = Indices

FOUND = (60, 255, 110)
FITTED = (255, 70, 220)
LONG_SIDE = 1080
"""Pixels of the overlay's long side."""
_MARGIN = 0.8
"""Face heights of the photo that are shown around the face; more would make the face small."""
_CLAY = np.array([226.0, 214.0, 204.0], np.float32)
_SMOOTHING = 2
"""Pixels are drawn this many times as fine, per axis, and averaged."""
_COVER_FACE, _COVER_REST = 0.55, 0.28


def draw_overlay(
    frame: Bytes,
    model: HeadModel,
    posed: Reals,
    camera: Camera,
    landmarks_px: Reals,
    fitted_px: Reals,
) -> Bytes:
    """Draw what the solver made of a frame, to be judged by eye.

    Args:
        frame: [H, W, 3] sRGB, of the camera's size.
        model: for faces and regions.
        posed: [V, 3] world, metres.
        camera: the frame's.
        landmarks_px: [K, 2] where the network found the landmarks (green); NaN ones are left out.
        fitted_px: [K, 2] where the fitted head has them (magenta).

    Returns:
        [H', W', 3] sRGB: the frame around the face, scaled to a long side of 1080 pixels.
    """
    window = face_window(frame, landmarks_px)
    return draw_window(frame, model, posed, camera, (landmarks_px, fitted_px), window)


def draw_window(
    frame: Bytes,
    model: HeadModel,
    posed: Reals,
    camera: Camera,
    landmarks_px: tuple[Reals, Reals],
    window: tuple[_Corner, _Corner],
) -> Bytes:
    """Draw the same in a given window of the frame (first and last corner); the landmarks found, and fitted."""
    low, high = window
    scale = LONG_SIDE / float((high - low).max())
    size = tuple(np.round((high - low) * scale).astype(int).tolist())
    cut = Image.fromarray(np.ascontiguousarray(frame[low[1] : high[1], low[0] : high[0]]))
    picture = np.asarray(cut.resize(size, Image.Resampling.LANCZOS), np.float32)
    drawn = picture + _clay(model, posed, _seen_through(camera, low, high, size), picture)
    canvas = Image.fromarray(np.clip(drawn, 0, 255).astype(np.uint8))
    found_px, fitted_px = landmarks_px
    _draw_landmarks(canvas, (found_px - low) * scale, (fitted_px - low) * scale)
    return np.asarray(canvas)


def face_window(frame: Bytes, landmarks_px: Reals) -> tuple[_Corner, _Corner]:
    """First and last corner of what is shown: the face and its surroundings, inside the frame."""
    size = np.array(frame.shape[1::-1])
    known = landmarks_px[np.isfinite(landmarks_px).all(axis=1)]
    if not len(known):
        return np.zeros(2, np.int64), size
    margin = _MARGIN * float(np.ptp(known, axis=0).max())
    low = np.clip(np.floor(known.min(axis=0) - margin).astype(np.int64), 0, size - 1)
    return low, np.clip(np.ceil(known.max(axis=0) + margin).astype(np.int64), low + 1, size)


def _seen_through(camera: Camera, low: _Corner, high: _Corner, size: tuple[int, ...]) -> Camera:
    """The camera of the window, its pixels drawn finer."""
    fine = np.array(size) * _SMOOTHING
    factor = fine / (high - low)
    return replace(
        camera,
        width=int(fine[0]),
        height=int(fine[1]),
        focal_px=camera.focal_px * float(factor.mean()),
        center_px=(camera.center_px - low) * factor,
    )


def _clay(model: HeadModel, posed: Reals, camera: Camera, picture: Reals) -> Reals:
    """What the clay adds to the picture [H, W, 3]: negative where it darkens."""
    solid = np.array([not material.alpha for material in model.materials], bool)
    kept = np.repeat(solid[model.face_materials], model.face_sizes - 2)
    triangles = model.face_vertices[corner_triangles(model.face_sizes)][kept]
    raster = rasterise_camera(posed, triangles, camera)
    normals = vertex_normals(
        camera.to_camera(posed.astype(np.float64)).astype(np.float32), triangles
    )
    field = np.concatenate([normals, _cover(model)[:, None]], axis=1)
    rows, columns = np.nonzero(raster.triangle >= 0)
    at = _interpolate(raster, triangles, field, rows, columns)
    light = _light(at[:, :3])
    fine = np.zeros((camera.height, camera.width, 4), np.float32)
    fine[rows, columns, :3] = _CLAY * light[:, None] * at[:, 3:]
    fine[rows, columns, 3] = at[:, 3]
    coarse = fine.reshape(picture.shape[0], _SMOOTHING, picture.shape[1], _SMOOTHING, 4).mean(
        axis=(1, 3)
    )
    return coarse[..., :3] - coarse[..., 3:] * picture


def _cover(model: HeadModel) -> Reals:
    """Opacity per vertex: the face more than what surrounds it."""
    face = np.zeros(len(model.template), np.float32)
    if "face" in model.group_names:
        face = model.groups[model.group_names.index("face")]
    return (_COVER_REST + (_COVER_FACE - _COVER_REST) * np.clip(face, 0.0, 1.0)).astype(np.float32)


def _interpolate(
    raster: Raster, triangles: Indices, field: Reals,
    rows: Indices, columns: Indices,
) -> Reals:  # fmt: skip
    corners = triangles[raster.triangle[rows, columns]]
    weights = raster.barycentric[rows, columns]
    first = 1.0 - weights.sum(axis=1)
    mixed = field[corners[:, 0]] * first[:, None]
    mixed += field[corners[:, 1]] * weights[:, :1]
    mixed += field[corners[:, 2]] * weights[:, 1:]
    return mixed


def _light(normals: Reals) -> Reals:
    """A key light from above the camera's left shoulder, a weak one from the right, and a rim; y is down."""
    unit = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    unit = np.where(
        unit[:, 2:] > 0, -unit, unit
    )  # towards the camera, whichever way round the faces are
    key = np.clip(unit @ _direction(-0.45, -0.6, -0.8), 0.0, 1.0)
    fill = np.clip(unit @ _direction(0.8, 0.1, -0.5), 0.0, 1.0)
    rim = (1.0 + unit[:, 2]) ** 3
    return (0.16 + 0.80 * key + 0.18 * fill - 0.10 * rim).astype(np.float32)


def _direction(x: float, y: float, z: float) -> Reals:
    vector = np.array([x, y, z], np.float32)
    return vector / np.linalg.norm(vector)


def _draw_landmarks(canvas: Image.Image, found: Reals, fitted: Reals) -> None:
    """Green discs with magenta ones over them and a line between; drawn four times as fine, then averaged."""
    known = np.isfinite(found).all(axis=1) & np.isfinite(fitted).all(axis=1)
    found, fitted = found[known].astype(np.float64), fitted[known].astype(np.float64)
    if not len(found):
        return
    points = np.concatenate([found, fitted])
    low = np.maximum(np.floor(points.min(axis=0)) - 8, 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0)) + 8, canvas.size).astype(int)
    if (high <= low).any():
        return
    fine = 4
    layer = Image.new("RGBA", tuple((fine * (high - low)).tolist()), (*FOUND, 0))
    draw = ImageDraw.Draw(layer)
    radius = max(1.1, 0.0045 * float(np.ptp(found[:, 1]))) * fine
    for a, b in zip((found - low) * fine, (fitted - low) * fine, strict=True):
        draw.line([*a, *b], fill=(255, 255, 255, 200), width=max(1, round(0.5 * radius)))
        draw.ellipse([*(a - radius), *(a + radius)], fill=(*FOUND, 235))
        draw.ellipse([*(b - 0.62 * radius), *(b + 0.62 * radius)], fill=(*FITTED, 255))
    small = layer.resize(tuple((high - low).tolist()), Image.Resampling.BOX)
    canvas.paste(small, tuple(low.tolist()), small)
