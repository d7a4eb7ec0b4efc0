# SPDX-License-Identifier: GPL-3.0-or-later
"""From the numbers of a face to its vertices.

    neutral   = template + sum_s identity_s B_s
    expressed = neutral + sum_e expression_e E_e
    posed     = sum_j weight_jv G_j expressed_v,  G_j = G_parent(j) T(h_j) R_j T(-h_j)    (linear blend skinning)

h_j are the joints of the neutral head (the regressor times neutral); R_j are rotations about the axes of the
head frame, relative to the parent. Everything in metres in the frame of the HeadModel.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles, Floats

from ..rotation import rotations_from_vectors
from .model import Embedding, HeadModel


def neutral(model: HeadModel, identity: Floats) -> Floats:
    """Shape the head of one person: identity [S] -> vertices [V, 3] m."""
    return model.template + _sum_fields(model.identity, identity)


def expressed(model: HeadModel, neutral_vertices: Floats, expression: Floats) -> Floats:
    """Add an expression [E] to a neutral head [V, 3]: vertices [V, 3] m."""
    return neutral_vertices + _sum_fields(model.expression, expression)


def pose(model: HeadModel, joints: Floats, vertices: Floats, joint_rotation: Floats) -> Floats:
    """Bend vertices [V, 3] by axis-angle rotations [J, 3] about the joints [J, 3]: vertices [V, 3] m."""
    moved = joint_transforms(model, joints, joint_rotation)  # [J, 3, 4]
    blended = np.tensordot(model.skin_weights.T.astype(np.float64), moved, axes=1)  # [V, 3, 4]
    posed = np.einsum("vab,vb->va", blended[:, :, :3], vertices) + blended[:, :, 3]
    return posed.astype(np.float32)


def joint_transforms(model: HeadModel, joints: Floats, joint_rotation: Floats) -> Doubles:
    """Find G_j [J, 3, 4]: where each joint takes the points of the unposed head."""
    local = rotations_from_vectors(np.asarray(joint_rotation, np.float64))
    places = np.asarray(joints, np.float64)
    chain = np.zeros((len(places), 3, 4))
    for joint, parent in enumerate(model.joint_parents):
        turn, shift = local[joint], places[joint] - local[joint] @ places[joint]
        if parent >= 0:
            above = chain[parent]
            turn, shift = above[:, :3] @ turn, above[:, :3] @ shift + above[:, 3]
        chain[joint, :, :3], chain[joint, :, 3] = turn, shift
    return chain


def surface_points(embedding: Embedding, vertices: Floats) -> Floats:
    """Find the K embedded points on vertices [V, 3]: [K, 3]."""
    return np.einsum("km,kmc->kc", embedding.weights, vertices[embedding.vertices])


def _sum_fields(fields: Floats, values: Floats) -> Floats:
    """Weighted sum of displacement fields [N, V, 3]; zeros, most of an expression, cost nothing."""
    active = np.flatnonzero(values)
    if len(active) == 0:
        return np.zeros(fields.shape[1:], np.float32)
    flat = fields.reshape(len(fields), -1)
    chosen = flat if len(active) == len(flat) else flat[active]
    return (np.asarray(values, np.float32)[active] @ chosen).reshape(fields.shape[1:])
