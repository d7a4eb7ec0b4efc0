# SPDX-License-Identifier: GPL-3.0-or-later
"""Solved: a head model, the solver on it, and what the solver found; the geometry that follows, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pixel3dmm_blender.wire import Camera, Doubles, Floats

from .detect.topology import LEFT_EYE, LIPS_INNER, RIGHT_EYE
from .fit.clip import KEY_FRAMES
from .fit.head import make_fit_head
from .fit.personal import personal_offsets
from .fit.problem import Problem, State
from .fit.project import project
from .fit.stages import Fitted, Fitter
from .fit.terms.scale import LEFT_PUPIL, RIGHT_PUPIL
from .fit.uncertainty import Belief, Deviation, find_deviation, vertex_std
from .fit.variables import FitVariables
from .heads.deform import expressed, neutral, pose
from .heads.model import HeadModel

NO_SHAPE = (*RIGHT_EYE, *LEFT_EYE, *LIPS_INNER, *range(468, 478))
"""Landmarks that move with expression and gaze, and so say nothing of the personal shape."""
CLEARLY = 0.5
"""The frames of a clip have shown the focal length if no more of the doubt in the assumed one is left."""


@dataclass(frozen=True, eq=False)
class Solved:
    """One person. N views, K landmarks, V vertices."""

    model: HeadModel
    fitter: Fitter
    fitted: Fitted
    part_of: tuple[Solved, int] | None = None
    """The solution of which this is one view, and which."""
    before: Solved | None = None
    """What this corrects, where only some of its views were solved again: this one is as sure."""

    def of_view(self, index: int) -> Solved:
        """The same person in one of the views alone."""
        variables = FitVariables(
            self.fitted.variables.identity, (self.fitted.variables.views[index],)
        )
        fitted = Fitted(variables, (self.fitted.seen[index],))
        return replace(self, fitted=fitted, part_of=(self, index), before=None)

    def refined(self, fitted: Fitted) -> Solved:
        """The same person after corrections."""
        before = (self.before or self) if fitted.solution is None else None
        return replace(self, fitted=fitted, part_of=None, before=before)

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
            focal_source=self.focal_source,
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

    @cached_property
    def deviation(self) -> Deviation:
        """How sure everything is."""
        if self.part_of is not None:
            whole, index = self.part_of
            return whole.deviation.of_view(index)
        if self.before is not None:
            return self.before.deviation
        state = self._state
        repeated = self.fitter.repeated(len(state.views)) if state.problem.shared_camera else 1.0
        size_known = self.scale_source == "user"
        return find_deviation(state, Belief(repeated=repeated, size_known=size_known))

    @cached_property
    def vertex_std_m(self) -> Floats:
        """[V] how far the vertices of the neutral head may be off, metres. A personal shape is taken as it is."""
        return vertex_std(self.model.identity, self.deviation.identity_covariance)

    @property
    def vertex_confidence(self) -> Floats:
        """[V] 0..1 how much the pictures told: 1 - deviation / that of a person whom nobody has seen."""
        sigma = self.model.identity_sigma.astype(np.float64)
        unseen = vertex_std(self.model.identity, np.diag(sigma**2))
        left = np.divide(self.vertex_std_m, unseen, out=np.ones_like(unseen), where=unseen > 0)
        return np.clip(1.0 - left, 0.0, 1.0).astype(np.float32)

    @property
    def focal_source(self) -> str:
        """Who said the focal length; "frames" where it was assumed and the frames of a clip then showed it."""
        focal, views = self.fitted.seen[0].focal, self.fitted.variables.views
        share_camera = len(views) > 1 and len({view.focal_px for view in views}) == 1
        if focal.source == "prior" and share_camera:
            return "frames" if self.deviation.focal[0] < CLEARLY * focal.sigma else "prior"
        return focal.source

    @property
    def scale_source(self) -> str:
        """Who said the size of the head: "user" or "prior"."""
        return "user" if self.fitter.pupils_m else "prior"

    @property
    def pupils_m(self) -> float:
        """How far apart the pupils of the neutral head are, metres."""
        rest = self.fitter.head.neutral_view(self.fitted.variables.views[0])
        marks = self.fitter.head.landmarks(self.fitted.variables.identity, rest)
        return float(np.linalg.norm(marks[RIGHT_PUPIL] - marks[LEFT_PUPIL]))

    @property
    def _state(self) -> State:
        """The solution's. A result that was put together from frames is looked at as if they were photos."""
        solution = self.fitted.solution
        if solution is not None and solution.state.problem.head.whole is None:
            return solution.state
        views = self.fitter.views_terms(self.fitted.seen, shared_camera=False)
        problem = Problem(self.fitter.head, views, self.fitter.person_terms())
        return problem.evaluate(self.fitted.variables, 1.0)


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
    dense = solved.fitter.head.surface is not None
    return Solved(model, replace(solved.fitter, head=make_fit_head(model, dense=dense)), fitted)
