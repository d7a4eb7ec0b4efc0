# SPDX-License-Identifier: GPL-3.0-or-later
"""The solver on a head whose answer is known: exact derivatives, recovery, bounds, and honest gauges."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pixel3dmm_blender.wire import Cancelled, Doubles
from server.fit.clip import FaceClip, fit_clip
from server.fit.equations import Vector
from server.fit.head import FitHead
from server.fit.observation import Focal, Observation, focal_of
from server.fit.problem import Problem
from server.fit.project import project
from server.fit.solver import EVERYTHING, solve
from server.fit.stages import Fitter
from server.fit.variables import FitVariables, View
from server.fit.weights import DEFAULT_SCHEDULE, DEFAULT_WEIGHTS, TermWeights
from server.heads.model import ViewCalibration
from server.heads.view import calibration_offsets, view_angles, view_rotation
from server.rotation import rotation_from_vector, vector_from_rotation
from tests.fakes.cloud import EXPRESSIONS, LANDMARKS, SHAPES, make_cloud_head

CENTER_PX = np.array([400.0, 300.0])
NO_PRIORS = TermWeights(
    identity=1e-9,
    expression=1e-9,
    expression_l1=0.0,
    coupling=0.0,
    pitch_sigma_rad=1e6,
    scale_sigma=1e6,
    focal_sigma=0.25,
)


def make_view(yaw: float, pitch: float, expression: Doubles) -> View:
    transl, rest = np.array([0.02, 0.03, 0.8]), np.zeros((1, 3))
    return View(view_rotation(yaw, pitch, 0.1), transl, 1600.0, expression, CENTER_PX, rest)


def observe(head: FitHead, identity: Doubles, view: View, focal_sigma: float = 0.01) -> Observation:
    points = head.landmarks(identity, view)
    return Observation(
        points_px=project(points, view.focal_px, CENTER_PX),
        weights=np.ones(LANDMARKS),
        width=800,
        height=600,
        focal=Focal(view.focal_px, focal_sigma, "user"),
        bias_px=np.zeros((LANDMARKS, 2)),
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def head(rng: np.random.Generator) -> FitHead:
    return make_cloud_head(rng)


@pytest.fixture
def identity(rng: np.random.Generator) -> Doubles:
    return rng.normal(size=SHAPES) * 0.7


def expressions(rng: np.random.Generator) -> Doubles:
    values = np.zeros(EXPRESSIONS)
    values[rng.choice(EXPRESSIONS, 3, replace=False)] = rng.uniform(0.3, 0.8, 3)
    return values


def no_check() -> None:
    """Nobody cancels."""


@pytest.mark.parametrize("shared_camera", [False, True])
def test_the_gradient_equals_finite_differences(
    head: FitHead, identity: Doubles, rng: np.random.Generator, shared_camera: bool
) -> None:
    problem, near = off_the_truth(head, identity, rng)
    problem = replace(problem, shared_camera=shared_camera)
    slope = problem.evaluate(near, 1.0).slope()

    for _ in range(40):
        step = Vector(
            1e-6 * rng.normal(size=len(problem.shared)),
            tuple(1e-6 * rng.normal(size=len(problem.local)) for _ in near.views),
        )
        ahead, behind = (
            problem.evaluate(problem.moved(near, to), 1.0).cost
            for to in (step, step.plus(step, -2.0))
        )

        assert slope.dot(step) == pytest.approx((ahead - behind) / 2, rel=2e-4)


def off_the_truth(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> tuple[Problem, FitVariables]:
    views = (make_view(0.3, 0.05, expressions(rng)), make_view(-0.4, 0.1, expressions(rng)))
    seen = tuple(observe(head, identity, view, 0.25) for view in views)
    near = tuple(
        replace(
            view,
            rotation=rotation_from_vector(np.array([0.02, 0.03, -0.01])) @ view.rotation,
            transl=view.transl * 1.02,
            focal_px=view.focal_px * 1.03,
            expression=np.clip(view.expression + 0.1, 0.05, 0.95),
        )
        for view in views
    )
    fitter = Fitter(head)
    problem = Problem(head, fitter.views_terms(seen, shared_camera=False), fitter.person_terms())
    return problem, FitVariables(identity * 0.5, near)


def test_known_parameters_are_recovered_from_two_perfect_photos(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    views = (make_view(0.35, 0.05, expressions(rng)), make_view(-0.4, 0.0, expressions(rng)))
    seen = tuple(observe(head, identity, view) for view in views)

    found = Fitter(head, weights=NO_PRIORS).fit_photos(seen, no_check).variables

    np.testing.assert_allclose(found.identity, identity, atol=2e-3)
    for view, truth in zip(found.views, views, strict=True):
        np.testing.assert_allclose(view.expression, truth.expression, atol=2e-3)
        np.testing.assert_allclose(view.rotation, truth.rotation, atol=1e-3)


def test_the_cost_never_rises_over_a_step(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    problem, variables = off_the_truth(head, identity, rng)
    costs = [problem.evaluate(variables, 1.0).cost]

    for _ in range(8):
        solution = solve(problem, variables, EVERYTHING, replace(DEFAULT_SCHEDULE, steps=1))
        variables = solution.variables
        costs.append(solution.state.cost)

    assert all(after <= before for before, after in pairwise(costs))
    assert costs[-1] < 0.5 * costs[0]


def test_expression_stays_within_its_bounds(head: FitHead, identity: Doubles) -> None:
    beyond = make_view(0.2, 0.0, np.array([1.4, -0.5, 0, 0, 0, 0, 0, 0]))

    found = Fitter(head).fit_photos((observe(head, identity, beyond),), no_check).variables

    assert found.views[0].expression.min() >= 0
    assert found.views[0].expression.max() <= 1


def test_a_neutral_face_gets_no_expression(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    seen = observe(head, identity, make_view(0.1, 0.0, np.zeros(EXPRESSIONS)))
    noisy = replace(seen, points_px=seen.points_px + rng.normal(size=seen.points_px.shape) * 1.0)

    # Lids, lips and irises of a random cloud lie anywhere, and its components cannot make it larger: no rows for these.
    silent = dict.fromkeys(("lid_sigma", "lip_sigma", "gaze_sigma", "scale_sigma"), 1e3)
    weights = replace(DEFAULT_WEIGHTS, **silent)

    found = Fitter(head, weights=weights).fit_photos((noisy,), no_check).variables

    assert found.views[0].expression.sum() < 0.1


def test_a_tenth_of_wild_landmarks_does_not_move_the_pose(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    truth = make_view(0.1, 0.0, np.zeros(EXPRESSIONS))
    seen = observe(head, 0 * identity, truth)
    points = seen.points_px.copy()
    wild = rng.choice(np.arange(200, 400), 48, replace=False)
    points[wild] += rng.normal(size=(48, 2)) * 60

    found = Fitter(head).fit_photos((replace(seen, points_px=points),), no_check).variables

    turned = vector_from_rotation(found.views[0].rotation @ truth.rotation.T)
    assert np.degrees(np.linalg.norm(turned)) < 1.0


def test_the_networks_bias_is_subtracted_by_view(head: FitHead, rng: np.random.Generator) -> None:
    calibration = ViewCalibration(coefficients=rng.normal(size=(7, LANDMARKS, 2)) * 0.002)
    truth = make_view(0.3, 0.05, np.zeros(EXPRESSIONS))
    seen = observe(head, np.zeros(SHAPES), truth)
    yaw, pitch = view_angles(truth.rotation)
    bias = calibration_offsets(calibration, yaw, pitch, 0.1) * 1600 / 0.8
    biased = replace(seen, points_px=seen.points_px + bias)

    plain = Fitter(head).fit_photos((biased,), no_check)
    calibrated = Fitter(head, calibration).fit_photos((biased,), no_check)

    assert mean_error(head, calibrated) < 0.35 * mean_error(head, plain)


def mean_error(head: FitHead, fitted: object) -> float:
    view, seen = fitted.variables.views[0], fitted.seen[0]  # type: ignore[attr-defined]
    points = head.landmarks(fitted.variables.identity, view)  # type: ignore[attr-defined]
    return float(
        np.linalg.norm(project(points, view.focal_px, CENTER_PX) - seen.corrected_px, axis=1).mean()
    )


def test_a_clip_of_one_frame_works(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    seen = observe(head, identity, make_view(0.1, 0.0, expressions(rng)))

    clip = FaceClip((seen,), np.array([7], np.int32), 25.0)

    found = fit_clip(Fitter(head), clip, no_check, lambda _: None).fitted.variables

    assert len(found.views) == 1


def test_a_solve_can_be_cancelled(
    head: FitHead, identity: Doubles, rng: np.random.Generator
) -> None:
    seen = observe(head, identity, make_view(0.1, 0.0, expressions(rng)))

    def cancel() -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        Fitter(head).fit_photos((seen,), cancel)


@pytest.mark.parametrize(
    ("photo_mm", "user_mm", "focal_px", "source"),
    [(0, 0, 1600, "prior"), (50, 0, 800 * 50 / 36, "exif"), (50, 85, 800 * 85 / 36, "user")],
)
def test_the_user_is_believed_before_exif_and_exif_before_the_assumption(
    photo_mm: float, user_mm: float, focal_px: float, source: str
) -> None:
    focal = focal_of(800, 600, photo_mm, user_mm, DEFAULT_WEIGHTS)

    assert focal.px == pytest.approx(focal_px)
    assert focal.source == source


def test_a_rotation_vector_survives_even_a_half_turn(rng: np.random.Generator) -> None:
    for _ in range(50):
        axis = rng.normal(size=3)
        for angle in (1e-9, 0.5, np.pi - 1e-6, np.pi):
            rotation = rotation_from_vector(axis / np.linalg.norm(axis) * angle)

            np.testing.assert_allclose(
                rotation_from_vector(vector_from_rotation(rotation)), rotation, atol=1e-7
            )
