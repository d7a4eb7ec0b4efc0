# SPDX-License-Identifier: GPL-3.0-or-later
"""Prior maps in the solver: the look-up of UVs, lumped matrices, what is unknown, and the outline of the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.fit.backdrop import Backdrop, make_backdrop
from server.fit.head import make_fit_head
from server.fit.pixels import make_pixels
from server.fit.stages import Fitter
from server.fit.terms.landmarks import landmark_term
from server.fit.terms.lids import LID_PAIRS, closure_term
from server.fit.terms.normals import DenseNormals
from server.fit.terms.silhouette import silhouette_term
from server.fit.terms.uv import DensePoints
from server.fit.weights import DEFAULT_WEIGHTS, DENSE_SCHEDULE
from server.priors.maps import PriorMaps, Region
from tests.fakes.head import make_fake_head
from tests.fakes.pictured import blocks, make_turning_head, moved, observe, picture
from tests.truth.noise import HARD, degrade
from tests.truth.render import render_truth
from tests.truth.scene import draw_scene
from tests.truth.sized import make_sized_head


@pytest.fixture(scope="module")
def at():
    return picture(make_turning_head())


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def dense_uv(pixels):
    return DensePoints(pixels, 2.0, 3.0, 0.01)


def dense_normals(pixels):
    return DenseNormals(pixels, 0.1, 3.0, 0.01)


def looked_up(at, maps, **options):
    return make_pixels(maps, at.head.uv_table, at.head.surface, **options)


def curvature(at, term, step):
    ahead, behind = (moved(at, sign * step).gradient(term) for sign in (1e-4, -1e-4))
    return (ahead - behind) @ step / 2e-4


def test_the_table_finds_the_exact_point_of_the_surface(at, rng):
    surface, uv = at.head.surface, at.scene.model.uv[0].astype(np.float64)
    chosen = rng.integers(0, len(surface.corners), 2000)
    mix = rng.dirichlet(np.ones(3), 2000)
    points = surface.points.template.numpy()

    found, vertices, weights = at.head.uv_table.find(
        np.einsum("nk,nkc->nc", mix, uv[surface.corners[chosen]])
    )

    expected = np.einsum("nk,nkc->nc", mix, points[surface.triangles.numpy()[chosen]])
    assert found.all()
    assert np.einsum("nk,nkc->nc", weights, points[vertices]) == pytest.approx(expected, abs=1e-9)
    assert weights.min() >= 0
    assert weights.sum(1) == pytest.approx(1)


def test_the_table_finds_nothing_off_the_face(at):
    eye = np.array([[0.89, 0.2], [-0.1, 0.5], [1.2, 0.5], [np.nan, 0.5]])

    assert not at.head.uv_table.find(eye)[0].any()


@pytest.mark.parametrize(
    ("term_of", "block", "low", "high"),
    [
        (dense_uv, "focal", 0.7, 1.6),
        (dense_uv, "centre", 0.7, 1.6),
        (dense_uv, "rotation", 0.7, 1.6),
        (dense_uv, "transl", 0.7, 1.6),
        (dense_uv, "joints", 0.7, 1.6),
        (dense_uv, "identity", 0.7, 1.6),
        (dense_uv, "expression", 0.7, 1.6),
        (
            dense_normals,
            "joints",
            0.7,
            2.2,
        ),  # skin weights that differ over a triangle are left out
        (dense_normals, "identity", 0.7, 1.6),
        (dense_normals, "expression", 0.7, 1.6),
    ],
)
def test_lumping_keeps_the_curvature_of_every_block(at, rng, term_of, block, low, high):
    term = term_of(at.seen.pixels)
    matrix, where = at.matrix(term), blocks(at.head.columns)[block]

    for _ in range(8):
        step = np.zeros(at.head.columns.count)
        step[where] = rng.normal(size=where.stop - where.start)

        assert low < step @ matrix @ step / curvature(at, term, step) < high


def test_normals_say_nothing_of_pose_and_camera(at):
    term, off = dense_normals(at.seen.pixels), at.off(np.random.default_rng(1))

    pose = slice(0, at.head.columns.joint_columns.start)

    assert not off.gradient(term)[pose].any()
    assert not off.matrix(term)[pose].any()


@pytest.mark.parametrize("term_of", [dense_uv, dense_normals])
def test_a_map_without_a_usable_pixel_costs_nothing(at, term_of):
    off, maps = at.off(np.random.default_rng(1)), at.truth.maps
    nothing = replace(maps, confidence=np.zeros_like(maps.confidence))

    term = term_of(looked_up(at, nothing))

    assert off.cost(term) == 0
    assert not off.gradient(term).any()
    assert not off.matrix(term).any()


def test_pixels_without_a_finite_uv_are_left_out(at, rng):
    hole = rng.random(at.truth.maps.confidence.shape) < 0.5
    uv = np.where(hole[..., None], np.nan, at.truth.maps.uv)

    pixels = looked_up(at, replace(at.truth.maps, uv=uv))

    known, off = looked_up(at, at.truth.maps, masked=hole), at.off(rng)
    assert pixels.count == known.count < at.seen.pixels.count
    assert off.cost(dense_uv(pixels)) == off.cost(dense_uv(known))


@pytest.mark.parametrize("empty", [np.nan, 0.0])
def test_pixels_without_a_normal_still_say_where_they_are(at, empty):
    off, maps = at.off(np.random.default_rng(1)), at.truth.maps
    left = np.arange(maps.uv.shape[1])[None, :, None] < maps.uv.shape[1] / 2
    normals = np.where(left, empty, maps.normals).astype(np.float32)

    pixels = looked_up(at, replace(maps, normals=normals))

    half = looked_up(at, maps, masked=np.broadcast_to(left[..., 0], maps.confidence.shape))
    assert pixels.count == at.seen.pixels.count
    assert off.cost(dense_normals(pixels)) == pytest.approx(off.cost(dense_normals(half)))
    assert off.cost(dense_uv(pixels)) == pytest.approx(off.cost(dense_uv(at.seen.pixels)))


def test_landmarks_that_were_not_found_are_left_out(at):
    off, points = at.off(np.random.default_rng(1)), at.seen.points_px.copy()
    lost = [0, LID_PAIRS[0][0], LID_PAIRS[3][1]]
    points[lost, 0] = np.nan
    weights = at.seen.weights.copy()
    weights[lost] = 0.0

    gone, ignored = replace(at.seen, points_px=points), replace(at.seen, weights=weights)

    for term_of in (
        lambda seen: landmark_term(seen, DEFAULT_WEIGHTS),
        lambda seen: closure_term(seen, LID_PAIRS, 0.006, 3.0),
    ):
        assert off.cost(term_of(gone)) == pytest.approx(off.cost(term_of(ignored)))
        assert off.gradient(term_of(gone)) == pytest.approx(off.gradient(term_of(ignored)))


def beside(at):
    """The same picture with the head shifted until much of the face lies on the background."""
    shift = np.array([0.05, 0.0, 0.0])
    return replace(at, view=replace(at.view, transl=at.view.transl + shift))


def outline(at, backdrop):
    return silhouette_term(backdrop, at.head.surface, 2.0, 3.0, 30.0)


@pytest.mark.parametrize("region", [Region.FACE, Region.HEAD, Region.OCCLUDER, Region.UNKNOWN])
def test_only_certain_background_pushes_the_face_away(at, region):
    regions = at.truth.maps.regions
    other = np.where(regions == Region.BACKGROUND, region, regions).astype(np.uint8)

    backdrop = make_backdrop(replace(at.truth.maps, regions=other))

    assert beside(at).cost(outline(at, at.backdrop)) > 10
    assert beside(at).cost(outline(at, backdrop)) == 0


def test_the_background_pushes_the_face_back_to_where_it_belongs(at):
    gradient = beside(at).gradient(outline(at, at.backdrop))

    assert gradient[blocks(at.head.columns)["transl"]][0] > 0


def test_nothing_pushes_beyond_the_crop(at):
    everywhere = make_backdrop(replace(at.truth.maps, regions=np.zeros_like(at.truth.maps.regions)))
    far = replace(at.view, center_px=at.view.center_px + 500.0)

    assert at.cost(outline(at, everywhere)) > 10
    assert replace(at, view=far).cost(outline(at, everywhere)) == 0


def test_the_depth_is_continuous_over_the_rim_of_the_crop(at):
    everywhere = outline(at, Backdrop(np.ones((40, 30), bool), np.eye(2, 3)))
    across = everywhere.to_cell.new_tensor(
        np.stack([np.linspace(-3, 33, 3601), np.full(3601, 20.3)], 1)
    )

    depth = everywhere.depth_at(across)[0].numpy()

    assert np.abs(np.diff(depth)).max() < 0.0101
    assert depth[0] == depth[-1] == 0
    assert depth.max() > 13


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_depth_is_in_pixels_of_the_picture_whatever_the_crop(stride):
    turn = 3.0 * np.array([[0.8, -0.6], [0.6, 0.8]])
    regions = np.full((64, 48), Region.BACKGROUND, np.uint8)
    regions[:, :8] = Region.HEAD
    nothing = np.zeros((64, 48), np.float32)
    maps = PriorMaps(
        uv=np.zeros((64, 48, 2), np.float32),
        normals=np.zeros((64, 48, 3), np.float32),
        confidence=nothing,
        regions=regions,
        to_source=np.column_stack([turn, [100.0, 50.0]]),
    )

    backdrop = make_backdrop(maps, stride=stride)

    cell = 24 // stride
    beyond_touching = (cell - 8 // stride) * stride
    assert backdrop.depth_px[32 // stride, cell] == pytest.approx(3.0 * beyond_touching)


def test_the_slope_of_the_depth_is_exact_in_a_turned_crop(at, rng):
    turn = 1.7 * np.array([[0.8, -0.6], [0.6, 0.8]])
    background = rng.random((60, 50)) < 0.9
    term = outline(at, Backdrop(background, np.column_stack([turn, [10.0, 20.0]])))
    cells = rng.uniform(2, 48, (200, 2))
    px = term.to_cell.new_tensor(cells @ turn.T + [10.0, 20.0])

    slope = term.depth_at(px)[1].numpy()

    assert np.count_nonzero(slope) > 100
    for axis in range(2):
        step = px.new_tensor(1e-6 * np.eye(2)[axis])
        change = (term.depth_at(px + step)[0] - term.depth_at(px - step)[0]).numpy() / 2e-6
        assert slope[:, axis] == pytest.approx(change, abs=1e-6)


def test_joints_stay_within_their_limits_however_hard_the_maps(rng):
    model = make_sized_head(make_fake_head(), 12, 10)
    jaw, limits = model.joint_names.index("jaw"), model.joint_limits.astype(np.float64)
    turns = np.zeros((len(model.joint_names), 3))
    turns[jaw] = [1.5 * limits[jaw, 0, 1], 2.0 * limits[jaw, 1, 1], 2.0 * limits[jaw, 2, 0]]
    scene = replace(draw_scene(model, rng, yaw=0.2, size=256), joint_rotation=turns)
    truth = render_truth(scene)
    maps = degrade(truth.maps, HARD, rng, model)
    head = make_fit_head(model, dense=True)
    seen = observe(head, scene, replace(truth, maps=maps))

    found = (
        Fitter(head, schedule=DENSE_SCHEDULE).fit_photos((seen,), lambda: None).variables.views[0]
    )

    assert (found.joint_rotation >= limits[..., 0]).all()
    assert (found.joint_rotation <= limits[..., 1]).all()
    assert found.joint_rotation[jaw, 0] == limits[jaw, 0, 1]
