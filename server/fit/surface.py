# SPDX-License-Identifier: GPL-3.0-or-later
"""Surface: the skin of the face as the dense terms see it, with its vertex normals and their exact adjoint.

    a_v = sum over the triangles f of v of (x1 - x0) x (x2 - x0),  n_v = a_v / |a_v|       (area-weighted)

The surface is made of the triangles of all faces of the material "skin" whose vertices all belong to the group "face"
(weight at least 0.5): no eyeballs, no inside of the mouth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from ..heads.model import HeadModel
from ..raster import corner_triangles
from .bags import Bag, make_bag
from .points import Points, Posed, Rows
from .skeleton import Skeleton
from .variables import POSE_COUNT, Columns, View


@dataclass(frozen=True, eq=False)
class Surface:
    """N vertices and T triangles of the face."""

    points: Points
    vertices: Ints
    """[N] index of each in the head model."""
    triangles: Tensor
    """[T, 3] indices into the points."""
    corners: Ints
    """[T, 3] indices into the head model's list of face corners, for UVs."""
    corner_sums: Bag
    """Sums values of the 3 T triangle corners over each vertex."""
    triangle_sums: Bag
    """Sums values of the T triangles over each vertex."""
    normal_basis: Tensor
    """[N, 3, C] derivative of the template's normals by identity and expression."""

    def folded(self, identity: Doubles, skeleton: Skeleton, columns: Columns) -> Surface:
        """The same surface of one person, whose identity no longer moves."""
        return replace(
            self,
            points=self.points.folded(identity, skeleton, columns),
            normal_basis=self.normal_basis[..., len(identity) :].contiguous(),
        )

    def placed(self, identity: Doubles, view: View) -> PlacedSurface:
        """Place the surface of a person [S] in one view."""
        return PlacedSurface(self, self.points.posed(identity, view))


@dataclass(frozen=True, eq=False)
class PlacedSurface:
    """The surface in one view."""

    surface: Surface
    posed: Posed

    @cached_property
    def _edges(self) -> tuple[Tensor, Tensor]:
        first, second, third = self.posed.head[self.surface.triangles].unbind(1)
        return second - first, third - first

    @cached_property
    def _areas(self) -> Tensor:
        return self.surface.triangle_sums.sums(torch.linalg.cross(*self._edges))  # [N, 3]

    @cached_property
    def _lengths(self) -> Tensor:
        return torch.linalg.vector_norm(self._areas, dim=1, keepdim=True).clamp_min(1e-20)

    @cached_property
    def normals(self) -> Tensor:
        """[N, 3] unit normals in the head frame, joints turned."""
        return self._areas / self._lengths

    def pull_normals(self, by_normal: Tensor) -> Tensor:
        """Derivatives of a cost by the points [N, 3] in the head frame from those by the normals [N, 3]."""
        along = (by_normal * self.normals).sum(1, keepdim=True)
        by_area = (by_normal - self.normals * along) / self._lengths
        by_cross = by_area[self.surface.triangles].sum(1)  # [T, 3]
        first, second = self._edges
        by_second = torch.linalg.cross(second, by_cross)
        by_third = torch.linalg.cross(by_cross, first)
        by_corner = torch.stack([-by_second - by_third, by_second, by_third], 1).flatten(0, 1)
        return self.surface.corner_sums.sums(by_corner)

    def normal_rows(self, by_normal: Tensor, index: Tensor, *, shape: bool) -> Rows:
        """Derivatives of residuals from theirs by the normals of some vertices, [n, k, 3].

        For the Gauss-Newton matrix alone: how normals change with the shape is taken from the template.
        """
        points, chain = self.surface.points, self.posed.chain
        joints = points.columns.joints
        pose = by_normal.new_zeros(*by_normal.shape[:2], POSE_COUNT + 3 * len(joints))
        normals = self.normals[index][:, None].expand_as(by_normal)
        below = points.skin[index] @ points.tensor(points.skeleton.subtree.T)  # [n, J]
        for i, j in enumerate(joints):
            turn = points.tensor(chain.above[j] @ chain.increments[j])
            where = slice(POSE_COUNT + 3 * i, POSE_COUNT + 3 * i + 3)
            pose[..., where] = (
                torch.linalg.cross(normals, by_normal) @ turn * below[:, None, j, None]
            )
        if not shape:
            return Rows(pose, None)
        blended = self.posed.blended
        unposed = by_normal if blended is None else by_normal @ blended[index]
        return Rows(pose, torch.bmm(unposed, self.surface.normal_basis[index]))


def make_surface(model: HeadModel, like: Points) -> Surface:
    """Read the face's surface out of a head model; ``like`` lends device, dtype, skeleton and columns."""
    corners = corner_triangles(model.face_sizes)[_skin_of_the_face(model)].astype(np.int32)
    vertices, flat = np.unique(model.face_vertices[corners], return_inverse=True)
    triangles = flat.reshape(-1, 3)
    fields = np.concatenate([model.identity[:, vertices], model.expression[:, vertices]])
    points = Points(
        template=like.tensor(model.template[vertices].astype(np.float64)),
        basis=like.tensor(np.moveaxis(fields, 0, -1)).contiguous(),
        skin=like.tensor(model.skin_weights[:, vertices].T.astype(np.float64)),
        skeleton=like.skeleton,
        columns=like.columns,
    )
    owner = triangles.reshape(-1).astype(np.int32)
    entries = np.arange(len(owner), dtype=np.int32)
    by_corner = make_bag(owner, entries, None, len(vertices), like)
    by_triangle = make_bag(owner, entries // 3, None, len(vertices), like)
    placed = torch.as_tensor(triangles).to(like.template.device)
    return Surface(
        points,
        vertices.astype(np.int32),
        placed,
        corners,
        by_corner,
        by_triangle,
        _normal_basis(points, placed, by_triangle),
    )


def _skin_of_the_face(model: HeadModel) -> Bools:
    """Which of the head's triangles [N] are part of the surface."""
    on_face = model.groups[model.group_names.index("face")] >= 0.5
    skin = [i for i, material in enumerate(model.materials) if material.name == "skin"]
    starts = np.cumsum(model.face_sizes) - model.face_sizes
    whole = np.logical_and.reduceat(on_face[model.face_vertices], starts)
    return np.repeat(whole & np.isin(model.face_materials, skin), model.face_sizes - 2)


def _normal_basis(points: Points, triangles: Tensor, sums: Bag) -> Tensor:
    """Derivative of the template's normals by each component: (I - n n') / |a| . sum d(e1 x e2)."""
    first, second, third = points.template[triangles].unbind(1)
    one, two = second - first, third - first
    areas = sums.sums(torch.linalg.cross(one, two))
    lengths = torch.linalg.vector_norm(areas, dim=1, keepdim=True).clamp_min(1e-20)
    normals = areas / lengths
    result = torch.empty_like(points.basis)
    for component in range(points.basis.shape[2]):
        a, b, c = points.basis[:, :, component][triangles].unbind(1)
        cross = torch.linalg.cross(b - a, two) + torch.linalg.cross(one, c - a)
        moved = sums.sums(cross)
        result[:, :, component] = (
            moved - normals * (moved * normals).sum(1, keepdim=True)
        ) / lengths
    return result
