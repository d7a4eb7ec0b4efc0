# SPDX-License-Identifier: GPL-3.0-or-later
"""Solved: a head model, the solver on it, and what the solver found; and the geometry that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Camera, Doubles, Floats

from .detect.topology import LEFT_EYE, LIPS_INNER, RIGHT_EYE
from .fit.clip import KEY_FRAMES
from .fit.head import make_fit_head
from .fit.personal import personal_offsets
from .fit.project import project
from .fit.stages import Fitted, Fitter
from .fit.variables import FitVariables
from .heads.deform import expressed, neutral, pose
from .heads.model import HeadModel

NO_SHAPE = (*RIGHT_EYE, *LEFT_EYE, *LIPS_INNER, *range(468, 478))
"""Landmarks that move with expression and gaze, and so say nothing of the personal shape."""


@dataclass(frozen=True, eq=False)
class Solved:
    """One person. N views, K landmarks, V vertices."""

    model: HeadModel
    fitter: Fitter
    fitted: Fitted

    def of_view(self, index: int) -> Solved:
        """The same person in one of the views alone."""
        variables = FitVariables(
            self.fitted.variables.identity, (self.fitted.variables.views[index],)
        )
        return replace(self, fitted=Fitted(variables, (self.fitted.seen[index],)))

    def camera(self, index: int = 0) -> Camera:
        """The camera of one view, in the frame of a head that stands at the origin."""
        view, seen = self.fitted.variables.views[index], self.fitted.seen[index]
        world_to_camera = np.eye(4)
        world_to_camera[:3, :3], world_to_camera[:3, 3] = view.rotation, view.transl
        return Camera(
            width=seen.width,
            height=seen.height,
            focal_px=view.focal_px,
            center_px=view.center_px,
            world_to_camera=world_to_camera,
            focal_source=seen.focal.source,
        )

    def posed(self, index: int = 0) -> Floats:
        """[V, 3] the head of one view in the head frame, metres."""
        view = self.fitted.variables.views[index]
        person = neutral(self.model, self.fitted.variables.identity.astype(np.float32))
        shaped = expressed(self.model, person, view.expression.astype(np.float32))
        if not view.joint_rotation.any():
            return shaped
        turns = view.joint_rotation.astype(np.float32)
        return pose(self.model, self.model.joints(person), shaped, turns)

    def landmarks_px(self) -> tuple[Doubles, Doubles]:
        """[N, K, 2] where the landmarks were seen, the network's bias removed, and where the head has them."""
        found = np.stack([seen.corrected_px for seen in self.fitted.seen])
        placed = []
        for view in self.fitted.variables.views:
            points = self.fitter.head.landmarks(self.fitted.variables.identity, view)
            placed.append(project(points, view.focal_px, view.center_px))
        return found, np.stack(placed)

    def errors_px(self) -> Doubles:
        """[N] mean distance of the head to the landmarks, the network's bias removed.

        Counted are the 468 points of the mesh and both iris centres.
        """
        found, placed = self.landmarks_px()
        return _mean_distance(found, placed)

    def raw_errors_px(self) -> Doubles:
        """[N] the same to the landmarks as the network saw them."""
        _, placed = self.landmarks_px()
        return _mean_distance(np.stack([seen.points_px for seen in self.fitted.seen]), placed)


def _mean_distance(found: Doubles, placed: Doubles) -> Doubles:
    distance = np.linalg.norm(found - placed, axis=2)
    return distance[:, [*range(469), 473]].mean(axis=1)


def make_fitter(model: HeadModel) -> Fitter:
    """The solver for one head model."""
    return Fitter(make_fit_head(model), model.calibration_478)


def personalise(solved: Solved, strength: float) -> Solved:
    """Bend the head by the smooth offset field that its views agree on, at a strength of 0..1.

    Of many views, some spread evenly say enough.
    """
    fitted = solved.fitted
    count = len(fitted.seen)
    picks = np.unique(np.linspace(0, count - 1, min(count, KEY_FRAMES)).round().astype(int))
    views = tuple(fitted.variables.views[pick] for pick in picks)
    seen = tuple(fitted.seen[pick] for pick in picks)
    variables = FitVariables(fitted.variables.identity, views)
    offsets = personal_offsets(solved.model, solved.fitter.head, variables, seen, NO_SHAPE)
    model = replace(solved.model, template=solved.model.template + strength * offsets)
    return Solved(model, make_fitter(model), fitted)
