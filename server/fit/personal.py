# SPDX-License-Identifier: GPL-3.0-or-later
"""Personal shape: a smooth offset field on top of identity, for what the model's basis cannot reach.

min over U [V, 3]:  sum_k w_k |J_k (B_k U) - r_k|^2 + stiffness |L U|^2 + anchor |A U|^2

r_k: what is left of landmark k in the picture, in millimetres at its depth, shrunk by its scatter;
B_k: its weights over the vertices; J_k: the projection's Jacobian, so that each view constrains only
its image plane; L: the combinatorial Laplacian of the mesh; A: the rim of the face, outside of which
U is 0. It bends what is there; it does not invent detail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array, eye_array, kron
from scipy.sparse.linalg import splu

from pixel3dmm_blender.wire import Doubles, Floats, Ints

from ..heads.model import HeadModel
from .head import FitHead
from .observation import Observation
from .project import project, projection_jacobian
from .variables import FitVariables, View

STIFFNESS = 1.0
"""Bending weight. Measured on two photos of one person: error 0.58 -> 0.46 % and 0.91 -> 0.64 % of
the face height, in the
photo that was left out 1.13 -> 1.07 % and 1.15 -> 1.17 %: it bends to a calm face and to a smile
alike, so it is an option."""
ANCHOR = 1.0
"""Weight that holds vertices towards the rim of the face."""
SHRINK = 0.5
"""Residuals below so many scatters count as noise."""
_UNIT_M = 0.001


@dataclass(frozen=True, eq=False)
class Pulls:
    """What is left of every view's landmarks: rows of the least-squares problem, in millimetres. N rows, V vertices."""

    rows: csr_array
    """[N, 3 V]"""
    values: Doubles
    """[N]"""


def personal_offsets(
    model: HeadModel,
    head: FitHead,
    variables: FitVariables,
    seen: tuple[Observation, ...],
    left_out: tuple[int, ...],
) -> Floats:
    """Find the offsets [V, 3] in metres that the views agree on.

    ``left_out`` landmarks (lids, inner lips) say nothing of the shape.
    """
    count = len(model.template)
    smooth = _laplacian(model.face_sizes, model.face_vertices, count)
    face = model.groups[model.group_names.index("face")].astype(np.float64)
    bending = STIFFNESS * (smooth.T @ smooth) + diags_array(ANCHOR * (1.0 - face) + 1e-6)
    inside = np.flatnonzero(face > 0)
    columns = (3 * inside[:, None] + np.arange(3)).reshape(-1)
    system = kron(bending.tocsr()[inside][:, inside], eye_array(3))
    right = np.zeros(len(columns))
    for view, observation in zip(variables.views, seen, strict=True):
        pulls = _pulls(model, head, variables.identity, view, observation, left_out)
        rows = pulls.rows[:, columns]
        system = system + rows.T @ rows
        right += rows.T @ pulls.values
    offsets = np.zeros((count, 3), np.float32)
    offsets[inside] = splu(system.tocsc()).solve(right).reshape(-1, 3) * _UNIT_M
    return offsets


def _pulls(
    model: HeadModel,
    head: FitHead,
    identity: Doubles,
    view: View,
    seen: Observation,
    left_out: tuple[int, ...],
) -> Pulls:
    embedding = model.landmarks_478
    points = head.landmarks(identity, view)
    to_mm = points[:, 2:] / view.focal_px / _UNIT_M
    left = (seen.corrected_px - project(points, view.focal_px, view.center_px)) * to_mm
    length = np.linalg.norm(left, axis=1, keepdims=True)
    noise = SHRINK * embedding.spread_m[:, None] / _UNIT_M
    left *= np.maximum(0.0, 1.0 - noise / np.maximum(length, 1e-9))
    weights = seen.weights.copy()
    weights[list(left_out)] = 0.0
    jacobian = (
        projection_jacobian(points, view.focal_px) @ view.rotation * to_mm[:, :, None] * _UNIT_M
    )  # [K, 2, 3]
    root = np.sqrt(weights)
    rows = _spread(
        jacobian * root[:, None, None], embedding.vertices, embedding.weights, len(model.template)
    )
    return Pulls(rows, (left * root[:, None]).reshape(-1))


def _spread(jacobian: Doubles, vertices: Ints, weights: Floats, count: int) -> csr_array:
    landmarks, corners = vertices.shape
    entries = jacobian[:, :, None, :] * weights[:, None, :, None]  # [K, 2, M, 3]
    rows = np.arange(2 * landmarks).reshape(landmarks, 2, 1, 1)
    columns = 3 * vertices[:, None, :, None] + np.arange(3)
    shape = (landmarks, 2, corners, 3)
    place = (np.broadcast_to(rows, shape).reshape(-1), np.broadcast_to(columns, shape).reshape(-1))
    return coo_array((entries.reshape(-1), place), shape=(2 * landmarks, 3 * count)).tocsr()


def _laplacian(face_sizes: Ints, face_vertices: Ints, count: int) -> csr_array:
    ends = np.cumsum(face_sizes)
    following = np.arange(1, len(face_vertices) + 1)
    following[ends - 1] = ends - face_sizes
    one, other = face_vertices, face_vertices[following]
    ones = np.ones(2 * len(one))
    links = coo_array((ones, (np.r_[one, other], np.r_[other, one])), shape=(count, count)).tocsr()
    links.data[:] = 1.0
    degree = np.asarray(links.sum(1)).reshape(-1)
    return (diags_array(degree) - links).tocsr()
