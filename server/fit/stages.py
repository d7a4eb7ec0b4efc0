# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitter: the ways to solve photos of one person, one or more. Clips are in ``clip.py``, live in ``live.py``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Doubles, NoFaceFound

from ..heads.model import ViewCalibration
from ..heads.view import calibration_offsets, view_angles, view_roll
from .energy import PersonTerm, ViewTerm
from .head import FitHead
from .neutral import IdentityGuess
from .observation import Observation
from .problem import Check, Problem
from .project import project
from .solver import EVERYTHING, EXPRESSION_AND_POSE, POSE_ONLY, Freedom, Solution, solve
from .start import Correspondences, start_pose
from .steady import hopeful_shares, paid_in_part, steady_shares
from .terms.camera import CameraPrior
from .terms.expression import expression_prior
from .terms.identity import IdentityPrior
from .terms.iris import gaze_term
from .terms.joints import JointPrior
from .terms.landmarks import landmark_term
from .terms.lids import LID_PAIRS, LIP_PAIRS, closure_term
from .terms.normals import DenseNormals
from .terms.pitch import PitchPrior
from .terms.scale import scale_gauge
from .terms.silhouette import silhouette_term
from .terms.uv import DensePoints
from .variables import FitVariables, View
from .weights import DEFAULT_SCHEDULE, DEFAULT_WEIGHTS, Schedule, TermWeights

OBLIQUE_RAD, HIDDEN_RAD = np.radians([45.0, 60.0])
"""Yaw beyond which landmarks count half, and beyond which they do not count while another view does (measured)."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a solve found, and the observations it believed in the end (with the network's bias subtracted)."""

    variables: FitVariables
    seen: tuple[Observation, ...]
    solution: Solution | None = None
    """The last solve, for what follows from its normal matrix."""


