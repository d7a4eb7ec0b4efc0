# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of the person and between neighbours: zero where they expect the head, exact gradients, honest matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.fit.equations import Vector
from server.fit.problem import Problem
from server.fit.terms.identity import IdentityPrior
from server.fit.terms.landmarks import landmark_term
from server.fit.terms.scale import LEFT_PUPIL, RIGHT_PUPIL, scale_gauge
from server.fit.terms.smooth import smoothness
from server.fit.variables import FOCAL, FitVariables
from server.fit.weights import DEFAULT_WEIGHTS
from tests.fakes.pictured import by_differences, make_turning_head, picture

STEP = 1e-6


@pytest.fixture(scope="module")
def at():
    return picture(make_turning_head())


@pytest.fixture(scope="module")
def off(at):
    return at.off(np.random.default_rng(1))


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def by_identity(what, identity):
    """Derivative of a number or an array by identity [S], last."""
    steps = STEP * np.eye(len(identity))
    return np.stack([(what(identity + s) - what(identity - s)) / (2 * STEP) for s in steps], -1)


def test_the_identity_prior_rests_at_its_mean(rng):
    mean = rng.normal(size=6)

    assert IdentityPrior(np.ones(6), 2.0).evaluate(np.zeros(6)).cost == 0
    assert IdentityPrior(np.ones(6), 2.0, mean).evaluate(mean).cost == 0


def test_the_identity_prior_has_exact_derivatives(rng):
    term = IdentityPrior(rng.uniform(0.5, 2.0, 6), 2.0, rng.normal(size=6))
    identity = rng.normal(size=6)

    value = term.evaluate(identity)

    assert value.cost == pytest.approx((((identity - term.mean) / term.sigma) ** 2).sum())
    assert value.gradient == pytest.approx(
        by_identity(lambda it: term.evaluate(it).cost, identity), rel=1e-6
    )
    assert value.matrix(True) == pytest.approx(
        by_identity(lambda it: term.evaluate(it).gradient, identity), rel=1e-6, abs=1e-6
    )


def test_the_scale_gauge_rests_at_the_templates_pupils_or_at_those_measured(at):
    pupils = at.head.landmarks(np.zeros(6), at.calm().view)[[RIGHT_PUPIL, LEFT_PUPIL]]
    wide = 1.1 * float(np.linalg.norm(pupils[1] - pupils[0]))

    assert scale_gauge(at.head, 0.01).evaluate(np.zeros(6)).cost == pytest.approx(0, abs=1e-12)
    stretched = scale_gauge(at.head, 0.01, wide).evaluate(np.zeros(6))
    assert stretched.cost == pytest.approx(0.5 * (np.log(1.1) / 0.01) ** 2)


def test_the_scale_gauge_has_exact_derivatives(at, rng):
    term, identity = scale_gauge(at.head, 0.01), rng.normal(size=6)

    value = term.evaluate(identity)

    gradient = by_identity(lambda it: term.evaluate(it).cost, identity)
    assert value.gradient == pytest.approx(gradient, rel=1e-5, abs=1e-5)
    row = gradient / np.sqrt(2 * value.cost)
    assert value.matrix(True) == pytest.approx(np.outer(row, row), rel=1e-4, abs=1e-4)


def test_a_face_that_keeps_still_is_smooth(off):
    term = smoothness(off.head.columns, 25.0, DEFAULT_WEIGHTS)

    assert term.evaluate_pair(off.view, off.view, 1).cost == 0


@pytest.mark.parametrize("moving", [0, 1])
def test_the_gradient_of_smoothness_is_exact_for_both_frames(at, off, moving):
    term, views = smoothness(at.head.columns, 30.0, DEFAULT_WEIGHTS), [at.view, off.view]

    def cost(it):
        pair = [it.view if i == moving else view for i, view in enumerate(views)]
        return np.array(term.evaluate_pair(*pair, 2).cost)

    gradient = term.evaluate_pair(*views, 2).gradients[moving]

    expected = by_differences(cost, replace(at, view=views[moving]))
    assert gradient == pytest.approx(expected, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("moving", [0, 1])
def test_the_blocks_of_smoothness_are_its_curvature_where_the_face_keeps_still(off, moving):
    term, still = smoothness(off.head.columns, 30.0, DEFAULT_WEIGHTS), off.view

    def gradients(it):
        pair = [it.view if i == moving else still for i in range(2)]
        return np.concatenate(term.evaluate_pair(*pair, 2).gradients)

    value = term.evaluate_pair(still, still, 2)

    square = np.diag(value.stiffness)
    own = (square, -square) if moving == 0 else (-square, square)
    found = by_differences(gradients, off)
    found[:, FOCAL] = found[[FOCAL, FOCAL + off.head.columns.count]] = 0.0
    scale = np.abs(found).max()
    assert found == pytest.approx(np.concatenate(own), rel=1e-4, abs=1e-6 * scale)


def test_twice_the_time_allows_twice_the_variance(at, off):
    once = smoothness(at.head.columns, 25.0, DEFAULT_WEIGHTS).evaluate_pair(at.view, off.view, 1)

    slow = smoothness(at.head.columns, 12.5, DEFAULT_WEIGHTS).evaluate_pair(at.view, off.view, 1)
    gap = smoothness(at.head.columns, 25.0, DEFAULT_WEIGHTS).evaluate_pair(at.view, off.view, 2)

    assert slow.cost == pytest.approx(once.cost / 2)
    assert gap.cost == pytest.approx(once.cost / 2)


def test_a_clip_that_shares_its_camera_has_an_exact_gradient(at, off, rng):
    head, terms = at.head, (landmark_term(at.seen, DEFAULT_WEIGHTS),)
    expression = np.where(np.ptp(head.bounds.expression, axis=1) > 0, off.view.expression, 0.0)
    near = replace(
        off.view,
        focal_px=at.view.focal_px,
        center_px=at.view.center_px,
        expression=expression,
    )
    pairs = (smoothness(head.columns, 25.0, DEFAULT_WEIGHTS),)
    problem = Problem(head, (terms, terms), pairs=pairs, gaps=(1,), shared_camera=True)
    variables = FitVariables(off.identity, (at.view, near))
    slope = problem.evaluate(variables, 1.0).slope()

    for column in range(len(problem.shared)):
        step = np.zeros(len(problem.shared))
        step[column] = STEP
        still = (np.zeros(len(problem.local)),) * 2
        ahead, behind = (
            problem.evaluate(problem.moved(variables, Vector(sign * step, still)), 1.0).cost
            for sign in (1, -1)
        )

        assert slope.shared[column] == pytest.approx((ahead - behind) / (2 * STEP), rel=1e-4)
