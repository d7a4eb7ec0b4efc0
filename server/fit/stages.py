# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to solve: photos of one person (one or more), and a clip. Short loops over ``solve``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..heads.model import ViewCalibration
from ..heads.view import calibration_offsets, view_angles, view_roll
from .observation import Observation
from .problem import Problem
from .solver import EVERYTHING, EXPRESSION_AND_POSE, POSE_ONLY, solve
from .start import start_pose
from .variables import FitVariables, LandmarkBasis, View
from .weights import DEFAULT_SCHEDULE, DEFAULT_WEIGHTS, Schedule, TermWeights

KEY_FRAMES = 10
"""Identity of a clip comes from at most so many frames, spread over yaw."""
OBLIQUE_RAD, HIDDEN_RAD = np.radians([45.0, 60.0])
"""Yaw beyond which landmarks count half, and beyond which they do not count while another view does (measured)."""

Check = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a solve found, and the observations it believed in the end (with the network's bias subtracted)."""

    variables: FitVariables
    seen: tuple[Observation, ...]


@dataclass(frozen=True, eq=False)
class Fitter:
    """A head's landmark basis with its calibration, weights and schedule: all that every solve has in common."""

    basis: LandmarkBasis
    calibration: ViewCalibration | None = None
    weights: TermWeights = DEFAULT_WEIGHTS
    schedule: Schedule = DEFAULT_SCHEDULE

    def fit_photos(self, seen: tuple[Observation, ...], check: Check) -> Fitted:
        """Solve one or several photos of one person: shared identity; own pose, focal length and expression each."""
        views = tuple(self.start(observation) for observation in seen)
        variables = FitVariables(np.zeros(len(self.basis.identity)), views)
        variables = solve(
            self._problem(seen), variables, POSE_ONLY, self.schedule.pose_steps, check
        )
        seen = self._doubted(seen, variables)
        for _ in range(self.schedule.calibrations):
            seen = self._calibrated(seen, variables)
            variables = solve(
                self._problem(seen), variables, EVERYTHING, self.schedule.steps, check
            )
        return Fitted(variables, seen)

    def fit_clip(
        self,
        seen: tuple[Observation, ...],
        check: Check,
        progress: Callable[[float], None] = lambda _: None,
    ) -> Fitted:
        """Solve a clip of N frames that show the face.

        Identity and focal length come from key frames of spread yaw; then each frame is solved from
        the one before.
        """
        starts = tuple(self.start(observation) for observation in seen)
        keys = self._key_frames(seen, starts)
        person = self.fit_photos(tuple(seen[index] for index in keys), check)
        identity = person.variables.identity
        focal_px = float(np.median([view.focal_px for view in person.variables.views]))
        views: list[View] = []
        believed: list[Observation] = []
        for index, observation in enumerate(seen):
            before = views[-1].expression if views else np.zeros(len(self.basis.expression))
            fixed = replace(observation, focal=replace(observation.focal, px=focal_px))
            view = replace(self.start(fixed), expression=before)
            fitted = self.fit_expression(identity, view, fixed, check)
            views.append(fitted.variables.views[0])
            believed.append(fitted.seen[0])
            progress((index + 1) / len(seen))
        return Fitted(FitVariables(identity, tuple(views)), tuple(believed))

    def fit_expression(
        self, identity: Doubles, view: View, seen: Observation, check: Check
    ) -> Fitted:
        """Solve pose and expression of one picture of a person whose identity is known, from a start."""
        variables = FitVariables(identity, (view,))
        variables = solve(
            self._problem((seen,)), variables, POSE_ONLY, self.schedule.pose_steps, check
        )
        believed = self._calibrated((seen,), variables)
        steps = self.schedule.steps
        variables = solve(self._problem(believed), variables, EXPRESSION_AND_POSE, steps, check)
        return Fitted(variables, believed)

    def _problem(self, seen: tuple[Observation, ...]) -> Problem:
        return Problem(self.basis, seen, self.weights, self.schedule)

    def start(self, seen: Observation) -> View:
        """Closed-form pose of the average head."""
        rotation, transl = start_pose(
            self.basis.template, seen.corrected_px, seen.weights, seen.focal.px, seen.center_px
        )
        return View(rotation, transl, seen.focal.px, np.zeros(len(self.basis.expression)))

    def _calibrated(
        self, seen: tuple[Observation, ...], variables: FitVariables
    ) -> tuple[Observation, ...]:
        if self.calibration is None:
            return seen
        return tuple(
            observation.with_bias(self._bias_px(view, variables.identity, self.calibration))
            for observation, view in zip(seen, variables.views, strict=True)
        )

    def _bias_px(self, view: View, identity: Doubles, calibration: ViewCalibration) -> Doubles:
        yaw, pitch = view_angles(view.rotation)
        offsets_m = calibration_offsets(calibration, yaw, pitch, view_roll(view.rotation))
        points = self.basis.points(identity, view.expression) @ view.rotation.T + view.transl
        return offsets_m * (view.focal_px / points[:, 2:])

    def _doubted(
        self, seen: tuple[Observation, ...], variables: FitVariables
    ) -> tuple[Observation, ...]:
        yaws = np.abs([view_angles(view.rotation)[0] for view in variables.views])
        trust = np.where(yaws > OBLIQUE_RAD, 0.5, 1.0)
        if (yaws <= HIDDEN_RAD).any():
            trust[yaws > HIDDEN_RAD] = (
                0.02  # still finds its own pose, but says next to nothing of the person
            )
        return tuple(
            replace(observation, weights=observation.weights * share)
            for observation, share in zip(seen, trust, strict=True)
        )

    def _key_frames(
        self, seen: tuple[Observation, ...], starts: tuple[View, ...]
    ) -> tuple[int, ...]:
        yaws = np.array([view_angles(view.rotation)[0] for view in starts])
        usable = np.flatnonzero(np.abs(yaws) < HIDDEN_RAD)
        if len(usable) == 0:
            usable = np.arange(len(seen))
        order = usable[np.argsort(yaws[usable], kind="stable")]
        picks = np.linspace(0, len(order) - 1, min(KEY_FRAMES, len(order))).round().astype(int)
        return tuple(sorted(int(order[pick]) for pick in set(picks.tolist())))