@dataclass(frozen=True, eq=False)
class Fitter:
    """A head with its calibration, weights and schedule: all that every solve has in common."""

    head: FitHead
    calibration: ViewCalibration | None = None
    weights: TermWeights = DEFAULT_WEIGHTS
    schedule: Schedule = DEFAULT_SCHEDULE
    pupils_m: float = 0.0
    """Distance between the pupils, where the user measured it, metres; 0: unknown."""
    shares: Doubles | None = None
    """[E] of the expression prior that each view pays (``steady.py``); None: all of it."""
    guess: IdentityGuess | None = None
    """What somebody else says of the person."""

    def fit_photos(
        self, seen: tuple[Observation, ...], check: Check, *, shared_camera: bool = False
    ) -> Fitted:
        """Solve one or several photos of one person: shared identity; own pose, expression and camera each.

        Frames of a clip share the camera.
        """

        def solver(
            fitter: Fitter, seen: tuple[Observation, ...], start: FitVariables, freedom: Freedom
        ) -> Solution:
            return fitter._solve(seen, start, freedom, check, shared_camera=shared_camera)

        views = tuple(self.start(observation) for observation in seen)
        variables = FitVariables(np.zeros(self.head.columns.identity_count), views)
        if self.schedule.pose_steps:
            variables = solver(self, seen, variables, POSE_ONLY).variables
        seen = doubted(seen, variables)
        solution: Solution | None = None
        fitter = self.hopeful(len(seen), shared_camera=shared_camera)
        for _ in range(self.schedule.calibrations if self.calibration or len(seen) > 1 else 1):
            seen = self.calibrated(seen, variables)
            solution = solver(fitter, seen, variables, EVERYTHING)
            variables = solution.variables
            fitter = self.steadied(variables.views, shared_camera=shared_camera)
        return Fitted(variables, seen, solution)

    def hopeful(self, views: int, *, shared_camera: bool) -> Fitter:
        """The same for so many views of which nothing is known yet: as if all showed the same expression."""
        pictures = self._pictures(views, shared_camera=shared_camera)
        return replace(self, shares=hopeful_shares(self.head, pictures))

    def steadied(self, views: tuple[View, ...], *, shared_camera: bool) -> Fitter:
        """The same for views like these: what all of them show is paid for once."""
        pictures = self._pictures(len(views), shared_camera=shared_camera)
        return replace(self, shares=steady_shares(self.head, views, pictures))

    def _pictures(self, views: int, *, shared_camera: bool) -> float:
        return views / (self.repeated(views) if shared_camera else 1.0)

    def fit_expression(
        self, identity: Doubles, view: View, seen: Observation, check: Check
    ) -> Fitted:
        """Solve pose and expression of one picture of a person whose identity is known, from a start."""
        folded = replace(self, head=self.head.folded(identity))
        fitted = folded.follow(view, seen, check)
        return replace(fitted, variables=FitVariables(identity, fitted.variables.views))

    def follow(self, view: View, seen: Observation, check: Check) -> Fitted:
        """Solve pose and expression of one picture from a start; the head is that of one person (folded)."""
        variables = FitVariables(np.zeros(0), (view,))
        near = self._surprise(view, seen) < 0.5
        if self.schedule.pose_steps and not near:
            variables = self._solve((seen,), variables, POSE_ONLY, check).variables
        believed = self.calibrated((seen,), variables)
        fitter = replace(self, schedule=self.schedule.unwidened()) if near else self
        solution = fitter._solve(believed, variables, EXPRESSION_AND_POSE, check)
        return Fitted(solution.variables, believed, solution)

    def _solve(
        self,
        seen: tuple[Observation, ...],
        start: FitVariables,
        freedom: Freedom,
        check: Check,
        *,
        shared_camera: bool = False,
    ) -> Solution:
        schedule = self.schedule if freedom.shape else self.schedule.for_pose()
        repeated = self.repeated(len(seen)) if shared_camera else 1.0
        problem = Problem(
            self.head,
            self.views_terms(seen, shared_camera=shared_camera, repeated=repeated),
            self.person_terms(repeated),
            shared_camera=shared_camera,
            check=check,
        )
        return solve(problem, start, freedom, schedule)

    def repeated(self, frames: int) -> float:
        """How often frames of one clip say the same."""
        return max(1.0, frames / self.weights.independent_frames)

    def person_terms(self, repeated: float = 1.0) -> tuple[PersonTerm, ...]:
        """What is likely of a person, and how large the head is.

        The size is the average one, if the user does not know the distance between the pupils (``terms/scale.py``).
        ``repeated`` > 1 where pictures repeat each other, as frames of a clip do: the prior then counts for more.
        """
        if not self.head.columns.identity_count:
            return ()
        prior = IdentityPrior(self.head.identity_sigma, self.weights.identity * repeated)
        sigma = self.weights.scale_sigma / repeated**0.5
        gauge = scale_gauge(self.head, sigma, self.pupils_m)
        return (prior, gauge) if self.guess is None else (prior, self.guess.prior(repeated), gauge)

    def views_terms(
        self, seen: tuple[Observation, ...], *, shared_camera: bool, repeated: float = 1.0
    ) -> tuple[tuple[ViewTerm, ...], ...]:
        """The terms of all views; what is known of a camera that they share counts once, or as ``repeated`` says."""
        return tuple(
            (*self.view_terms(observation), self._camera_term(observation, repeated))
            if i == 0 or not shared_camera
            else self.view_terms(observation)
            for i, observation in enumerate(seen)
        )

    def _camera_term(self, seen: Observation, repeated: float) -> ViewTerm:
        sigma_px = self.weights.center_sigma * max(seen.width, seen.height)
        focal = replace(seen.focal, sigma=seen.focal.sigma / repeated**0.5)
        return CameraPrior(focal, seen.center_px, sigma_px / repeated**0.5)

    def view_terms(self, seen: Observation) -> tuple[ViewTerm, ...]:
        """All that one picture says of the face, and what is likely of any."""
        weights = self.weights
        terms: list[ViewTerm] = [
            paid_in_part(expression_prior(self.head, weights), self.shares),
            PitchPrior(weights.pitch_sigma_rad),
        ]
        if self.head.columns.joints:
            terms.append(JointPrior(weights.joint_sigma_rad))
        if seen.has_landmarks:
            terms.append(landmark_term(seen, weights))
            kernel = weights.landmark_kernel
            lids = closure_term(seen, LID_PAIRS, weights.lid_sigma, kernel)
            lips = closure_term(seen, LIP_PAIRS, weights.lip_sigma, kernel)
            terms.append(lids.joined(lips, gaze_term(seen, weights.gaze_sigma, kernel)))
        if seen.pixels is not None:
            unit_px = weights.uv_sigma * seen.face_height_px
            share = weights.dense_share * (weights.dense_face_px / seen.face_height_px) ** 2
            terms.append(DensePoints(seen.pixels, unit_px, weights.uv_kernel, share))
            terms.append(
                DenseNormals(seen.pixels, weights.normal_sigma, weights.normal_kernel, share)
            )
        if seen.backdrop is not None and self.head.surface is not None:
            unit_px = weights.silhouette_sigma * seen.face_height_px
            kernel, share = weights.silhouette_kernel, weights.silhouette
            terms.append(silhouette_term(seen.backdrop, self.head.surface, unit_px, kernel, share))
        return tuple(terms)

    def start(self, seen: Observation) -> View:
        """Closed-form pose of the average head; NoFaceFound where the picture says too little for one."""
        head = self.head
        view = head.neutral_view(
            View(np.eye(3), np.zeros(3), seen.focal.px, np.zeros(0), seen.center_px, np.zeros(0))
        )
        identity = np.zeros(head.columns.identity_count)
        placed = head.placed(identity, view)
        pixels = seen.pixels
        if not seen.says_enough:
            raise NoFaceFound(
                "Too little of the face can be seen to find its pose.",
                "Take a picture that shows more of it, or mask less.",
            )
        if pixels is None:
            points, counts = placed.marks.head.cpu().double().numpy(), seen.counts
            known = Correspondences(points[counts], seen.corrected_px[counts], seen.weights[counts])
        else:
            points = pixels.interpolate(placed.surface.posed.head)
            known = Correspondences(
                *(part.cpu().double().numpy() for part in (points, pixels.px, pixels.trust))
            )
        rotation, transl = start_pose(
            known, seen.focal.px, seen.center_px, robust=pixels is not None
        )
        return replace(view, rotation=rotation, transl=transl)

    def start_from(self, before: View | None, seen: Observation) -> View:
        """Start from the frame before, or from the closed form where the face has moved too far."""
        if before is not None:
            kept = replace(before, focal_px=seen.focal.px)
            if self._surprise(kept, seen) < 1.0:
                return kept
        fresh = self.start(seen)
        if before is None:
            return fresh
        return replace(fresh, expression=before.expression, joint_rotation=before.joint_rotation)

    def _surprise(self, view: View, seen: Observation) -> float:
        """How far most pixels or landmarks lie from their points; beyond 1, the kernel's width, they hardly pull."""
        weights = self.weights
        if seen.pixels is None:
            points, counts = self.head.landmarks(np.zeros(0), view), seen.counts
            placed = project(points, view.focal_px, view.center_px)
            away = np.linalg.norm((placed - seen.corrected_px)[counts], axis=1)
            unit_px = seen.face_height_px * weights.landmark_sigma
            return float(np.median(away)) / unit_px / weights.landmark_kernel if len(away) else 0.0
        if not seen.pixels.count:
            return 0.0
        dense = DensePoints(seen.pixels, weights.uv_sigma * seen.face_height_px, 1.0, 1.0)
        residuals = dense.residuals(self.head.placed(np.zeros(0), view))
        return float(residuals.norm(dim=1).median()) / weights.uv_kernel

    def calibrated(
        self, seen: tuple[Observation, ...], variables: FitVariables
    ) -> tuple[Observation, ...]:
        """Subtract the network's bias, which depends on the view."""
        if self.calibration is None:
            return seen
        return tuple(
            observation.with_bias(self._bias_px(view, variables.identity, self.calibration))
            for observation, view in zip(seen, variables.views, strict=True)
        )

    def _bias_px(self, view: View, identity: Doubles, calibration: ViewCalibration) -> Doubles:
        yaw, pitch = view_angles(view.rotation)
        offsets_m = calibration_offsets(calibration, yaw, pitch, view_roll(view.rotation))
        depth = self.head.landmarks(identity, view)[:, 2:]
        return offsets_m * (view.focal_px / depth)


def doubted(seen: tuple[Observation, ...], variables: FitVariables) -> tuple[Observation, ...]:
    """Landmarks of oblique views count less."""
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
