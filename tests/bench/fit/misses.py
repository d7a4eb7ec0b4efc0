# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a found head is from the true one: means over the vertices of the face's surface, in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles
from server.fit.head import FitHead
from server.fit.variables import FitVariables
from tests.truth.measure import MM, align, rotation_error_deg, scale_of, vertex_error_mm

from .cases import Photo


@dataclass(frozen=True)
class Miss:
    """Errors of one photo."""

    whole_mm: float
    """The face with what is hidden, after rigid alignment without scale."""
    visible_mm: float
    """What the maps show, aligned by itself."""
    whole_scaled_mm: float
    """The whole face, after alignment with scale."""
    visible_scaled_mm: float
    rotation_deg: float
    """Between the found and the true pose of the head, as they are: no alignment."""
    scale: float
    """Found over true size."""


def miss(head: FitHead, photo: Photo, variables: FitVariables) -> Miss:
    """Hold a solution against the truth."""
    found, true = surface_points(head, variables), true_points(head, photo)
    shown = photo.visible
    return Miss(
        whole_mm=float(vertex_error_mm(found, true).mean()),
        visible_mm=float(vertex_error_mm(found, true, shown).mean()),
        whole_scaled_mm=scaled_error_mm(found, true),
        visible_scaled_mm=scaled_error_mm(found[shown], true[shown]),
        rotation_deg=rotation_error_deg(variables.views[0].rotation, photo.scene.rotation),
        scale=scale_of(found, true),
    )


def visible_error_mm(head: FitHead, photo: Photo, variables: FitVariables, visible: Bools) -> float:
    """Mean distance over the chosen vertices [N], aligned by themselves, without scale."""
    found, true = surface_points(head, variables), true_points(head, photo)
    return float(vertex_error_mm(found, true, visible).mean())


def surface_points(head: FitHead, variables: FitVariables, index: int = 0) -> Doubles:
    """[N, 3] the face in the head frame, metres."""
    placed = head.placed(variables.identity, variables.views[index])
    return placed.surface.posed.head.cpu().double().numpy()


def true_points(head: FitHead, photo: Photo) -> Doubles:
    """[N, 3] where it truly is."""
    assert head.surface is not None, "the studio's head is dense"
    return photo.truth.vertices[head.surface.vertices]


def scaled_error_mm(found: Doubles, true: Doubles) -> float:
    """Mean distance after the best rotation, shift and scale, in millimetres of the true head."""
    best = align(found, true)
    back = (found - best.shift) @ best.rotation / best.scale
    return float(MM * np.linalg.norm(back - true, axis=1).mean())
