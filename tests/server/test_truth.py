# SPDX-License-Identifier: GPL-3.0-or-later
"""The ground truth that the dense solver is tested against, itself held against geometry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import minimum_filter, uniform_filter

from server.heads.catalogue import load_head
from server.heads.view import view_rotation
from server.priors.maps import Region
from server.raster import corner_triangles
from tests.fakes.head import make_fake_head
from tests.truth.clip import draw_clip
from tests.truth.measure import (
    angle_deg,
    rms,
)
from tests.truth.noise import (
    CLEAN,
    HARD,
    NETWORK,
    Degradation,
    degrade,
    degrade_landmarks,
    face_uv_height,
    smooth_noise,
)
from tests.truth.render import render_truth
from tests.truth.scene import Spread, draw_scene
from tests.truth.sized import make_sized_head
from tests.truth.surface import face_skin, face_triangles, model_triangles, triangle_mask

VIEWS = ((0.0, 0.0, 0.0), (0.6, -0.2, 0.3), (-1.2, 0.3, -0.5))
NEUTRAL = Spread(identity=0.0, expression=0.0, joints=0.0)


@pytest.fixture(scope="module")
def head():
    return make_fake_head()


@pytest.fixture(scope="module")
def scene(head):
    return draw_scene(head, np.random.default_rng(3), yaw=0.3, size=384)


@pytest.fixture(scope="module")
def truth(scene):
    return render_truth(scene)


def known(truth):
    return truth.maps.confidence > 0


def five_times(maps, degradation, head):
    return [degrade(maps, degradation, np.random.default_rng(seed), head) for seed in range(5)]


def centres_of(mask):
    rows, columns = np.nonzero(mask)
    return np.stack([columns, rows], axis=1) + 0.5


def points_at(model, vertices, uv):
    """Surface points [N, 3] at places [N, 2] of the UV map, each found by trying every triangle of the face."""
    chosen = triangle_mask(model, face_skin(model))
    corners = model.uv[0].astype(np.float64)[corner_triangles(model.face_sizes)[chosen]]
    edges = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], axis=2)
    weights = np.einsum("tab,ntb->nta", np.linalg.inv(edges), uv[:, None] - corners[:, 0])
    weights = np.concatenate([1.0 - weights.sum(axis=2, keepdims=True), weights], axis=2)
    best = weights.min(axis=2).argmax(axis=1)
    triangles = model_triangles(model)[chosen][best]
    return np.einsum("nk,nkc->nc", weights[np.arange(len(uv)), best], vertices[triangles])


def assert_uv_leads_to_the_pixel(scene, truth, count):
    chosen = np.random.default_rng(0).permutation(np.count_nonzero(known(truth)))[:count]
    centres = centres_of(known(truth))[chosen]
    uv = truth.maps.uv[known(truth)][chosen].astype(np.float64)
    surface = points_at(scene.model, truth.vertices, uv)
    depth = scene.camera.to_camera(surface)[:, 2]
    assert np.abs(scene.camera.project(surface) - centres).max() < 1e-3
    assert np.abs(depth - truth.depth[known(truth)][chosen]).max() < 1e-5


@pytest.mark.parametrize(("yaw", "pitch", "roll"), VIEWS)
def test_the_uv_of_a_pixel_leads_back_to_its_centre_and_depth(head, yaw, pitch, roll):
    scene = draw_scene(head, np.random.default_rng(1), yaw, pitch, roll, size=256)

    truth = render_truth(scene)

    assert np.count_nonzero(known(truth)) > 4000
    assert_uv_leads_to_the_pixel(scene, truth, 1000)


def test_normals_follow_the_stated_rule(scene, truth):
    triangles, vertices = face_triangles(scene.model), truth.vertices
    at_vertices = np.zeros_like(vertices)
    for a, b, c in triangles:
        for corner in (a, b, c):
            at_vertices[corner] += np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
    at_vertices /= np.maximum(np.linalg.norm(at_vertices, axis=1, keepdims=True), 1e-12)

    chosen = np.argwhere(known(truth))[::97]

    for row, column in chosen:
        second, third = truth.barycentric[row, column]
        weights = np.array([1 - second - third, second, third])
        normal = weights @ at_vertices[model_triangles(scene.model)[truth.triangle[row, column]]]
        assert truth.maps.normals[row, column] == pytest.approx(
            normal / np.linalg.norm(normal), abs=1e-6
        )


def test_nothing_is_said_where_nothing_is_known(truth):
    regions = truth.maps.regions

    unknown = truth.maps.confidence == 0

    assert (regions[~unknown] == Region.FACE).all()
    assert not truth.maps.uv[unknown].any() and not truth.maps.normals[unknown].any()
    assert np.array_equal(truth.silhouette, regions != Region.BACKGROUND)
    assert np.array_equal(truth.silhouette, np.isfinite(truth.depth))
    assert (regions == Region.HEAD).any()


def test_eyes_belong_to_the_face_but_are_not_known(head):
    scene = draw_scene(head, np.random.default_rng(0), size=256, spread=NEUTRAL)

    truth = render_truth(scene)

    eyes = centres_of((truth.maps.regions == Region.FACE) & ~known(truth))
    for joint in ("eye_L", "eye_R"):
        place = scene.camera.project(
            (head.joint_regressor @ head.template)[head.joint_names.index(joint)]
        )
        assert np.linalg.norm(eyes - place, axis=1).min() < 3.0


def test_landmarks_are_seen_from_the_front_and_half_of_them_from_the_side(head):
    front = draw_scene(head, np.random.default_rng(0), size=256, spread=NEUTRAL)
    side = replace(front, rotation=view_rotation(np.radians(80.0), 0.0))

    seen, hidden = render_truth(front), render_truth(side)

    assert seen.visible_478[468:].mean() > 0.5
    assert seen.visible_478[:468].mean() > 0.95
    assert 0.3 < hidden.visible_478[:468].mean() < 0.7
    weights = head.landmarks_68.weights[:, :, None]
    points = (weights * head.template[head.landmarks_68.vertices]).sum(axis=1)
    assert np.abs(front.camera.project(points) - seen.landmarks_68).max() < 1e-3


def test_the_face_fills_the_crop_as_asked(head):
    rng = np.random.default_rng(0)
    for yaw, pitch, roll in VIEWS:
        scene = draw_scene(head, rng, yaw, pitch, roll)

        face = scene.camera.project(scene.vertices()[np.unique(face_triangles(head))])

        assert 0.54 < np.ptp(face, axis=0).max() / scene.size < 0.71
        assert (face > 0).all() and (face < scene.size).all()
        assert 1.2 <= scene.focal_px / scene.size <= 4.0


def test_drawn_faces_stay_within_the_bounds(head):
    for seed in range(20):
        scene = draw_scene(head, np.random.default_rng(seed))

        low, high = head.expression_bounds.T
        assert (scene.expression >= low).all() and (scene.expression <= high).all()
        assert not scene.expression[~head.expression_fitted].any()
        assert (np.abs(scene.identity) <= head.identity_bounds[:, 1]).all()
        assert (
            not scene.joint_rotation.any()
        )  # the fake head's joints have no limits: keys do their work


def test_a_sized_head_varies_by_millimetres_and_leaves_the_pose_alone(head):
    sized = make_sized_head(head, identity=60, expression=40)

    face = np.unique(face_triangles(sized))
    points = sized.template[face] - sized.template[face].mean(axis=0)
    person = np.sqrt((sized.identity[:, face] ** 2).sum(axis=(0, 2)).mean())
    grimace = np.sqrt((sized.expression[:, face] ** 2).sum(axis=(0, 2)).mean())
    assert sized.identity.shape == (60, 196, 3) and sized.expression.shape == (40, 196, 3)
    assert person == pytest.approx(0.006, rel=0.01)
    assert 0.002 < grimace < 0.006
    assert np.abs(sized.identity[:, face].mean(axis=1)).max() < 1e-6
    assert np.abs(np.cross(points, sized.identity[:, face]).mean(axis=1)).max() < 1e-7


def test_the_same_seed_gives_the_same_answer(head):
    answers = []
    for _ in range(2):
        sized = make_sized_head(head, 12, 8, seed=4)
        scene = draw_scene(sized, np.random.default_rng(5), 0.2, size=128)
        truth = render_truth(scene)
        maps = degrade(truth.maps, HARD, np.random.default_rng(6), sized)
        points = degrade_landmarks(truth.landmarks_478, scene, HARD, np.random.default_rng(7))
        clip = draw_clip(sized, np.random.default_rng(8), 12)
        answers.append((maps.uv, maps.normals, points, clip[-1].expression, clip[-1].rotation))

    assert all(np.array_equal(a, b) for a, b in zip(*answers, strict=True))


@pytest.mark.parametrize(
    ("name", "amount"), [("uv_smooth", 0.004), ("uv_white", 0.002), ("uv_bias", 0.005)]
)
def test_uv_noise_is_as_strong_as_it_says(head, truth, name, amount):
    maps = five_times(truth.maps, Degradation(**{name: amount}), head)

    errors = [(noisy.uv - truth.maps.uv)[known(truth)] for noisy in maps]

    assert rms(np.stack(errors)) / face_uv_height(head) == pytest.approx(amount, rel=0.15)


@pytest.mark.parametrize(
    ("name", "amount"),
    [("normal_smooth_deg", 6.0), ("normal_white_deg", 3.0), ("flatten_deg", 3.0)],
)
def test_normals_are_turned_by_as_much_as_it_says(head, truth, name, amount):
    maps = five_times(truth.maps, Degradation(**{name: amount}), head)

    errors = [angle_deg(noisy.normals, truth.maps.normals)[known(truth)] for noisy in maps]

    assert rms(np.stack(errors)) == pytest.approx(amount, rel=0.15)
    assert np.abs(np.linalg.norm(maps[0].normals[known(truth)], axis=1) - 1).max() < 1e-6


def test_smooth_noise_is_correlated_over_its_length():
    field = smooth_noise((400, 400), 8, 24.0, np.random.default_rng(0))

    beside = (field[:, :-24] * field[:, 24:]).mean() / (field**2).mean()

    assert (field**2).mean() == pytest.approx(1.0, rel=0.15)
    assert beside == pytest.approx(np.exp(-0.5), abs=0.08)


def test_a_networks_bias_is_the_same_in_all_pictures(head, truth):
    biased = [
        degrade(truth.maps, Degradation(uv_bias=0.005, network=k), np.random.default_rng(i), head)
        for i, k in enumerate((1, 1, 2))
    ]

    assert np.array_equal(biased[0].uv, biased[1].uv)
    assert np.abs(biased[0].uv - biased[2].uv).max() > 0.002


def test_garbage_salt_and_occluder_take_the_shares_they_say(head, truth):
    rng = np.random.default_rng(2)
    before = known(truth)
    clean = degrade(truth.maps, CLEAN, rng, head)
    blobs = degrade(truth.maps, Degradation(blobs=0.05), rng, head)
    salted = degrade(truth.maps, Degradation(salt=0.02), rng, head)
    hidden = degrade(truth.maps, Degradation(occlusion=0.30), rng, head)

    def changed(maps):
        return (np.abs(maps.uv - truth.maps.uv).max(axis=-1) > 1e-6)[before].mean()

    assert changed(clean) == 0
    assert changed(blobs) == pytest.approx(0.05, rel=0.02)
    assert changed(salted) == pytest.approx(0.02, rel=0.02)
    assert (hidden.confidence[before] == 0).mean() == pytest.approx(0.30, abs=0.005)
    assert (hidden.regions[before & (hidden.confidence == 0)] == Region.OCCLUDER).all()
    assert (blobs.confidence == truth.maps.confidence).all()


def test_landmark_errors_are_as_large_as_they_say(scene, truth):
    exact = truth.landmarks_478
    fixed, white = Degradation(landmark_bias=0.01), Degradation(landmark_white=0.005)

    biased = degrade_landmarks(exact, scene, fixed, np.random.default_rng(0))
    noisy = degrade_landmarks(exact, scene, white, np.random.default_rng(0))
    again = degrade_landmarks(exact, scene, fixed, np.random.default_rng(9))

    assert rms(biased - exact) / scene.face_height_px == pytest.approx(0.01, rel=0.15)
    assert rms(noisy - exact) / scene.face_height_px == pytest.approx(0.005, rel=0.15)
    assert np.array_equal(biased, again)


def test_the_real_head_is_exact_too(models):
    head = load_head("makehuman", models)
    scene = draw_scene(head, np.random.default_rng(2), 0.4, -0.1, 0.1)

    truth = render_truth(scene)
    noisy = degrade(truth.maps, NETWORK, np.random.default_rng(0), head)

    assert 0.1 < truth.maps.confidence.mean() < 0.35
    assert truth.visible_68.mean() > 0.7
    assert np.abs(np.linalg.norm(truth.maps.normals[known(truth)], axis=1) - 1.0).max() < 1e-6
    assert_uv_leads_to_the_pixel(scene, truth, 60)
    off = angle_deg(noisy.normals, truth.maps.normals)[known(truth)]
    assert rms(off) == pytest.approx(7.3, rel=0.1)


def test_normals_are_the_slopes_of_the_depth(models):
    scene = draw_scene(load_head("makehuman", models), np.random.default_rng(2), 0.4)

    truth = render_truth(scene)

    places = minimum_filter(known(truth), 25)
    depth = np.where(truth.silhouette, truth.depth, 0.0)[..., None].astype(np.float64)
    rays = (np.moveaxis(np.indices(depth.shape[:2])[::-1], 0, -1) + 0.5 - 256) / scene.focal_px
    points = depth * np.append(rays, np.ones_like(depth), axis=-1)
    slopes = np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1)) @ scene.rotation
    slopes /= np.maximum(np.linalg.norm(slopes, axis=-1, keepdims=True), 1e-12)
    # The mesh is flat within each triangle, the normals are not: compare the means of places.
    found, told = (
        uniform_filter(it, 24, axes=(0, 1))[places] for it in (slopes, truth.maps.normals)
    )
    off = np.linalg.norm(found - told, axis=1)
    assert len(off) > 10_000
    assert np.degrees(np.median(off)) < 1.0 and np.degrees(np.quantile(off, 0.95)) < 3.0
