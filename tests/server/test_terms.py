# SPDX-License-Identifier: GPL-3.0-or-later
"""Every term of one view: zero at the truth, an exact gradient in every block of columns, an honest matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from pixel3dmm_blender.wire import Doubles
from server.detect.topology import MIRROR
from server.fit.energy import ViewTerm
from server.fit.observation import Focal
from server.fit.terms.camera import CameraPrior
from server.fit.terms.expression import expression_prior
from server.fit.terms.iris import GAZE, gaze_term
from server.fit.terms.joints import JointPrior
from server.fit.terms.landmarks import landmark_term
from server.fit.terms.lids import LID_PAIRS, LIP_PAIRS, closure_term
from server.fit.terms.normals import DenseNormals
from server.fit.terms.pins import Pins
from server.fit.terms.pitch import PitchPrior
from server.fit.terms.silhouette import silhouette_term
from server.fit.terms.uv import DensePoints
from server.fit.weights import DEFAULT_WEIGHTS
from server.heads.model import Embedding
from tests.fakes.pictured import Pictured, blocks, by_differences, make_turning_head, picture

WIDENING = 4.0


def uv(at: Pictured) -> ViewTerm:
    return DensePoints(at.seen.pixels, 2.0, 3.0, 0.01)


def normals(at: Pictured) -> ViewTerm:
    return DenseNormals(at.seen.pixels, 0.1, 3.0, 0.01)


def landmarks(at: Pictured) -> ViewTerm:
    return landmark_term(at.seen, DEFAULT_WEIGHTS)


def lids(at: Pictured) -> ViewTerm:
    return closure_term(at.seen, LID_PAIRS, 0.006, 3.0)


def lips(at: Pictured) -> ViewTerm:
    return closure_term(at.seen, LIP_PAIRS, 0.006, 3.0)


def iris(at: Pictured) -> ViewTerm:
    return gaze_term(at.seen, 0.006, 3.0)


def eyes_and_lips(at: Pictured) -> ViewTerm:
    return lids(at).joined(lips(at), iris(at))


def silhouette(at: Pictured) -> ViewTerm:
    return silhouette_term(at.backdrop, at.head.surface, 2.0, 3.0, 30.0)


def pins(at: Pictured) -> ViewTerm:
    corners = np.array([[0, 20, 40, 60], [100, 101, 102, 103], [190, 191, 192, 193]], np.int32)
    weights = np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32), (3, 1))
    embedding = Embedding(vertices=corners, weights=weights, spread_m=np.zeros(3, np.float32))
    places = np.einsum("km,kmc->kc", weights.astype(np.float64), at.truth.vertices[corners])
    return Pins(at.head.marks_of(at.scene.model, embedding), at.scene.camera.project(places), 1.0)


def camera(at: Pictured) -> ViewTerm:
    return CameraPrior(Focal(at.scene.focal_px, 0.2, "user"), at.scene.center_px, 5.0)


def pitch(at: Pictured) -> ViewTerm:
    return PitchPrior(0.2)


def joints(at: Pictured) -> ViewTerm:
    return JointPrior(0.3)


def expression(at: Pictured) -> ViewTerm:
    return expression_prior(at.head, DEFAULT_WEIGHTS)


SIGHTS = (uv, normals, landmarks, lids, lips, iris, eyes_and_lips, silhouette, pins)
"""What is seen in a picture."""
PRIORS = (camera, pitch, joints, expression)
ROBUST = (landmarks, lids, lips, iris, eyes_and_lips, silhouette)
"""Those whose matrix is exact and whose residuals have a Cauchy kernel of their width."""
TermOf = Callable[[Pictured], ViewTerm]

every_sight = pytest.mark.parametrize("term_of", SIGHTS, ids=lambda it: it.__name__)
every_term = pytest.mark.parametrize("term_of", SIGHTS + PRIORS, ids=lambda it: it.__name__)


@pytest.fixture(scope="module")
def at() -> Pictured:
    return picture(make_turning_head())


@pytest.fixture(scope="module")
def off(at: Pictured) -> Pictured:
    """Some of the face lies on the background, every joint is turned."""
    return at.off(np.random.default_rng(1))


@every_sight
def test_what_is_seen_costs_nothing_at_the_truth(
    at: Pictured, off: Pictured, term_of: TermOf
) -> None:
    term = term_of(at)

    assert at.cost(term) < 1e-8
    assert off.cost(term) > 1.0
    assert np.abs(at.gradient(term)).max() < 1e-4 * np.abs(off.gradient(term)).max()


@pytest.mark.parametrize("term_of", PRIORS, ids=lambda it: it.__name__)
def test_a_prior_costs_nothing_where_it_expects_the_head(
    at: Pictured, off: Pictured, term_of: TermOf
) -> None:
    term = term_of(at)

    assert at.calm().cost(term) < 1e-12
    assert off.cost(term) > 0.01


@every_term
def test_the_gradient_equals_finite_differences_in_every_block(
    off: Pictured, term_of: TermOf
) -> None:
    term = term_of(off)

    gradient = off.gradient(term, WIDENING)

    expected = by_differences(lambda it: it.cost(term, WIDENING), off)
    assert_same_gradient(gradient, expected, off, 1e-6)


def assert_same_gradient(found: Doubles, expected: Doubles, at: Pictured, share: float) -> None:
    """The same in every block of columns, on the scale of that block."""
    for name, block in blocks(at.head.columns).items():
        size = np.abs(expected[block]).max()
        assert found[block] == pytest.approx(expected[block], abs=share * (size + 10)), name


@pytest.mark.parametrize("term_of", ROBUST, ids=lambda it: it.__name__)
def test_the_matrix_of_robust_rows_is_theirs(off: Pictured, term_of: TermOf) -> None:
    term = term_of(off)

    def residuals(it: Pictured) -> Doubles:
        found = term.residuals(it.placed()).numpy()
        return found.reshape(len(found), -1)

    matrix = off.matrix(term, WIDENING)

    squared = (residuals(off) ** 2).sum(1)
    trust = term.share if term_of is silhouette else term.weights
    weights = trust / (1.0 + squared / (WIDENING * term.kernel) ** 2)
    jacobian = by_differences(residuals, off)  # [N, k, P]
    assert_same_matrix(matrix, np.einsum("n,nkp,nkq->pq", weights, jacobian, jacobian))


@pytest.mark.parametrize("term_of", (camera, joints, expression), ids=lambda it: it.__name__)
def test_the_matrix_of_a_quadratic_prior_is_its_curvature(off: Pictured, term_of: TermOf) -> None:
    term = term_of(off)

    matrix = off.matrix(term)

    assert_same_matrix(matrix, by_differences(lambda it: it.gradient(term), off))


def test_the_matrix_of_the_pitch_is_the_square_of_its_row(off: Pictured) -> None:
    term = pitch(off)

    matrix = off.matrix(term)

    assert_same_matrix(matrix, np.outer(*(2 * [off.gradient(term)])) / (2 * off.cost(term)))


def test_the_matrix_of_pins_is_that_of_their_pixels(off: Pictured) -> None:
    term = pins(off)

    matrix = off.matrix(term)

    places = by_differences(lambda it: term.marks.placed(it.identity, it.view).px.numpy(), off)
    assert_same_matrix(matrix, np.einsum("nkp,nkq->pq", places, places))


def assert_same_matrix(found: Doubles, expected: Doubles) -> None:
    """The same but for rounding, on the scale of each pair of columns."""
    scale = np.sqrt(np.diag(expected))
    off_by = np.abs(found - expected) / (scale[:, None] * scale + 1e-6 * scale.max() ** 2)

    assert off_by.max() < 1e-5


@every_term
def test_without_shape_the_matrix_is_the_poses_part(off: Pictured, term_of: TermOf) -> None:
    value = term_of(off).evaluate(off.placed(), 1.0)
    pose = off.head.columns.identity.start

    whole, part = value.matrix(True), value.matrix(False)

    assert part[:pose, :pose] == pytest.approx(whole[:pose, :pose])
    assert part.shape == whole.shape


@every_term
def test_a_folded_head_has_the_same_cost_and_gradient(off: Pictured, term_of: TermOf) -> None:
    folded = off.folded()

    whole, part = term_of(off), term_of(folded)

    kept = np.delete(np.arange(off.head.columns.count), off.head.columns.identity)
    assert folded.cost(part) == pytest.approx(off.cost(whole), rel=1e-9)
    assert folded.gradient(part) == pytest.approx(off.gradient(whole)[kept], rel=1e-7, abs=1e-7)


@every_term
def test_single_precision_is_enough(off: Pictured, term_of: TermOf) -> None:
    coarse = picture(off.scene.model, dtype=torch.float32)
    coarse = replace(coarse, identity=off.identity, view=off.view)
    term = term_of(coarse)

    cost, gradient = coarse.cost(term), coarse.gradient(term)

    assert cost == pytest.approx(off.cost(term_of(off)), rel=1e-4)
    assert_same_gradient(gradient, off.gradient(term_of(off)), off, 1e-4)


def test_joined_relations_cost_and_pull_as_much_as_they_do_alone(off: Pictured) -> None:
    together, alone = eyes_and_lips(off), (lids(off), lips(off), iris(off))

    assert off.cost(together) == pytest.approx(sum(off.cost(term) for term in alone))
    assert off.gradient(together) == pytest.approx(sum(off.gradient(term) for term in alone))
    assert off.matrix(together) == pytest.approx(
        sum(off.matrix(term) for term in alone), rel=1e-9, abs=1e-9
    )


@pytest.mark.parametrize("term_of", [lids, lips, iris], ids=lambda it: it.__name__)
def test_relations_do_not_see_where_in_the_picture_the_face_is(
    off: Pictured, term_of: TermOf
) -> None:
    shifted = replace(off, view=replace(off.view, center_px=off.view.center_px + 30.0))
    term = term_of(off)

    assert shifted.cost(term) == pytest.approx(off.cost(term))


@pytest.mark.parametrize(
    "pairs",
    [LID_PAIRS, LIP_PAIRS, [tuple(row) for row in GAZE.marks]],
    ids=["lids", "lips", "iris"],
)
def test_relations_are_the_same_on_both_sides_of_the_face(pairs: list[tuple[int, ...]]) -> None:
    mirrored = {tuple(MIRROR[mark] for mark in pair) for pair in pairs}

    assert mirrored == set(pairs)
