# SPDX-License-Identifier: GPL-3.0-or-later
"""2D landmarks: r_k = (project(exp(w) R x_k + t) - (seen_k - bias_k)) / (sigma * face height), Cauchy kernel on |r_k|.

x_k = template_k + identity . c + expression . e in the head frame (metres); pixels as in ``project.py``.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..equations import Block, Equations
from ..observation import Observation
from ..project import project, projection_jacobian
from ..robust import cauchy_cost, cauchy_weight
from ..variables import EXPRESSION, FOCAL, LOCAL_COUNT, LandmarkBasis, View
from ..weights import TermWeights


def landmark_residuals(
    basis: LandmarkBasis, identity: Doubles, view: View, seen: Observation, weights: TermWeights
) -> Doubles:
    """[K, 2] in sigmas."""
    points = basis.points(identity, view.expression) @ view.rotation.T + view.transl
    unit = weights.landmark_sigma * seen.face_height_px
    return (project(points, view.focal_px, seen.center_px) - seen.corrected_px) / unit


def landmark_cost(
    basis: LandmarkBasis, identity: Doubles, view: View, seen: Observation, weights: TermWeights
) -> float:
    """Robust cost of one view."""
    squared = (landmark_residuals(basis, identity, view, seen, weights) ** 2).sum(1)
    return float(seen.weights @ cauchy_cost(squared, weights.landmark_kernel))


def landmark_jacobian(basis: LandmarkBasis, identity: Doubles, view: View, unit_px: float) -> tuple[Doubles, Doubles]:
    """Derivatives of the residuals: local [K, 2, 7 + E] and shared [K, 2, S]."""
    turned = basis.points(identity, view.expression) @ view.rotation.T
    points = turned + view.transl
    by_point = projection_jacobian(points, view.focal_px) / unit_px  # [K, 2, 3]
    by_head = by_point @ view.rotation  # [K, 2, 3]
    local = np.empty((len(points), 2, LOCAL_COUNT + len(view.expression)))
    local[:, :, :3] = np.cross(turned[:, None, :], by_point)  # d (w x p) / d w, row by row
    local[:, :, 3:6] = by_point
    ratio = 1.0 - view.transl[2] / points[:, 2]  # z of the translation grows with the focal length
    local[:, :, FOCAL] = view.focal_px / unit_px * points[:, :2] / points[:, 2:] * ratio[:, None]
    local[:, :, EXPRESSION] = np.einsum("kij,ekj->kie", by_head, basis.expression, optimize=True)
    shared = np.einsum("kij,skj->kis", by_head, basis.identity, optimize=True)
    return local, shared


def add_landmarks(
    equations: Equations,
    block: Block,
    basis: LandmarkBasis,
    identity: Doubles,
    view: View,
    seen: Observation,
    weights: TermWeights,
) -> None:
    """Add one view's landmarks to the normal equation."""
    residuals = landmark_residuals(basis, identity, view, seen, weights)
    pull = seen.weights * cauchy_weight((residuals**2).sum(1), weights.landmark_kernel)
    local, shared = landmark_jacobian(basis, identity, view, weights.landmark_sigma * seen.face_height_px)
    root = np.repeat(np.sqrt(pull), 2)
    flat = residuals.reshape(-1) * root
    local_rows = local.reshape(len(flat), -1) * root[:, None]
    shared_rows = shared.reshape(len(flat), -1) * root[:, None]
    block.hessian += local_rows.T @ local_rows
    block.gradient += local_rows.T @ flat
    block.coupling += local_rows.T @ shared_rows
    equations.hessian += shared_rows.T @ shared_rows
    equations.gradient += shared_rows.T @ flat
