# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity and expression kept apart: what all pictures show is paid for once, and what others say of a person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pixel3dmm_blender.wire import Doubles
from server.fit.head import FitHead
from server.fit.neutral import make_guess
from server.fit.observation import Focal, Observation
from server.fit.problem import Problem
from server.fit.project import project
from server.fit.solver import EVERYTHING, solve
from server.fit.stages import Fitter
from server.fit.steady import hopeful_shares, paid_in_part, steady_shares
from server.fit.terms.expression import ExpressionPrior, expression_prior
from server.fit.terms.scale import scale_gauge
from server.fit.variables import FitVariables, View
from server.fit.weights import DEFAULT_WEIGHTS
from server.heads.view import view_rotation
from tests.fakes.cloud import EXPRESSIONS, LANDMARKS, SHAPES, make_cloud_head

CENTER_PX = np.array([400.0, 300.0])
FOCAL_PX = 1600.0
SMILE = np.array([0.7, 0.7, 0.0, 0.6, 0.0, 0.0, 0.0, 0.0])
NEUTRAL = np.zeros(EXPRESSIONS)
# Lids, lips and irises of a random cloud lie anywhere: rows that trust them to a pixel mean nothing here.
WEIGHTS = replace(DEFAULT_WEIGHTS, lid_sigma=1.0, lip_sigma=1.0, gaze_sigma=1.0)


@pytest.fixture
def head() -> FitHead:
    return make_cloud_head(np.random.default_rng(7))


def make_views(*expressions: Doubles) -> tuple[View, ...]:
    yaws = np.linspace(-0.4, 0.4, len(expressions))
    transl, rest = np.array([0.02, 0.03, 0.8]), np.zeros((1, 3))
    return tuple(
        View(view_rotation(yaw, 0.05, 0.1), transl, FOCAL_PX, expression, CENTER_PX, rest)
        for yaw, expression in zip(yaws, expressions, strict=True)
    )


def test_of_what_all_views_show_each_pays_its_part(head: FitHead) -> None:
    shares = steady_shares(head, make_views(SMILE, SMILE, 0.9 * SMILE, SMILE), 4)

    np.testing.assert_allclose(shares, np.where(SMILE > 0, 0.25, 1.0))


def test_one_view_without_it_makes_all_others_pay_in_full(head: FitHead) -> None:
    shares = steady_shares(head, make_views(SMILE, SMILE, NEUTRAL, SMILE), 4)

    np.testing.assert_array_equal(shares, 1.0)


def test_frames_that_repeat_each_other_pay_for_as_many_pictures_as_they_count(
    head: FitHead,
) -> None:
    shares = steady_shares(head, make_views(*[SMILE] * 12), 3)

    assert shares[0] == pytest.approx(1 / 3)


def test_one_picture_pays_all(head: FitHead) -> None:
    np.testing.assert_array_equal(steady_shares(head, make_views(SMILE), 1), 1.0)
    np.testing.assert_array_equal(hopeful_shares(head, 1), 1.0)


def test_components_of_both_signs_pay_in_full(head: FitHead) -> None:
    both = np.tile([-1.0, 1.0], (EXPRESSIONS, 1))
    signed = replace(head, bounds=replace(head.bounds, expression=both))

    np.testing.assert_array_equal(steady_shares(signed, make_views(SMILE, SMILE), 2), 1.0)
    np.testing.assert_array_equal(hopeful_shares(signed, 2), 1.0)


def test_n_views_that_share_an_expression_pay_for_it_together_what_one_would(head: FitHead) -> None:
    views = make_views(*[SMILE] * 5)
    prior = replace(expression_prior(head, WEIGHTS), coupling=0.0)
    placed = head.placed(np.zeros(SHAPES), views[0])

    part = paid_in_part(prior, steady_shares(head, views, 5)).evaluate(placed, 1.0)

    assert 5 * part.cost == pytest.approx(prior.evaluate(placed, 1.0).cost)
    assert paid_in_part(prior, None) is prior


def test_five_smiling_pictures_tell_the_person_better_when_the_smile_is_paid_for_once() -> None:
    alone, once = zip(*(errors_of_smiling_pictures(seed) for seed in range(3)), strict=True)

    assert np.mean(once) < 0.8 * np.mean(alone)


