# SPDX-License-Identifier: GPL-3.0-or-later
"""Deviations: the inverse against a dense one, beliefs against what repeated fits show, and what must not move."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pixel3dmm_blender.wire import Doubles
from server.fit.equations import Arrow, Block, Free
from server.fit.head import FitHead
from server.fit.marginals import invert_arrow, invert_positive
from server.fit.observation import Focal, Observation
from server.fit.problem import Problem, State
from server.fit.project import project
from server.fit.solver import EVERYTHING, solve
from server.fit.stages import Fitter
from server.fit.terms.smooth import smoothness
from server.fit.uncertainty import ALIKE, Belief, find_deviation, shape_covariance, vertex_std
from server.fit.variables import FitVariables, View
from server.fit.weights import TermWeights
from server.heads.view import view_rotation
from server.rotation import rotation_from_vector, vector_from_rotation
from tests.fakes.cloud import EXPRESSIONS, LANDMARKS, SHAPES, make_cloud_head

CENTER_PX = np.array([400.0, 300.0])
FOCAL_PX, FOCAL_SIGMA = 1200.0, 0.05
EXPRESSION_SIGMA = 0.2
EVERY = 12
"""Of the landmarks so many are seen: few, so that priors have a say."""
FAITHFUL = TermWeights(
    identity=1.0,
    expression_l1=0.0,
    coupling=0.0,
    landmark_kernel=1e4,
    scale_sigma=1e3,
    independent_frames=1000,
    lid_sigma=1e3,
    lip_sigma=1e3,
    gaze_sigma=1e3,
)
"""Weights that are true of what is drawn below: nothing is robust, nothing counts twice."""
ONCE = Belief(alike=1.0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def head(rng: np.random.Generator) -> FitHead:
    """Without bounds: a Gaussian's belief is exact only where nothing stops it."""
    head = make_cloud_head(rng)
    wide = replace(
        head.bounds,
        identity=np.tile([-50.0, 50.0], (SHAPES, 1)),
        expression=np.tile([-50.0, 50.0], (EXPRESSIONS, 1)),
    )
    return replace(head, bounds=wide)


@dataclass(frozen=True, eq=False)
class Whole:
    """A positive definite matrix, dense and as an arrow: S shared variables, then M of each of N views."""

    dense: Doubles
    arrow: Arrow
    free: Free


def draw_whole(rng: np.random.Generator, links: bool, held: float = 0.0) -> Whole:
    shared, own, count = 5, 4, 6
    dense = np.zeros((shared + own * count,) * 2)

    def columns(first: int, last: int) -> Doubles:
        return np.arange(shared + first * own, shared + last * own)

    for i in range(count):
        seen = np.concatenate([np.arange(shared), columns(i, i + 1)])
        pairs = [seen, columns(i, i + 2)] if links and i + 1 < count else [seen]
        for where in pairs:
            rows = rng.normal(size=(2 * len(where), len(where)))
            dense[np.ix_(where, where)] += rows.T @ rows
    blocks = tuple(
        Block(
            dense[np.ix_(columns(i, i + 1), columns(i, i + 1))],
            dense[columns(i, i + 1), :shared],
            dense[np.ix_(columns(i, i + 1), columns(i + 1, i + 2))]
            if links and i + 1 < count
            else None,
        )
        for i in range(count)
    )
    free = rng.random(len(dense)) >= held
    views = tuple(free[columns(i, i + 1)] for i in range(count))
    return Whole(dense, Arrow(dense[:shared, :shared], blocks), Free(free[:shared], views))


@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("held", [0.0, 0.3])
def test_the_inverse_is_that_of_the_whole_matrix(
    rng: np.random.Generator, links: bool, held: float
) -> None:
    whole = draw_whole(rng, links, held)
    free = np.concatenate([whole.free.shared, *whole.free.views])
    expected = np.zeros_like(whole.dense)
    expected[np.ix_(free, free)] = np.linalg.inv(whole.dense[np.ix_(free, free)])

    found = invert_arrow(whole.arrow, whole.free)

    shared = len(found.shared)
    np.testing.assert_allclose(found.shared, expected[:shared, :shared], atol=1e-8)
    for i, marginal in enumerate(reversed(list(found.marginals()))):
        own = slice(shared + 4 * i, shared + 4 * i + 4)
        np.testing.assert_allclose(marginal.own, expected[own, own], atol=1e-8)
        np.testing.assert_allclose(marginal.across, expected[own, :shared], atol=1e-8)


def test_units_do_not_matter_and_rounding_does_no_harm(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(9, 6))
    units = 10.0 ** np.arange(-6, 6, 2)
    matrix = rows.T @ rows
    singular = np.ones((2, 2)) - 1e-14 * np.eye(2)

    inverse = invert_positive(matrix * np.outer(units, units))

    np.testing.assert_allclose(inverse * np.outer(units, units), np.linalg.inv(matrix), rtol=1e-7)
    assert np.isfinite(invert_positive(singular)).all()
    assert (np.diag(invert_positive(singular)) > 0).all()


