# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks: landmarks and pins, points of the surface that are looked for in the picture.

A mark is a weighted mean of vertices, and those may hang on several joints. It is kept as one part per joint,
mark = sum_f share_f G_joint(f) x_f, which is exact and, where no joint may turn, a single point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Doubles, Ints

from ..heads.model import Embedding, HeadModel
from .points import Points, Posed, Rows
from .skeleton import Skeleton
from .variables import CENTER, FOCAL, Columns, View

_LEAST_SHARE = 1e-4


@dataclass(frozen=True, eq=False)
class Marks:
    """K marks of F parts."""

    parts: Points
    owner: Tensor
    """[F] the mark of each part, ascending."""
    share: Tensor
    """[F] weight of each part; sums to 1 over a mark."""
    count: int
    """K"""

    def folded(self, identity: Doubles, skeleton: Skeleton, columns: Columns) -> Marks:
        """The same marks of one person, whose identity no longer moves."""
        return Marks(
            self.parts.folded(identity, skeleton, columns), self.owner, self.share, self.count
        )

    def placed(self, identity: Doubles, view: View) -> PlacedMarks:
        """Place the marks of a person [S] in one view."""
        return PlacedMarks(self, self.parts.posed(identity, view))

    def gather(self, values: Tensor) -> Tensor:
        """Sum values [F, n] of the parts, by share: [K, n]."""
        if len(self.owner) == self.count:
            return values
        return values.new_zeros(self.count, *values.shape[1:]).index_add_(
            0, self.owner, values * self.share[:, None]
        )


@dataclass(frozen=True, eq=False)
class PlacedMarks:
    """Marks in one view's picture."""

    marks: Marks
    posed: Posed

    @cached_property
    def camera(self) -> Tensor:
        """[K, 3] in the camera frame."""
        return self.marks.gather(self.posed.camera)

    @cached_property
    def head(self) -> Tensor:
        """[K, 3] in the head frame, joints turned."""
        return self.marks.gather(self.posed.head)

    @cached_property
    def from_center_px(self) -> Tensor:
        """[K, 2] pixels from the principal point: f x / z, f y / z."""
        return self.posed.view.focal_px * self.camera[:, :2] / self.camera[:, 2:]

    @cached_property
    def px(self) -> Tensor:
        """[K, 2] pixels."""
        return self.from_center_px + self.marks.parts.tensor(self.posed.view.center_px)

    def pull(self, by_px: Tensor) -> Doubles:
        """Gradient [P] of a cost from its derivatives by the pixels [K, 2]."""
        by_camera = (by_px[:, None] @ self._projection)[:, 0]
        parts = by_camera
        if len(self.marks.owner) != self.marks.count:
            parts = by_camera[self.marks.owner] * self.marks.share[:, None]
        gradient = self.posed.pull(parts, None)
        gradient[FOCAL] += float((by_px * self.from_center_px).sum())
        gradient[CENTER] += by_px.sum(0).cpu().double().numpy()
        return gradient

    def rows(self, by_px: Tensor, *, shape: bool) -> Rows:
        """Derivatives of residuals from theirs by the pixels, [K, k, 2]."""
        by_camera = by_px @ self._projection
        if len(self.marks.owner) == self.marks.count:
            rows = self.posed.rows(by_camera, shape=shape)
        else:
            share = self.marks.share[:, None, None]
            parts = self.posed.rows(by_camera[self.marks.owner] * share, shape=shape)
            rows = parts.gathered(self.marks.owner, self.marks.count)
        rows.pose[..., FOCAL] += (by_px @ self.from_center_px[..., None])[..., 0]
        rows.pose[..., CENTER] += by_px
        return rows

    @cached_property
    def _projection(self) -> Tensor:
        return projection(self.camera, self.posed.view.focal_px)


def projection(camera: Tensor, focal_px: float) -> Tensor:
    """D pixel / d point, [N, 2, 3]: f / z [1 0 -x/z; 0 1 -y/z]."""
    x, y, z = camera.unbind(1)
    result = camera.new_zeros(len(camera), 2, 3)
    result[:, 0, 0] = result[:, 1, 1] = focal_px / z
    result[:, 0, 2] = -focal_px * x / z**2
    result[:, 1, 2] = -focal_px * y / z**2
    return result


def make_marks(model: HeadModel, embedding: Embedding, points: Points) -> Marks:
    """Read the K marks of an embedding out of a head model; ``points`` lends device, dtype, skeleton and columns."""
    skin = model.skin_weights.astype(np.float64)
    if not points.columns.joints:
        skin = np.ones((1, len(model.template)))
    reach = np.einsum("km,jkm->kj", embedding.weights, skin[:, embedding.vertices])  # [K, J]
    owner, joint = np.nonzero(reach > _LEAST_SHARE)
    share = reach[owner, joint]
    share /= np.bincount(owner, share)[owner]
    corners = embedding.vertices[owner]
    weights = embedding.weights[owner] * skin[joint[:, None], corners]
    weights /= weights.sum(1, keepdims=True)
    bound = np.zeros((len(owner), len(model.joint_names)))
    bound[np.arange(len(owner)), joint] = 1.0
    parts = gather_points(model, corners, weights, bound, points)
    place = points.template.device
    return Marks(
        parts, torch.as_tensor(owner).to(place), parts.tensor(share), len(embedding.vertices)
    )


def gather_points(
    model: HeadModel, corners: Ints, weights: Doubles, skin: Doubles, like: Points
) -> Points:
    """Weighted means of vertices [N, m] with skin weights [N, J], as points beside others (``like``)."""

    def mean(fields: Doubles) -> Doubles:
        return np.einsum("nm,...nmc->...nc", weights, fields[..., corners, :], optimize=True)

    moves = [mean(field.astype(np.float64)) for field in (*model.identity, *model.expression)]
    return Points(
        template=like.tensor(mean(model.template.astype(np.float64))),
        basis=like.tensor(np.stack(moves, -1)),
        skin=like.tensor(skin),
        skeleton=like.skeleton,
        columns=like.columns,
    )
