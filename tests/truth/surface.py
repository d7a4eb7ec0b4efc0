# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dense prior sees of a head: which faces are drawn, which are the skin of the face, and normals.

Drawn is everything but lashes and hair, which are cards and have no surface of their own. The prior
knows the skin of the face; eyeballs, eye sockets and the inside of the mouth hide skin behind them
and belong to the region FACE, but nothing is known of them.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Floats, Ints
from server.heads.model import HeadModel
from server.raster import split_quads

SKIN = "skin"
CARDS = ("lashes", "hair")
"""Materials that are not drawn."""
FACE_GROUP = "face"
SOCKET_GROUP = "eye_sockets"
INSIDE = 0.5
"""A face lies in a group when the group's weight is at least this at all of its vertices."""


def face_triangles(model: HeadModel) -> Ints:
    """Return the skin of the face as triangles [T, 3]: those of `face_skin`, by `server.raster.split_quads`."""
    return model_triangles(model)[triangle_mask(model, face_skin(model))]


def model_triangles(model: HeadModel) -> Ints:
    """Return all triangles [N, 3] of a head, in the order of its faces: a quad abcd becomes abc, acd."""
    return split_quads(model.face_sizes, model.face_vertices).astype(np.int32)


def triangle_mask(model: HeadModel, faces: Bools) -> Bools:
    """Spread a choice of faces [F] over the triangles [N] of `model_triangles`."""
    return np.repeat(faces, model.face_sizes - 2)


def face_skin(model: HeadModel) -> Bools:
    """Choose the faces [F] that a dense prior covers.

    They are of the material "skin", and the weight of the group "face" is at least 0.5 at all of
    their vertices.
    """
    return _of_material(model, (SKIN,)) & faces_in_group(model, FACE_GROUP)


def face_region(model: HeadModel) -> Bools:
    """Choose the faces [F] of the region FACE: its skin, the eyes and their sockets, the inside of the mouth."""
    inner = ~_of_material(model, (SKIN, *CARDS)) | faces_in_group(model, SOCKET_GROUP)
    return face_skin(model) | inner


def drawn_faces(model: HeadModel) -> Bools:
    """Choose the faces [F] that hide what lies behind them."""
    return ~_of_material(model, CARDS)


def faces_in_group(model: HeadModel, name: str) -> Bools:
    """Choose the faces [F] whose vertices all have a weight of at least 0.5 in a group; none without the group."""
    if name not in model.group_names:
        return np.zeros(len(model.face_sizes), bool)
    inside = model.groups[model.group_names.index(name)] >= INSIDE
    starts = np.cumsum(model.face_sizes) - model.face_sizes
    return np.logical_and.reduceat(inside[model.face_vertices], starts)


def vertex_normals(points: Doubles | Floats, triangles: Ints) -> Doubles:
    """Return unit normals [V, 3] of points [V, 3]; zero at vertices of no triangle.

    n_v = N_v / |N_v|,  N_v = sum over the triangles (a, b, c) that hold v of (b - a) x (c - a)

    Each cross product is twice the triangle's area times its unit normal: weights are areas. With
    `face_triangles`, the rim of the face has the triangles of its inner side alone.
    """
    corners = np.asarray(points, np.float64)[triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    spread = np.repeat(across, 3, axis=0)
    total = np.stack(
        [np.bincount(triangles.ravel(), spread[:, k], len(points)) for k in range(3)], axis=1
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)


def _of_material(model: HeadModel, names: tuple[str, ...]) -> Bools:
    chosen = [i for i, material in enumerate(model.materials) if material.name in names]
    return np.isin(model.face_materials, chosen)
