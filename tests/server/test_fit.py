# SPDX-License-Identifier: GPL-3.0-or-later
"""The solver on a head whose answer is known: exact derivatives, recovery, bounds, and honest gauges."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pixel3dmm_blender.wire import Cancelled, Doubles
from server.fit.observation import Focal, Observation, focal_of
from server.fit.problem import Problem
from server.fit.project import project
from server.fit.solver import EVERYTHING, assemble, energy, solve
from server.fit.stages import Fitter
from server.fit.variables import LOCAL_COUNT, FitVariables, LandmarkBasis, View
from server.fit.weights import DEFAULT_SCHEDULE, DEFAULT_WEIGHTS, TermWeights
from server.heads.model import ViewCalibration
from server.heads.view import calibration_offsets, view_angles, view_rotation
from server.rotation import rotation_from_vector, vector_from_rotation

LANDMARKS, SHAPES, EXPRESSIONS = 478, 12, 8
CENTER_PX = np.array([400.0, 300.0])
NO_PRIORS = TermWeights(
    identity=1e-9,
    expression=1e-9,
    expression_l1=0.0,
    coupling=0.0,
    pitch_sigma_rad=1e6,
    focal_sigma=0.25,
)


def make_basis(rng: np.random.Generator) -> LandmarkBasis:
    """A cloud of landmarks of a face's size, with smooth random components."""
    template = rng.normal(size=(LANDMARKS, 3)) * [0.045, 0.07, 0.03]
    template[10], template[152] = [0, 0.1, 0.05], [0, -0.1, 0.05]

    def waves(count: int, size_m: float) -> Doubles:
        phase = rng.normal(size=(count, 3, 3)) * 20
        return size_m * np.sin(
            np.einsum("kc,ncd->nkd", template, phase) + rng.normal(size=(count, 1, 3))
        )

    return LandmarkBasis(
        template=template,
        identity=waves(SHAPES, 0.002),
        expression=waves(EXPRESSIONS, 0.005),
        identity_sigma=np.ones(SHAPES),
        identity_bounds=np.tile([-3.0, 3.0], (SHAPES, 1)),
        expression_sigma=np.full(EXPRESSIONS, 0.2),
        expression_bounds=np.tile([0.0, 1.0], (EXPRESSIONS, 1)),
        mirror=(1, 0, 2, 3, 4, 5, 6, 7),
    )


def make_view(yaw: float, pitch: float, expression: Doubles) -> View:
    return View(view_rotation(yaw, pitch, 0.1), np.array([0.02, 0.03, 0.8]), 1600.0, expression)


def observe(
    basis: LandmarkBasis, identity: Doubles, view: View, focal_sigma: float = 0.01
) -> Observation:
    points = basis.points(identity, view.expression) @ view.rotation.T + view.transl
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
def basis(rng: np.random.Generator) -> LandmarkBasis:
    return make_basis(rng)


@pytest.fixture
def identity(rng: np.random.Generator) -> Doubles:
    return rng.normal(size=SHAPES) * 0.7


def expressions(rng: np.random.Generator) -> Doubles:
    values = np.zeros(EXPRESSIONS)
    values[rng.choice(EXPRESSIONS, 3, replace=False)] = rng.uniform(0.3, 0.8, 3)
    return values


def no_check() -> None:
    """Nobody cancels."""


