# SPDX-License-Identifier: GPL-3.0-or-later
"""Truth: what a perfect network would say of a scene, computed from its geometry.

    uv of a pixel     = sum_k b_k uv_k
    normal of a pixel = m / |m|,  m = sum_k b_k n_k

b are the perspective-correct barycentrics of the nearest drawn triangle under the pixel's centre, uv_k
the corners' places in the first UV map, n_k the `vertex_normals` of the posed head in the head's frame
over `face_triangles`. Confidence is 1 where that triangle is skin of the face seen from its front, else
0; there uv and normals are 0 too, so that nobody can lean on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from pixel3dmm_blender.wire import Bools, Bytes, Doubles, Floats, Ints, Record
from server.heads.model import Embedding
from server.priors.maps import PriorMaps, Region
from server.raster import Raster, corner_triangles, rasterise_camera

from .scene import Scene
from .surface import (
    drawn_faces,
    face_region,
    face_skin,
    face_triangles,
    model_triangles,
    triangle_mask,
    vertex_normals,
)

LANDMARK_DEPTH_M = 0.004
"""A landmark is seen when the surface in its pixel, or in a neighbour, is this near to it in depth."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Truth(Record):
    """The exact maps of a scene, and the geometry that they come from."""

    maps: PriorMaps
    depth: Annotated[Floats, "H W"]
    """Metres along the viewing direction; infinite where there is nothing."""
    triangle: Annotated[Ints, "H W"]
    """Index into `surface.model_triangles`, -1 where there is nothing."""
    barycentric: Annotated[Floats, "H W 2"]
    """Weights of the triangle's second and third corner, perspective-correct."""
    silhouette: Annotated[Bools, "H W"]
    """The whole head, without hair and lashes."""
    vertices: Annotated[Doubles, "V 3"]
    """Posed, in the head's frame, metres."""
    vertices_camera: Annotated[Doubles, "V 3"]
    landmarks_478: Annotated[Doubles, "K 2"]
    """Pixels of the surface points, without the network's bias."""
    visible_478: Annotated[Bools, "K"]
    landmarks_68: Annotated[Doubles, "N 2"]
    visible_68: Annotated[Bools, "N"]


def render_truth(scene: Scene) -> Truth:
    """Draw a scene: maps, depth, landmarks and silhouette."""
    vertices, camera = scene.vertices(), scene.camera
    triangles = model_triangles(scene.model)
    drawn = np.flatnonzero(triangle_mask(scene.model, drawn_faces(scene.model)))
    raster = rasterise_camera(vertices, triangles[drawn], camera)
    seen = raster.triangle >= 0
    triangle = np.where(seen, drawn[raster.triangle], -1).astype(np.int32)
    points_478, visible_478 = _landmarks(scene, scene.model.landmarks_478, vertices, raster.depth)
    points_68, visible_68 = _landmarks(scene, scene.model.landmarks_68, vertices, raster.depth)
    return Truth(
        maps=_maps(scene, vertices, triangle, raster),
        depth=raster.depth,
        triangle=triangle,
        barycentric=raster.barycentric,
        silhouette=seen,
        vertices=vertices,
        vertices_camera=camera.to_camera(vertices),
        landmarks_478=points_478,
        visible_478=visible_478,
        landmarks_68=points_68,
        visible_68=visible_68,
    )


def _maps(scene: Scene, vertices: Doubles, triangle: Ints, raster: Raster) -> PriorMaps:
    model, shape = scene.model, triangle.shape
    known = np.append(triangle_mask(model, face_skin(model)), False)[triangle]
    known &= _seen_from_front(scene, vertices, triangle)
    chosen = triangle[known]
    second, third = raster.barycentric[known].astype(np.float64).T
    weights = np.stack([1.0 - second - third, second, third], axis=1)
    uv, normals = np.zeros((*shape, 2)), np.zeros((*shape, 3))
    corners = corner_triangles(model.face_sizes)[chosen]
    uv[known] = np.einsum("nk,nkc->nc", weights, model.uv[0][corners])
    at_vertices = vertex_normals(vertices, face_triangles(model))[model_triangles(model)[chosen]]
    blended = np.einsum("nk,nkc->nc", weights, at_vertices)
    normals[known] = blended / np.linalg.norm(blended, axis=1, keepdims=True)
    return PriorMaps(
        uv=uv.astype(np.float32),
        normals=normals.astype(np.float32),
        confidence=known.astype(np.float32),
        regions=_regions(scene, triangle, known),
        to_source=np.eye(2, 3),
    )


def _seen_from_front(scene: Scene, vertices: Doubles, triangle: Ints) -> Bools:
    """Whether each pixel [H, W] sees the outer side of its triangle; False where there is none."""
    a, b, c = (vertices[corner] for corner in model_triangles(scene.model).T)
    eye = -scene.rotation.T @ scene.transl
    front = (np.cross(b - a, c - a) * (eye - a)).sum(axis=1) > 0
    return np.append(front, False)[triangle]


def _regions(scene: Scene, triangle: Ints, known: Bools) -> Bytes:
    """FACE for skin of the face seen from its front and for eyes and mouth, HEAD for the rest of the head."""
    inner = face_region(scene.model) & ~face_skin(scene.model)
    face = known | np.append(triangle_mask(scene.model, inner), False)[triangle]
    regions = np.where(triangle >= 0, Region.HEAD, Region.BACKGROUND)
    return np.where(face, Region.FACE, regions).astype(np.uint8)


def _landmarks(
    scene: Scene, embedding: Embedding, vertices: Doubles, depth: Floats
) -> tuple[Doubles, Bools]:
    """Pixels [K, 2] and visibility [K] of embedded points: near the drawn surface, in the crop."""
    weights = embedding.weights.astype(np.float64)
    points = np.einsum("km,kmc->kc", weights, vertices[embedding.vertices])
    pixels, far = scene.camera.project(points), scene.camera.to_camera(points)[:, 2]
    inside = ((pixels >= 0) & (pixels < scene.size)).all(axis=1) & (far > 0)
    column, row = np.clip(np.floor(pixels), 0, scene.size - 1).astype(int).T + 1
    padded = np.pad(depth, 1, constant_values=np.inf)
    around = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    off = np.abs(padded[row[:, None] + around[:, 0], column[:, None] + around[:, 1]] - far[:, None])
    return pixels, inside & (off.min(axis=1) < LANDMARK_DEPTH_M)
