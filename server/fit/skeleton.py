# SPDX-License-Identifier: GPL-3.0-or-later
"""The joints of a head as the solver sees them: where they go, and what moves with them.

    G_j = G_parent(j) T(h_j) R_j T(-h_j),  G_j x = A_j x + b_j
    b_j = sum over j and its ancestors k of (A_parent(k) - A_k) h_k

h_j = h0_j + H_j . identity is the joint of the neutral head; R_j = exp(joint_rotation_j) about the axes of the head
frame. A joint whose limits are 0 is carried by shape keys instead (MakeHuman's jaw and eyes) and stays at rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..heads.model import HeadModel
from ..rotation import left_jacobians, rotations_from_vectors


@dataclass(frozen=True, eq=False)
class Chain:
    """The joints in one pose. J joints, all in the head frame."""

    turns: Doubles
    """[J, 3, 3] A_j"""
    shifts: Doubles
    """[J, 3] b_j"""
    above: Doubles
    """[J, 3, 3] A_parent(j)"""
    centers: Doubles
    """[J, 3] where each joint stands after its ancestors have turned."""
    increments: Doubles
    """[J, 3, 3] left Jacobian of exp at joint_rotation_j: turns a change of the vector into a small rotation."""
    at_rest: bool
    """Whether no joint is turned."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints of one head model. J joints, S identity components."""

    joints: Doubles
    """[J, 3] metres, of the template."""
    identity: Doubles
    """[S, J, 3] how they move with identity."""
    parents: tuple[int, ...]
    limits: Doubles
    """[J, 3, 2] radians, bounds of the axis-angle vector."""
    subtree: Doubles
    """[J, J] 1 where the column's joint is the row's joint or below it."""

    @property
    def free(self) -> tuple[int, ...]:
        """The joints that the solver may turn."""
        return tuple(int(j) for j in np.flatnonzero(np.ptp(self.limits, axis=2).max(1) > 0))

    def chain(self, identity: Doubles, joint_rotation: Doubles) -> Chain:
        """Turn the joints [J, 3] of a person [S]."""
        places = self.joints + np.tensordot(identity, self.identity, 1)
        count = len(places)
        if not joint_rotation.any():
            still = np.tile(np.eye(3), (count, 1, 1))
            return Chain(still, np.zeros((count, 3)), still, places, still, at_rest=True)
        local = rotations_from_vectors(joint_rotation)
        turns, shifts = np.empty((count, 3, 3)), np.empty((count, 3))
        above, centers = np.empty((count, 3, 3)), np.empty((count, 3))
        for j, parent in enumerate(self.parents):
            above[j], shift = (
                (np.eye(3), np.zeros(3)) if parent < 0 else (turns[parent], shifts[parent])
            )
            turns[j] = above[j] @ local[j]
            centers[j] = above[j] @ places[j] + shift
            shifts[j] = centers[j] - turns[j] @ places[j]
        increments = left_jacobians(joint_rotation)
        return Chain(turns, shifts, above, centers, increments, at_rest=False)

    def folded(self, identity: Doubles) -> Skeleton:
        """The joints of one person, whose identity no longer moves."""
        places = self.joints + np.tensordot(identity, self.identity, 1)
        return Skeleton(places, self.identity[:0], self.parents, self.limits, self.subtree)


def make_skeleton(model: HeadModel) -> Skeleton:
    """Read the joints out of a head model."""
    regressor = model.joint_regressor.astype(np.float64)
    parents = tuple(int(parent) for parent in model.joint_parents)
    subtree = np.eye(len(parents))
    for j, parent in enumerate(parents):
        if parent >= 0:
            subtree[:, j] += subtree[:, parent]
    return Skeleton(
        joints=regressor @ model.template,
        identity=np.einsum("jv,svc->sjc", regressor, model.identity, optimize=True),
        parents=parents,
        limits=np.zeros((len(parents), 3, 2))
        if model.joint_limits is None
        else model.joint_limits.astype(np.float64),
        subtree=subtree,
    )
