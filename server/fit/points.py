# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a head: where they are for given variables, how they move, and what pulls on them means for the variables.

    x = template + basis . (identity, expression)            shaped
    p = sum_j skin_j (A_j x + b_j)                           posed, head frame   (``skeleton.py``)
    q = R p + t                                              camera frame

A point is a vertex, or a part of a landmark that moves with one joint. Everything that is large is a tensor of one
device and dtype; what has the size of the variables is numpy, float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Doubles

from ..raster import Reals
from .skeleton import Chain, Skeleton
from .variables import FOCAL, POSE_COUNT, ROTATION, TRANSL, Columns, View


@dataclass(frozen=True, eq=False)
class Points:
    """N points of a head with C = S + E components and J joints."""

    template: Tensor
    """[N, 3] metres"""
    basis: Tensor
    """[N, 3, C], identity first."""
    skin: Tensor
    """[N, J], sums to 1 over J."""
    skeleton: Skeleton
    columns: Columns

    @property
    def count(self) -> int:
        """N."""
        return len(self.template)

    @cached_property
    def reached(self) -> tuple[bool, ...]:
        """[J'] whether any point hangs on each joint that may turn: the skin of a face does not on its eyes."""
        below = [np.flatnonzero(self.skeleton.subtree[j]) for j in self.columns.joints]
        return tuple(bool((self.skin[:, joints] > 0).any()) for joints in below)

    def tensor(self, values: Reals) -> Tensor:
        """Bring small numbers to the device and dtype of the points."""
        return torch.tensor(values, dtype=self.template.dtype, device=self.template.device)

    def folded(self, identity: Doubles, skeleton: Skeleton, columns: Columns) -> Points:
        """The same points of one person, whose identity no longer moves."""
        count = len(identity)
        template = self.template + self.basis[..., :count] @ self.tensor(identity)
        basis = self.basis[..., count:].contiguous()
        return Points(template, basis, self.skin, skeleton, columns)

    def posed(self, identity: Doubles, view: View) -> Posed:
        """Place the points of a person [S] in one view."""
        values = self.tensor(np.concatenate([identity, view.expression]))
        shaped = self.template + (self.basis.reshape(-1, len(values)) @ values).view(-1, 3)
        return Posed(self, view, self.skeleton.chain(identity, view.joint_rotation), shaped)


@dataclass(frozen=True, eq=False)
class Rows:
    """Derivatives of N x k residuals by the pose [N, k, Q] and by identity and expression [N, k, C].

    The latter is None where it was not asked for.
    """

    pose: Tensor
    shape: Tensor | None

    def gathered(self, owner: Tensor, count: int) -> Rows:
        """Sum the rows of the parts [N] that belong to each of ``count`` owners."""
        return Rows(
            _sum_by(self.pose, owner, count),
            None if self.shape is None else _sum_by(self.shape, owner, count),
        )

    def combined(self, index: Tensor, weights: Tensor) -> Rows:
        """Weighted sums of rows: index and weights [n, m] -> n rows."""
        return Rows(
            _combine(self.pose, index, weights),
            None if self.shape is None else _combine(self.shape, index, weights),
        )

    def add_normal_matrix(self, into: Doubles, weights: Tensor) -> None:
        """Add the sum of w J'J over rows with weights [N, k] to a matrix [P, P]."""
        root = weights.sqrt()[..., None]
        pose = (self.pose * root).flatten(0, 1)
        split = pose.shape[1]
        into[:split, :split] += numbers(pose.T @ pose)
        if self.shape is not None:
            shape = (self.shape * root).flatten(0, 1)
            across = numbers(pose.T @ shape)
            into[:split, split:] += across
            into[split:, :split] += across.T
            _add_symmetric_square(into[split:, split:], shape)