def errors_of_smiling_pictures(seed: int) -> tuple[float, float]:
    """Distance of the neutral landmarks, mm: each picture pays, the smile is paid for once."""
    rng = np.random.default_rng(seed)
    head = make_cloud_head(rng)
    identity = 0.6 * rng.normal(size=SHAPES)
    seen = tuple(observe(head, identity, view, rng) for view in make_views(*[SMILE] * 5))
    start = FitVariables(np.zeros(SHAPES), make_views(*[NEUTRAL] * 5))
    hopeful = solve_photos(head, seen, start, hopeful_shares(head, 5))
    once = solve_photos(head, seen, hopeful, steady_shares(head, hopeful.views, 5))
    each = solve_photos(head, seen, start, None)
    return (error_mm(head, each.identity, identity), error_mm(head, once.identity, identity))


def solve_photos(
    head: FitHead, seen: tuple[Observation, ...], start: FitVariables, shares: Doubles | None
) -> FitVariables:
    fitter = Fitter(head, weights=WEIGHTS)
    terms = tuple(
        tuple(
            paid_in_part(replace(term, l1=10.0, weight=np.ones(EXPRESSIONS)), shares)
            if isinstance(term, ExpressionPrior)
            else term
            for term in view
        )
        for view in fitter.views_terms(seen, shared_camera=False)
    )
    problem = Problem(head, terms, fitter.person_terms())
    return solve(problem, start, EVERYTHING, fitter.schedule).variables


def observe(
    head: FitHead, identity: Doubles, view: View, rng: np.random.Generator | None = None
) -> Observation:
    points = project(head.landmarks(identity, view), FOCAL_PX, CENTER_PX)
    noise = 0.0 if rng is None else rng.normal(size=points.shape)
    return Observation(
        points_px=points + noise,
        weights=np.ones(LANDMARKS),
        width=800,
        height=600,
        focal=Focal(FOCAL_PX, 0.01, "user"),
        bias_px=np.zeros((LANDMARKS, 2)),
    )


def error_mm(head: FitHead, found: Doubles, true: Doubles) -> float:
    gauge = scale_gauge(head, 1.0)
    a, b = (gauge.offset + gauge.basis @ one for one in (found, true))
    return 1000 * float(np.linalg.norm(a / gauge.size(found) - b / gauge.size(true), axis=1).mean()
                        * gauge.wanted_m)  # fmt: skip


def test_a_guess_is_as_far_off_as_it_says(head: FitHead) -> None:
    rng = np.random.default_rng(1)
    guess = make_guess(head, np.zeros(SHAPES), 0.002)
    gauge = scale_gauge(head, 1.0)

    drawn = [gauge.basis @ (guess.sigma * rng.normal(size=SHAPES)) for _ in range(400)]

    off_m = np.sqrt(np.mean([(places**2).sum(axis=1).mean() for places in drawn]))
    assert off_m == pytest.approx(0.002, rel=0.05)


def test_a_guess_is_a_prior_whose_least_is_at_the_guess(head: FitHead) -> None:
    rng = np.random.default_rng(1)
    identity = rng.normal(size=SHAPES)
    prior = make_guess(head, identity, 0.002).prior(2.0)

    assert prior.evaluate(identity).cost == 0
    assert prior.evaluate(identity + 0.1).cost > 0


def test_where_pictures_say_little_a_good_guess_tells_the_person(head: FitHead) -> None:
    rng = np.random.default_rng(1)
    identity = 0.6 * rng.normal(size=SHAPES)
    seen = observe(head, identity, make_views(NEUTRAL)[0], rng)
    few = replace(seen, weights=np.where(np.arange(LANDMARKS) % 60 == 0, 0.05, 0.0))
    start = FitVariables(np.zeros(SHAPES), make_views(NEUTRAL))
    fitter = Fitter(head, weights=WEIGHTS)
    terms = fitter.views_terms((few,), shared_camera=False)
    guess = make_guess(head, identity + 0.05, 0.001).prior(1.0)

    found = [
        solve(Problem(head, terms, person), start, EVERYTHING, fitter.schedule).variables.identity
        for person in (fitter.person_terms(), (*fitter.person_terms(), guess))
    ]

    assert error_mm(head, found[1], identity) < 0.5 * error_mm(head, found[0], identity)
