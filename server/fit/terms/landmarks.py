# SPDX-License-Identifier: GPL-3.0-or-later
"""2D landmarks: r_k = (project(exp(w) R x_k + t) - (seen_k - bias_k)) / (sigma * face height), Cauchy kernel on |r_k|.

x_k = template_k + identity . c + expression . e in the head frame (metres); pixels as in ``project.py``.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..equations import Equations
from ..problem import Problem
from ..project import project, projection_jacobian
from ..robust import cauchy_cost, cauchy_weight
from ..variables import EXPRESSION, FOCAL, LOCAL_COUNT, FitVariables, LandmarkBasis, View


def landmark_residuals(problem: Problem, variables: FitVariables, index: int) -> Doubles:
    """[K, 2] of one view, in sigmas."""
    view, seen = variables.views[index], problem.seen[index]
    points = (
        problem.basis.points(variables.identity, view.expression) @ view.rotation.T + view.transl
    )
    return (project(points, view.focal_px, seen.center_px) - seen.corrected_px) / _unit_px(
        problem, index
    )


def landmark_cost(problem: Problem, variables: FitVariables, index: int) -> float:
    """Robust cost of one view."""
    squared = (landmark_residuals(problem, variables, index) ** 2).sum(1)
    return float(
        problem.seen[index].weights @ cauchy_cost(squared, problem.weights.landmark_kernel)
    )


def landmark_jacobian(
    basis: LandmarkBasis, identity: Doubles, view: View, unit_px: float
) -> tuple[Doubles, Doubles]:
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
    equations: Equations, problem: Problem, variables: FitVariables, index: int
) -> None:
    """Add one view's landmarks to the normal equation."""
    block, view = equations.blocks[index], variables.views[index]
    residuals = landmark_residuals(problem, variables, index)
    kernel = cauchy_weight((residuals**2).sum(1), problem.weights.landmark_kernel)
    local, shared = landmark_jacobian(
        problem.basis, variables.identity, view, _unit_px(problem, index)
    )
    root = np.repeat(np.sqrt(problem.seen[index].weights * kernel), 2)
    flat = residuals.reshape(-1) * root
    local_rows = local.reshape(len(flat), -1) * root[:, None]
    shared_rows = shared.reshape(len(flat), -1) * root[:, None]
    block.hessian += local_rows.T @ local_rows
    block.gradient += local_rows.T @ flat
    block.coupling += local_rows.T @ shared_rows
    equations.hessian += shared_rows.T @ shared_rows
    equations.gradient += shared_rows.T @ flat


def _unit_px(problem: Problem, index: int) -> float:
    return problem.weights.landmark_sigma * problem.seen[index].face_height_px
