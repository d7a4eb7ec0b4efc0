# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks take away what they cover, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.fit.backdrop import Backdrop
from server.fit.masks import mask_backdrop, mask_observation
from server.fit.pixels import make_pixels
from server.fit.terms.landmarks import landmark_term
from server.fit.terms.normals import DenseNormals
from server.fit.terms.silhouette import silhouette_term
from server.fit.terms.uv import DensePoints
from server.fit.weights import DEFAULT_WEIGHTS
from tests.fakes.pictured import make_turning_head, picture


@pytest.fixture(scope="module")
def at():
    return picture(make_turning_head())


@pytest.fixture
def mask(at):
    """The left half of the picture, with a ragged rim."""
    rng = np.random.default_rng(0)
    rim = at.scene.size / 2 + rng.uniform(-20, 20, at.scene.size)
    return np.arange(at.scene.size) < rim[:, None]


def dense_terms(pixels):
    return DensePoints(pixels, 2.0, 3.0, 0.01), DenseNormals(pixels, 0.1, 3.0, 0.01)


def test_landmarks_count_no_more_exactly_where_the_mask_covers_them(at, mask):
    column, row = np.floor(at.seen.points_px).astype(int).T

    weights = mask_observation(at.seen, mask).weights

    assert 0 < np.count_nonzero(weights) < len(weights)
    assert np.array_equal(weights == 0, mask[row, column])
    assert np.array_equal(weights[weights > 0], at.seen.weights[weights > 0])


def test_dense_pixels_are_as_if_they_had_never_been_looked_up(at, mask):
    off, head = at.off(np.random.default_rng(1)), at.head
    never = make_pixels(at.truth.maps, head.uv_table, head.surface, masked=mask)

    masked = mask_observation(at.seen, mask).pixels

    assert np.count_nonzero(masked.trust) == never.count < at.seen.pixels.count
    for found, expected in zip(dense_terms(masked), dense_terms(never), strict=True):
        assert off.cost(found) == pytest.approx(off.cost(expected), rel=1e-12)
        assert off.gradient(found) == pytest.approx(off.gradient(expected), rel=1e-9, abs=1e-9)
        assert off.matrix(found) == pytest.approx(off.matrix(expected), rel=1e-9, abs=1e-6)


def test_a_mask_over_everything_leaves_nothing(at):
    off, everything = at.off(np.random.default_rng(1)), np.ones((at.scene.size,) * 2, bool)

    seen = mask_observation(at.seen, everything)

    assert not seen.has_landmarks
    for term in (*dense_terms(seen.pixels), landmark_term(seen, DEFAULT_WEIGHTS)):
        assert off.cost(term) == 0
        assert not off.gradient(term).any()
        assert not off.matrix(term).any()


def test_an_empty_mask_changes_nothing(at, mask):
    off = at.off(np.random.default_rng(1))

    seen = mask_observation(at.seen, np.zeros_like(mask))

    assert np.array_equal(seen.weights, at.seen.weights)
    assert off.cost(dense_terms(seen.pixels)[0]) == off.cost(dense_terms(at.seen.pixels)[0])


def test_landmarks_beyond_the_picture_or_unknown_are_not_covered(at):
    everything = np.ones((at.scene.size,) * 2, bool)
    points = at.seen.points_px.copy()
    points[:3] = [[-0.1, 50.0], [50.0, at.scene.size], [np.nan, 50.0]]

    weights = mask_observation(replace(at.seen, points_px=points), everything).weights

    assert weights[:3].tolist() == [1.0, 1.0, 1.0]
    assert not weights[3:].any()


def test_masked_background_pushes_nobody(at):
    beside = replace(at, view=replace(at.view, transl=at.view.transl + np.array([0.05, 0, 0])))
    everything = np.ones((at.scene.size,) * 2, bool)

    masked = mask_observation(replace(at.seen, backdrop=at.backdrop), everything).backdrop

    assert masked is not None
    surface = at.head.surface
    assert beside.cost(silhouette_term(at.backdrop, surface, 2.0, 3.0, 30.0)) > 10
    assert beside.cost(silhouette_term(masked, surface, 2.0, 3.0, 30.0)) == 0


def test_a_mask_meets_the_background_in_pixels_of_the_picture():
    backdrop = Backdrop(np.ones((6, 8), bool), np.array([[2.0, 0.0, 10.0], [0.0, 2.0, 4.0]]))
    mask = np.zeros((40, 40), bool)
    mask[4:8, 10:16] = True  # two rows and three columns of cells

    found = mask_backdrop(backdrop, mask).background

    expected = np.ones((6, 8), bool)
    expected[:2, :3] = False
    assert np.array_equal(found, expected)
