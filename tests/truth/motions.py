# SPDX-License-Identifier: GPL-3.0-or-later
"""Which components of a head blink and speak: by their names where they have them, else by what they move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles
from server.heads.deform import surface_points
from server.heads.model import HeadModel

JAW_OPEN = "jawOpen"
BLINK = (("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0))
SPEECH = (
    ((JAW_OPEN, 0.45),),
    (("mouthLowerDownLeft", 0.3), ("mouthLowerDownRight", 0.3)),
    (("mouthUpperUpLeft", 0.15), ("mouthUpperUpRight", 0.15)),
    (("mouthFunnel", 0.25), ("mouthPucker", 0.25)),
    (("mouthStretchLeft", 0.25), ("mouthStretchRight", 0.25)),
)  # fmt: skip
"""ARKit components that move together, and how far at most."""
UPPER_LIDS, LOWER_LIDS = (37, 38, 43, 44), (41, 40, 47, 46)
MOUTH_CORNERS, LOWER_LIP, UPPER_LIP = (48, 54), (56, 57, 58), (50, 51, 52)
"""iBUG points."""
LIP_M = 0.004
CORNER_M = 0.003
JAW_RAD = 0.15
"""How far the jaw opens in speech where no component does it."""
REACH_SIGMA = 3.0
TOLERANCE_M = 0.001
"""How near to its aim a landmark should come, against a component's sigma."""


@dataclass(frozen=True)
class Motions:
    """Expressions [E] at their full extent."""

    blink: Doubles
    speech: tuple[Doubles, ...]
    jaw_rad: float


def find_motions(model: HeadModel) -> Motions:
    """Find out how a head closes its eyes and moves its lips."""
    if JAW_OPEN in model.expression_names:
        return Motions(_named(model, BLINK), tuple(_named(model, keys) for keys in SPEECH), 0.0)
    points = surface_points(model.landmarks_68, model.template).astype(np.float64)
    closing = points[list(LOWER_LIDS)] - points[list(UPPER_LIDS)]
    sideways = CORNER_M * np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    lips = LIP_M * np.repeat([[0.0, -1.0, 0.0], [0.0, 0.5, 0.0]], 3, axis=0)
    return Motions(
        _reaching(model, UPPER_LIDS, closing),
        (
            _reaching(model, MOUTH_CORNERS, sideways),
            _reaching(model, (*LOWER_LIP, *UPPER_LIP), lips),
        ),
        JAW_RAD,
    )


def _named(model: HeadModel, keys: tuple[tuple[str, float], ...]) -> Doubles:
    amounts = dict(keys)
    return np.array([amounts.get(name, 0.0) for name in model.expression_names])


def _reaching(model: HeadModel, landmarks: tuple[int, ...], offsets: Doubles) -> Doubles:
    """Find c [E] that minimises |A c - offsets|^2 / tolerance^2 + |c / sigma|^2, A the landmarks' motions."""
    embedding = model.landmarks_68
    chosen, weights = embedding.vertices[list(landmarks)], embedding.weights[list(landmarks)]
    moved = np.einsum("km,ekmc->ekc", weights, model.expression[:, chosen]).astype(np.float64)
    sigma = np.where(model.expression_fitted, model.expression_sigma, 0.0).astype(np.float64)
    reach = moved.reshape(len(moved), -1).T * sigma / TOLERANCE_M
    normal = reach.T @ reach + np.eye(len(sigma))
    steps = np.linalg.solve(normal, reach.T @ offsets.ravel() / TOLERANCE_M)
    return np.clip(steps, -REACH_SIGMA, REACH_SIGMA) * sigma