@dataclass(frozen=True, eq=False)
class Drawn:
    """A person and N views as the priors have them, and what is seen of them with the noise that the weights say."""

    truth: FitVariables
    state: State

    @property
    def errors(self) -> tuple[Doubles, ...]:
        """Found minus true: identity, log focal, rotation, translation, expression."""
        found, truth = self.state.variables, self.truth
        pairs = list(zip(found.views, truth.views, strict=True))
        turned = [vector_from_rotation(a.rotation @ b.rotation.T) for a, b in pairs]
        return (
            found.identity - truth.identity,
            np.log([a.focal_px / b.focal_px for a, b in pairs]),
            np.array(turned),
            np.array([a.transl - b.transl for a, b in pairs]),
            np.array([a.expression - b.expression for a, b in pairs]),
        )


def draw_solved(head: FitHead, rng: np.random.Generator, views: int, weights: TermWeights) -> Drawn:
    """Draw one person; more than one view are a clip."""
    fitter = Fitter(head, weights=weights)
    truth = FitVariables(rng.normal(size=SHAPES), draw_views(rng, views, weights))
    seen = tuple(look(head, truth.identity, view, rng, weights) for view in truth.views)
    problem = Problem(
        head,
        fitter.views_terms(seen, shared_camera=views > 1),
        fitter.person_terms(),
        pairs=(smoothness(head.columns, 25.0, weights),) if views > 1 else (),
        gaps=(1,) * (views - 1),
        shared_camera=views > 1,
    )
    return Drawn(truth, solve(problem, truth, EVERYTHING, fitter.schedule).state)


def draw_views(rng: np.random.Generator, count: int, weights: TermWeights) -> tuple[View, ...]:
    """A random walk from a first view; focal length, pitch and expressions as their priors say."""
    focal_px = FOCAL_PX * float(np.exp(FOCAL_SIGMA * rng.normal()))
    pitch = weights.pitch_sigma_rad * rng.normal() if count == 1 else 0.1
    turn, transl = view_rotation(0.3, pitch), np.array([0.02, 0.03, 0.6])
    views: list[View] = []
    for expression in draw_walk(rng, count, weights.smooth_expression):
        rest = np.zeros((1, 3))
        views.append(View(turn, transl, focal_px, expression, CENTER_PX, rest))
        step = rotation_from_vector(weights.smooth_rotation_rad * rng.normal(size=3))
        turn = step @ turn
        transl = transl + weights.smooth_transl_m * rng.normal(size=3)
    return tuple(views)


def draw_walk(rng: np.random.Generator, count: int, smooth: float) -> Doubles:
    """Expressions [N, E] of which every one is likely and neighbours are alike: exp(-sum e^2 / 2 - sum de^2 / 2)."""
    change = np.diff(np.eye(count), axis=0) / smooth
    precision = np.eye(count) / EXPRESSION_SIGMA**2 + change.T @ change
    return np.linalg.solve(np.linalg.cholesky(precision).T, rng.normal(size=(count, EXPRESSIONS)))


def look(
    head: FitHead, identity: Doubles, view: View, rng: np.random.Generator, weights: TermWeights
) -> Observation:
    """See some landmarks with noise of the sigma that the weights say."""
    points = project(head.landmarks(identity, view), view.focal_px, CENTER_PX)
    shown = np.zeros(LANDMARKS)
    shown[::EVERY] = 1.0
    seen = Observation(
        points_px=points,
        weights=shown,
        width=800,
        height=600,
        focal=Focal(FOCAL_PX, FOCAL_SIGMA, "prior"),
        bias_px=np.zeros((LANDMARKS, 2)),
    )
    noise = weights.landmark_sigma * seen.face_height_px * rng.normal(size=points.shape)
    noise[[10, 152]] = 0.0  # between these the face's height, the unit, is measured
    return replace(seen, points_px=points + noise)


@pytest.mark.parametrize(("views", "times"), [(1, 40), (4, 30)])
def test_beliefs_are_what_repeated_fits_show(
    head: FitHead, rng: np.random.Generator, views: int, times: int
) -> None:
    shares = []
    weights = FAITHFUL if views == 1 else replace(FAITHFUL, pitch_sigma_rad=1e3)
    for _ in range(times):
        drawn = draw_solved(head, rng, views, weights)
        found = find_deviation(drawn.state, ONCE)
        beliefs = (found.identity, found.focal, found.rotation, found.transl, found.expression)
        shares.append([error / belief for error, belief in zip(drawn.errors, beliefs, strict=True)])

    for kind in zip(*shares, strict=True):
        assert 0.75 < np.sqrt(np.mean(np.square(kind))) < 1.33