@dataclass(frozen=True, eq=False)
class Posed:
    """Points in one view."""

    points: Points
    view: View
    chain: Chain
    shaped: Tensor
    """[N, 3] head frame, before the joints turn."""

    def chosen(self, index: Tensor) -> Posed:
        """Some of the points, by index [n]."""
        points = self.points
        if len(index) == points.count:
            return self
        some = replace(
            points,
            template=points.template[index],
            basis=points.basis[index],
            skin=points.skin[index],
        )
        return replace(self, points=some, shaped=self.shaped[index])

    @cached_property
    def blended(self) -> Tensor | None:
        """[N, 3, 3] sum_j skin_j A_j; None where no joint is turned."""
        if self.chain.at_rest:
            return None
        turns = self.points.tensor(self.chain.turns.reshape(-1, 9))
        return (self.points.skin @ turns).view(-1, 3, 3)

    @cached_property
    def head(self) -> Tensor:
        """[N, 3] in the head frame, joints turned."""
        if self.blended is None:
            return self.shaped
        shifts = self.points.skin @ self.points.tensor(self.chain.shifts)
        return (self.blended @ self.shaped[..., None])[..., 0] + shifts

    @cached_property
    def turned(self) -> Tensor:
        """[N, 3] in the axes of the camera, before the translation."""
        return self.head @ self.points.tensor(self.view.rotation).T

    @cached_property
    def camera(self) -> Tensor:
        """[N, 3] in the camera frame."""
        return self.turned + self.points.tensor(self.view.transl)

    @cached_property
    def arms(self) -> tuple[Tensor, ...]:
        """[N, 3] for each joint that may turn: sum over what hangs on it of skin (G x - its centre).

        A small rotation w of the joint moves a point by (A_parent w) x arm.
        """
        chain, points = self.chain, self.points
        arms: list[Tensor] = []
        for i, j in enumerate(points.columns.joints):
            if not points.reached[i]:
                arms.append(self.shaped.new_zeros(1, 3).expand(points.count, 3))
                continue
            below = np.flatnonzero(points.skeleton.subtree[j])
            skin = points.skin[:, below]  # [N, b]
            turn = points.tensor(chain.turns[below].reshape(-1, 9))
            shift = points.tensor(chain.shifts[below] - chain.centers[j])
            moved = ((skin @ turn).view(-1, 3, 3) @ self.shaped[..., None])[..., 0]
            arms.append(moved + skin @ shift)
        return tuple(arms)

    def rows(self, by_camera: Tensor, *, shape: bool) -> Rows:
        """Derivatives of residuals whose derivatives by their point in the camera frame are given, [N, k, 3].

        What the focal length and the principal point do beside moving the point is the caller's to add.
        """
        points = self.points
        pose = by_camera.new_zeros(
            *by_camera.shape[:2], POSE_COUNT + 3 * len(points.columns.joints)
        )
        pose[..., FOCAL] = by_camera[..., 2] * float(self.view.transl[2])
        pose[..., ROTATION] = torch.linalg.cross(
            self.turned[:, None].expand_as(by_camera), by_camera
        )
        pose[..., TRANSL] = by_camera
        by_head = by_camera @ points.tensor(self.view.rotation)
        return self.head_rows(by_head, pose, shape=shape)

    def head_rows(self, by_head: Tensor, pose: Tensor, *, shape: bool) -> Rows:
        """The same from derivatives by the posed point in the head frame; joints are written into ``pose``."""
        points, chain = self.points, self.chain
        for i, j in enumerate(points.columns.joints):
            if not points.reached[i]:
                continue
            turn = points.tensor(chain.above[j] @ chain.increments[j])
            arm = self.arms[i][:, None].expand_as(by_head)
            where = slice(POSE_COUNT + 3 * i, POSE_COUNT + 3 * i + 3)
            pose[..., where] = torch.linalg.cross(arm, by_head) @ turn
        if not shape:
            return Rows(pose, None)
        by_shaped = by_head if self.blended is None else by_head @ self.blended
        moved = torch.bmm(by_shaped, points.basis)
        if not chain.at_rest and points.columns.identity_count:
            self._add_joint_shifts(moved, by_head)
        return Rows(pose, moved)

    def _add_joint_shifts(self, moved: Tensor, by_head: Tensor) -> None:
        """Identity moves the joints, and with them what is turned about them."""
        points, chain = self.points, self.chain
        below = points.skin @ points.tensor(points.skeleton.subtree.T)  # [N, J]
        shift = np.einsum("jab,sjb->jas", chain.above - chain.turns, points.skeleton.identity)
        per_point = (below @ points.tensor(shift.reshape(len(shift), -1))).view(
            len(moved), 3, points.columns.identity_count
        )
        moved[..., : points.columns.identity_count] += torch.bmm(by_head, per_point)

    def pull(self, by_camera: Tensor | None, by_head: Tensor | None) -> Doubles:
        """Gradient [P] of a cost from its derivatives by the points: in the camera frame, in the head frame [N, 3]."""
        points, chain, columns = self.points, self.chain, self.points.columns
        gradient = np.zeros(columns.count)
        total = self.shaped.new_zeros(self.shaped.shape) if by_head is None else by_head
        if by_camera is not None:
            total = total + by_camera @ points.tensor(self.view.rotation)
            gradient[TRANSL] = numbers(by_camera.sum(0))
            gradient[ROTATION] = numbers(torch.linalg.cross(self.turned, by_camera).sum(0))
            gradient[FOCAL] = gradient[TRANSL][2] * float(self.view.transl[2])
        for i, j in enumerate(columns.joints):
            if not points.reached[i]:
                continue
            torque = numbers(torch.linalg.cross(self.arms[i], total).sum(0))
            where = slice(POSE_COUNT + 3 * i, POSE_COUNT + 3 * i + 3)
            gradient[where] = (chain.above[j] @ chain.increments[j]).T @ torque
        unposed = total
        if self.blended is not None:
            unposed = (total[:, None] @ self.blended)[:, 0]
        shape = points.basis.flatten(0, 1).T @ unposed.flatten()
        gradient[columns.joint_columns.stop :] = numbers(shape)
        if not chain.at_rest and columns.identity_count:
            gradient[columns.identity] += self._pull_joint_shifts(total)
        return gradient

    def _pull_joint_shifts(self, by_head: Tensor) -> Doubles:
        points, chain = self.points, self.chain
        below = points.skin @ points.tensor(points.skeleton.subtree.T)  # [N, J]
        forces = numbers(below.T @ by_head)  # [J, 3]
        by_joint = np.einsum("jab,ja->jb", chain.above - chain.turns, forces)
        return np.einsum("sjb,jb->s", points.skeleton.identity, by_joint)


def _sum_by(rows: Tensor, owner: Tensor, count: int) -> Tensor:
    return rows.new_zeros(count, *rows.shape[1:]).index_add_(0, owner, rows)


def _combine(rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("nm,nmkp->nkp", weights, rows[index])


def numbers(tensor: Tensor) -> Doubles:
    """Bring a small tensor back: numpy, float64."""
    return tensor.detach().cpu().double().numpy()


_BLOCKS = 4
_WORTH_SPLITTING = 256


def _add_symmetric_square(into: Doubles, rows: Tensor) -> None:
    """Add J'J; only the blocks above the diagonal computed where that pays (a matrix product knows no symmetry)."""
    count = rows.shape[1]
    blocks = _BLOCKS if count >= _WORTH_SPLITTING else 1
    for start, stop in pairwise(np.linspace(0, count, blocks + 1).astype(int)):
        block = numbers(rows[:, start:stop].T @ rows[:, start:])
        into[start:stop, start:] += block
        into[stop:, start:stop] += block[:, stop - start :].T
