# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vertices and texels the photo shows, and the colours it has there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from pixel3dmm_blender.wire import Bools
from server.heads.model import HeadModel
from server.raster import Indices, Raster, Reals, rasterise_camera
from server.texture.blend import smoothstep
from server.texture.shading import vertex_normals
from server.texture.shot import Shot

_FACING = (0.35, 0.75)
"""Cosine between normal and line of sight over which trust rises from 0 to 1: flatter views streak."""
_DEPTH_M = 0.004
"""How far behind the nearest surface a point may lie and still be the one that is seen."""
_STEP_M = 0.015
"""A jump in depth that hides what lies behind: pixels beside it are not trusted for the far surface."""


@dataclass(frozen=True)
class Sight:
    """How the photo sees each vertex of the head, directly or through the vertex's mirror twin."""

    points_px: Reals
    """[V, 2]"""
    depth: Reals
    """[V] metres; the camera's own."""
    facing: Reals
    """[V] smoothstep of the cosine to the line of sight, 0..1."""

    def mirrored(self, mirror: Indices) -> Sight:
        """See each vertex where its twin is."""
        return Sight(self.points_px[mirror], self.depth[mirror], self.facing[mirror])


def look(shot: Shot, triangles: Indices) -> Sight:
    """Project the head and measure how squarely each vertex faces the camera."""
    points = shot.camera.to_camera(shot.posed.astype(np.float64))
    normals = vertex_normals(points.astype(np.float32), triangles)
    sight = -points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    cosine = (normals * sight).sum(axis=1)
    pixels = (
        shot.camera.focal_px * points[:, :2] / np.maximum(points[:, 2:], 1e-6)
        + shot.camera.center_px
    )
    return Sight(
        pixels.astype(np.float32),
        points[:, 2].astype(np.float32),
        smoothstep(*_FACING, cosine),
    )


def hidden_pixels(raster: Raster, reach_px: float) -> Bools:
    """Mark the pixels [H, W] of far surfaces right beside a nearer one."""
    nearest = ndimage.minimum_filter(raster.depth, size=2 * max(1, round(reach_px)) + 1)
    with np.errstate(invalid="ignore"):
        return (raster.depth - nearest > _STEP_M) & np.isfinite(raster.depth)


def see_head(shot: Shot, triangles: Indices, occluding: Bools) -> tuple[Raster, Reals]:
    """Draw the head's depth for the tests of visibility: (raster, depth with empty pixels far away).

    Args:
        shot: the photo.
        triangles: [T, 3]
        occluding: [T] which triangles hide what lies behind (lashes and hair do not).
    """
    raster = rasterise_camera(shot.posed, triangles[occluding], shot.camera)
    return raster, np.where(np.isfinite(raster.depth), raster.depth, 1e3).astype(np.float32)


def visible(depth_map: Reals, points_px: Reals, depth: Reals) -> Reals:
    """Tell 0..1 whether points [N] lie on the nearest surface."""
    # The nearest of the four pixels around would reject slopes, the farthest is kind to them.
    around = ndimage.maximum_filter(depth_map, size=3)
    rows = np.clip(points_px[:, 1].astype(np.int32), 0, depth_map.shape[0] - 1)
    columns = np.clip(points_px[:, 0].astype(np.int32), 0, depth_map.shape[1] - 1)
    behind = depth - around[rows, columns]
    return np.clip(2.0 - behind / _DEPTH_M, 0.0, 1.0).astype(np.float32)


def sample(picture: Reals, points_px: Reals, mode: str = "bilinear") -> Reals:
    """Read a picture [H, W, C] at points [N, 2] in pixels -> [N, C]; 0 outside the picture.

    Args:
        picture: linear light or weights.
        points_px: centre of the first pixel at (0.5, 0.5).
        mode: "bilinear", or "bicubic" where the picture is coarser than the texture.
    """
    height, width = picture.shape[:2]
    grid = points_px / np.array([width, height], np.float32) * 2.0 - 1.0
    image = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
    with torch.inference_mode():
        read = torch.nn.functional.grid_sample(
            image,
            torch.from_numpy(grid.astype(np.float32))[None, None],
            mode=mode,
            padding_mode="border",
            align_corners=False,
        )
    x, y = points_px.T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return read[0, :, 0].numpy().T * inside[:, None]


def blur_known(picture: Reals, weight: Reals, sigma_px: float) -> Reals:
    """Blur a picture [H, W, C] over its trusted pixels only: nothing from outside the mask leaks in."""
    soft = ndimage.gaussian_filter(weight, sigma_px, truncate=2.5)
    summed = ndimage.gaussian_filter(
        picture * weight[..., None], (sigma_px, sigma_px, 0), truncate=2.5
    )
    return (summed / np.maximum(soft, 1e-4)[..., None]).astype(np.float32)


def occluding_triangles(model: HeadModel) -> Bools:
    """Mark the triangles [T] whose material is solid."""
    solid = np.array([not material.alpha for material in model.materials], bool)
    return np.repeat(solid[model.face_materials], model.face_sizes - 2)