def test_a_prior_that_is_tighter_than_people_differ_errs_as_people_do(
    head: FitHead, rng: np.random.Generator
) -> None:
    weights = replace(FAITHFUL, identity=8.0)
    shares = []
    for _ in range(25):
        drawn = draw_solved(head, rng, 1, weights)
        shares.append(drawn.errors[0] / find_deviation(drawn.state, ONCE).identity)

    assert 0.75 < np.sqrt(np.mean(np.square(shares))) < 1.33


def test_who_is_hidden_may_be_anybody(head: FitHead, rng: np.random.Generator) -> None:
    weights = replace(FAITHFUL, identity=2.0, landmark_sigma=3.0)
    state = draw_solved(head, rng, 1, weights).state

    found = find_deviation(state, Belief())

    np.testing.assert_allclose(found.identity, head.identity_sigma, rtol=0.02)


def test_a_thousand_frames_that_say_the_same_are_not_a_thousand_pictures(
    head: FitHead, rng: np.random.Generator
) -> None:
    weights = replace(FAITHFUL, independent_frames=2)
    state = draw_solved(head, rng, 6, weights).state

    once, repeated = (find_deviation(state, Belief(times, 1.0)) for times in (1.0, 3.0))
    alike = find_deviation(state, Belief())

    assert (repeated.identity > once.identity).all()
    assert (alike.identity > once.identity).all()
    assert alike.identity.max() < 2.0 * np.sqrt(ALIKE) * once.identity.max()


def test_a_view_in_the_middle_of_a_clip_is_known_better_than_at_its_end(
    head: FitHead, rng: np.random.Generator
) -> None:
    state = draw_solved(head, rng, 7, replace(FAITHFUL, smooth_expression=0.02)).state

    expression = find_deviation(state, ONCE).expression.mean(axis=1)

    assert expression[3] < expression[0]
    assert expression[3] < expression[6]


def test_what_may_not_move_has_no_deviation(head: FitHead, rng: np.random.Generator) -> None:
    still = head.bounds.expression.copy()
    still[2] = 0.0
    held = replace(head, bounds=replace(head.bounds, expression=still))
    drawn = draw_solved(held, rng, 1, FAITHFUL)

    found = find_deviation(drawn.state, ONCE)

    assert found.expression[0, 2] == 0.0
    assert (np.delete(found.expression[0], 2) > 0.0).all()
    assert (found.joints == 0.0).all()


def test_a_known_lens_leaves_less_doubt_of_the_distance(
    head: FitHead, rng: np.random.Generator
) -> None:
    state = draw_solved(head, rng, 1, FAITHFUL).state
    (terms,) = state.problem.views
    known = tuple(
        replace(term, focal=replace(term.focal, sigma=1e-4)) if hasattr(term, "focal") else term
        for term in terms
    )
    told = replace(state.problem, views=(known,)).evaluate(state.variables, 1.0)

    guessed, sure = (find_deviation(it, ONCE) for it in (state, told))

    assert sure.focal[0] == pytest.approx(1e-4, rel=1e-2)
    assert sure.transl[0, 2] < 0.7 * guessed.transl[0, 2]


def test_one_view_of_several_keeps_its_own_doubts(head: FitHead, rng: np.random.Generator) -> None:
    whole = find_deviation(draw_solved(head, rng, 3, FAITHFUL).state, ONCE)

    one = whole.of_view(2)

    np.testing.assert_array_equal(one.identity, whole.identity)
    np.testing.assert_array_equal(one.rotation, whole.rotation[2:])
    np.testing.assert_array_equal(one.expression, whole.expression[2:])


def test_a_vertex_is_as_uncertain_as_what_moves_it(rng: np.random.Generator) -> None:
    fields = rng.normal(size=(5, 40, 3)).astype(np.float32)
    rows = rng.normal(size=(7, 5))
    covariance = rows.T @ rows
    expected = np.einsum("kvc,kl,lvc->v", fields, covariance, fields)

    found = vertex_std(fields, covariance)

    np.testing.assert_allclose(found, np.sqrt(expected), rtol=1e-4)
    assert (vertex_std(fields, np.zeros((5, 5))) == 0.0).all()


def test_the_head_as_it_was_seen_is_known_better_than_its_parts(
    head: FitHead, rng: np.random.Generator
) -> None:
    state = draw_solved(head, rng, 1, FAITHFUL).state
    deviation = find_deviation(state, ONCE)

    together = shape_covariance(state, ONCE, 0)

    parts = np.concatenate([deviation.identity, deviation.expression[0]])
    np.testing.assert_allclose(np.sqrt(np.diag(together)), parts)
    fields = np.moveaxis(head.marks.parts.basis.numpy(), -1, 0).astype(np.float32)
    assert vertex_std(fields, together).mean() < vertex_std(fields, np.diag(parts**2)).mean()