@pytest.mark.parametrize("variable", range(LOCAL_COUNT + EXPRESSIONS))
def test_the_gradient_of_a_view_equals_finite_differences(
    basis: LandmarkBasis, identity: Doubles, rng: np.random.Generator, variable: int
) -> None:
    problem, near = off_the_truth(basis, identity, rng)
    step = np.zeros(LOCAL_COUNT + EXPRESSIONS)
    step[variable] = 1e-6

    def cost(sign: float) -> float:
        moved = near.views[0].moved(sign * step, basis.expression_bounds)
        return energy(problem, FitVariables(near.identity, (moved, *near.views[1:])))

    slope = assemble(problem, near).blocks[0].gradient[variable]

    assert slope == pytest.approx((cost(1) - cost(-1)) / 2e-6, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("variable", range(SHAPES))
def test_the_gradient_of_identity_equals_finite_differences(
    basis: LandmarkBasis, identity: Doubles, rng: np.random.Generator, variable: int
) -> None:
    problem, near = off_the_truth(basis, identity, rng)
    step = np.zeros(SHAPES)
    step[variable] = 1e-6

    def cost(sign: float) -> float:
        return energy(problem, FitVariables(near.identity + sign * step, near.views))

    slope = assemble(problem, near).gradient[variable]

    assert slope == pytest.approx((cost(1) - cost(-1)) / 2e-6, rel=1e-4, abs=1e-3)


def off_the_truth(
    basis: LandmarkBasis, identity: Doubles, rng: np.random.Generator
) -> tuple[Problem, FitVariables]:
    views = (make_view(0.3, 0.05, expressions(rng)), make_view(-0.4, 0.1, expressions(rng)))
    seen = tuple(observe(basis, identity, view, 0.25) for view in views)
    near = tuple(
        View(
            rotation_from_vector(np.array([0.02, 0.03, -0.01])) @ view.rotation,
            view.transl * 1.02,
            view.focal_px * 1.03,
            np.clip(view.expression + 0.1, 0.05, 0.95),
        )
        for view in views
    )
    return Problem(basis, seen, DEFAULT_WEIGHTS, DEFAULT_SCHEDULE), FitVariables(
        identity * 0.5, near
    )


def test_known_parameters_are_recovered_from_two_perfect_photos(
    basis: LandmarkBasis, identity: Doubles, rng: np.random.Generator
) -> None:
    views = (make_view(0.35, 0.05, expressions(rng)), make_view(-0.4, 0.0, expressions(rng)))
    seen = tuple(observe(basis, identity, view) for view in views)

    found = Fitter(basis, weights=NO_PRIORS).fit_photos(seen, no_check).variables

    np.testing.assert_allclose(found.identity, identity, atol=2e-3)
    for view, truth in zip(found.views, views, strict=True):
        np.testing.assert_allclose(view.expression, truth.expression, atol=2e-3)
        np.testing.assert_allclose(view.rotation, truth.rotation, atol=1e-3)


def test_the_cost_never_rises_over_a_step(
    basis: LandmarkBasis, identity: Doubles, rng: np.random.Generator
) -> None:
    problem, variables = off_the_truth(basis, identity, rng)
    costs = [energy(problem, variables)]

    for _ in range(8):
        variables = solve(problem, variables, EVERYTHING, 1, no_check)
        costs.append(energy(problem, variables))

    assert all(after <= before for before, after in pairwise(costs))
    assert costs[-1] < 0.5 * costs[0]


def test_expression_stays_within_its_bounds(basis: LandmarkBasis, identity: Doubles) -> None:
    beyond = make_view(0.2, 0.0, np.array([1.4, -0.5, 0, 0, 0, 0, 0, 0]))

    found = Fitter(basis).fit_photos((observe(basis, identity, beyond),), no_check).variables

    assert found.views[0].expression.min() >= 0
    assert found.views[0].expression.max() <= 1


def test_a_neutral_face_gets_no_expression(
    basis: LandmarkBasis, identity: Doubles, rng: np.random.Generator
) -> None:
    seen = observe(basis, identity, make_view(0.1, 0.0, np.zeros(EXPRESSIONS)))
    noisy = replace(seen, points_px=seen.points_px + rng.normal(size=seen.points_px.shape) * 1.0)

    found = Fitter(basis).fit_photos((noisy,), no_check).variables

    assert found.views[0].expression.sum() < 0.1


def test_a_tenth_of_wild_landmarks_does_not_move_the_pose(
    basis: LandmarkBasis, identity: Doubles, rng: np.random.Generator
) -> None:
    truth = make_view(0.1, 0.0, np.zeros(EXPRESSIONS))
    seen = observe(basis, 0 * identity, truth)
    points = seen.points_px.copy()
    wild = rng.choice(np.arange(200, 400), 48, replace=False)
    points[wild] += rng.normal(size=(48, 2)) * 60

    found = Fitter(basis).fit_photos((replace(seen, points_px=points),), no_check).variables

    turned = vector_from_rotation(found.views[0].rotation @ truth.rotation.T)
    assert np.degrees(np.linalg.norm(turned)) < 1.0


def test_the_networks_bias_is_subtracted_by_view(
    basis: LandmarkBasis, rng: np.random.Generator
) -> None:
    calibration = ViewCalibration(coefficients=rng.normal(size=(7, LANDMARKS, 2)) * 0.002)
    truth = make_view(0.3, 0.05, np.zeros(EXPRESSIONS))
    seen = observe(basis, np.zeros(SHAPES), truth)
    yaw, pitch = view_angles(truth.rotation)
    bias = calibration_offsets(calibration, yaw, pitch, 0.1) * 1600 / 0.8
    biased = replace(seen, points_px=seen.points_px + bias)

    plain = Fitter(basis).fit_photos((biased,), no_check)
    calibrated = Fitter(basis, calibration).fit_photos((biased,), no_check)

    assert mean_error(basis, calibrated) < 0.35 * mean_error(basis, plain)


def mean_error(basis: LandmarkBasis, fitted: object) -> float:
    view, seen = fitted.variables.views[0], fitted.seen[0]  # type: ignore[attr-defined]
    points = (
        basis.points(fitted.variables.identity, view.expression) @ view.rotation.T + view.transl
    )  # type: ignore[attr-defined]
    return float(
        np.linalg.norm(project(points, view.focal_px, CENTER_PX) - seen.corrected_px, axis=1).mean()
    )


def test_a_clip_of_one_frame_works(
    basis: LandmarkBasis, identity: Doubles, rng: np.random.Generator
) -> None:
    seen = observe(basis, identity, make_view(0.1, 0.0, expressions(rng)))

    found = Fitter(basis).fit_clip((seen,), no_check).variables

    assert len(found.views) == 1


def test_a_solve_can_be_cancelled(
    basis: LandmarkBasis, identity: Doubles, rng: np.random.Generator
) -> None:
    seen = observe(basis, identity, make_view(0.1, 0.0, expressions(rng)))

    def cancel() -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        Fitter(basis).fit_photos((seen,), cancel)


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
