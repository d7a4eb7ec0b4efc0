# SPDX-License-Identifier: GPL-3.0-or-later
"""FitVariables: what is optimised, and how a step moves it.

Each view (photo or frame) has its own pose, focal length and expression; identity is shared. The
local vector of a view is [rotation 3 | translation 3 | log focal 1 | expression E]: rotation is a
left increment (``R <- exp(w) R``, radians), and translation z is divided by focal length, so that a
step of log focal keeps the size in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles

from ..heads.model import Embedding, HeadModel
from ..rotation import rotation_from_vector

FOCAL = 6
EXPRESSION = slice(7, None)
LOCAL_COUNT = 7
"""Variables of a view before its expression."""


@dataclass(frozen=True, eq=False)
class View:
    """Pose (head -> camera), focal length and expression of one picture."""

    rotation: Doubles
    """[3, 3]"""
    transl: Doubles
    """[3] metres"""
    focal_px: float
    expression: Doubles
    """[E]"""

    def moved(self, step: Doubles, bounds: Doubles) -> View:
        """Apply a local step [7 + E]; expression stays within bounds [E, 2]."""
        stretch = float(np.exp(np.clip(step[FOCAL], -0.5, 0.5)))
        transl = self.transl + step[3:6]
        transl[2] = max(transl[2], 0.05) * stretch
        expression = np.clip(self.expression + step[EXPRESSION], bounds[:, 0], bounds[:, 1])
        rotation = rotation_from_vector(step[:3]) @ self.rotation
        return View(rotation, transl, self.focal_px * stretch, expression)


@dataclass(frozen=True, eq=False)
class FitVariables:
    """Identity [S] of one person, and the views of it."""

    identity: Doubles
    views: tuple[View, ...]


@dataclass(frozen=True, eq=False)
class LandmarkBasis:
    """A head model reduced to its landmarks and to the components that the solver moves: K points, S, E."""

    template: Doubles
    """[K, 3]"""
    identity: Doubles
    """[S, K, 3]"""
    expression: Doubles
    """[E, K, 3]"""
    identity_sigma: Doubles
    identity_bounds: Doubles
    """[S, 2]"""
    expression_sigma: Doubles
    expression_bounds: Doubles
    """[E, 2]; both 0 where the solver leaves a component alone."""
    mirror: tuple[int, ...]
    """[E] the same expression on the other side."""

    def points(self, identity: Doubles, expression: Doubles) -> Doubles:
        """[K, 3] in the head frame."""
        moved = np.tensordot(identity, self.identity, 1) + np.tensordot(
            expression, self.expression, 1
        )
        return self.template + moved


def landmark_basis(model: HeadModel, embedding: Embedding) -> LandmarkBasis:
    """Evaluate a head model's bases at an embedding's K points (joints at rest)."""

    def at_points(offsets: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Doubles:
        return np.einsum(
            "...kmc,km->...kc", offsets[..., embedding.vertices, :], embedding.weights
        ).astype(np.float64)

    fitted: Bools = model.expression_fitted
    return LandmarkBasis(
        template=at_points(model.template),
        identity=np.stack([at_points(offsets) for offsets in model.identity]),
        expression=np.stack([at_points(offsets) for offsets in model.expression]),
        identity_sigma=model.identity_sigma.astype(np.float64),
        identity_bounds=model.identity_bounds.astype(np.float64),
        expression_sigma=model.expression_sigma.astype(np.float64),
        expression_bounds=np.where(fitted[:, None], model.expression_bounds, 0.0).astype(
            np.float64
        ),
        mirror=tuple(int(index) for index in model.expression_mirror),
    )
