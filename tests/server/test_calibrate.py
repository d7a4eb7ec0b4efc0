# SPDX-License-Identifier: GPL-3.0-or-later
"""The mathematics behind the measured embedding: subdivision, rays, nearest points, regression."""

from __future__ import annotations

import numpy as np
import pytest

from server.detect.topology import COUNT, MIRROR
from server.heads.model import ViewCalibration
from server.heads.view import PITCH_LIMIT_RAD, YAW_LIMIT_RAD, calibration_offsets, view_angles
from tests.calibrate.calibration import (
    ODD_IN_YAW,
    Views,
    fit_calibration,
    leave_one_head_out,
    residuals,
    root_mean_square_mm,
)
from tests.calibrate.measure import Scatter, centre
from tests.calibrate.place import closest_points
from tests.calibrate.rays import cast_rays
from tests.calibrate.scenes import SIZE_PX, TARGET_M, all_shots
from tests.calibrate.subdivision import subdivide

CUBE = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
CUBE_QUADS = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], np.int32
)
WALL = np.array([[-1.0, -1.0, 2.0], [1.0, -1.0, 2.0], [1.0, 1.0, 2.0], [-1.0, 1.0, 2.0]])
"""A square in front of the camera, wound to face it."""
WALL_TRIANGLES = np.array([[0, 2, 1], [0, 3, 2]], np.int32)


def test_a_cube_subdivides_by_the_rules_of_catmull_and_clark() -> None:
    surface = subdivide(CUBE_QUADS, np.zeros((6, 4, 2)), 8, levels=1)
    fine = surface.matrix @ CUBE
    np.testing.assert_allclose(fine[:8], CUBE * 5.0 / 9.0)
    np.testing.assert_allclose(np.linalg.norm(fine[8:14], axis=1), 1.0)  # face points
    np.testing.assert_allclose(np.linalg.norm(fine[14:], axis=1), 0.75 * np.sqrt(2.0))
    assert fine.shape == (26, 3) and len(surface.quads) == 24


def test_subdivided_quads_keep_their_winding_and_their_parent() -> None:
    surface = subdivide(CUBE_QUADS, np.zeros((6, 4, 2)), 8)
    corners = (surface.matrix @ CUBE)[surface.quads]
    outward = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    first = CUBE[CUBE_QUADS]
    parents = np.cross(first[:, 2] - first[:, 0], first[:, 3] - first[:, 1])
    assert np.einsum("gc,gc->g", outward, parents[surface.cage_face]).min() > 0
    np.testing.assert_allclose(np.asarray(surface.matrix.sum(axis=1)), 1.0)


def test_an_open_edge_subdivides_to_its_own_curve() -> None:
    flat = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0]])
    quads = np.array([[0, 1, 4, 3], [1, 2, 5, 4]], np.int32)
    fine = subdivide(quads, np.zeros((2, 4, 2)), 6).matrix @ flat
    assert fine[:, 2].max() == 0.0
    np.testing.assert_allclose(fine[1], flat[1])
    assert fine.min() >= 0.0 and fine[:, 0].max() <= 2.0


def test_a_ray_meets_the_surface_where_perspective_says() -> None:
    points = WALL + np.array([0.0, 0.0, 1.0]) * WALL[:, :1]  # tilted: depth 2 + x
    rays = np.array([[100.0, 40.0]])
    hits = cast_rays(points, WALL_TRIANGLES, np.array([True, True]), rays, focal_px=400.0)
    found = hits.weights[0] @ points[hits.vertices[0]]
    assert hits.direct[0]
    np.testing.assert_allclose(found[:2] / found[2] * 400.0, rays[0], atol=1e-9)
    np.testing.assert_allclose(found[2], 2.0 + found[0])


def test_what_is_hidden_by_an_unwanted_triangle_is_not_hit() -> None:
    points = np.concatenate([WALL, WALL * 0.5])
    triangles = np.concatenate([WALL_TRIANGLES, WALL_TRIANGLES + 4])
    wanted = np.array([True, True, False, False])
    hits = cast_rays(points, triangles, wanted, np.zeros((1, 2)), focal_px=400.0)
    assert not hits.direct[0]


def test_a_ray_just_beside_the_surface_snaps_to_it() -> None:
    rays = np.array([[200.5, 200.5], [260.0, 0.0]])
    hits = cast_rays(WALL, WALL_TRIANGLES, np.array([True, True]), rays, focal_px=400.0)
    assert hits.found.tolist() == [True, False] and not hits.direct.any()
    np.testing.assert_allclose(hits.weights[0] @ WALL[hits.vertices[0]], WALL[2])


@pytest.mark.parametrize(
    ("target", "expected"),
    [((0.2, 0.3, 2.4), (0.2, 0.3, 2.0)), ((3.0, 0.5, 2.0), (1.0, 0.5, 2.0)), ((5.0, 5.0, 5.0), (1.0, 1.0, 2.0))],
)  # fmt: skip
def test_the_closest_point_is_inside_on_an_edge_or_a_corner(
    target: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    corners, weights = closest_points(WALL, WALL_TRIANGLES, np.array([target]))
    np.testing.assert_allclose(weights[0] @ WALL[corners[0]], expected, atol=1e-6)


def test_outliers_do_not_move_the_centre() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(0, 0.03, (COUNT, 3))
    truth = 0.5 * (truth + truth[np.array(MIRROR)] * np.array([-1.0, 1.0, 1.0]))
    positions = truth + random.normal(0, 5e-4, (60, COUNT, 3))
    positions[:12] += 0.03
    scatter = Scatter(
        positions=positions,
        weights=np.ones((60, COUNT)),
        direct=np.ones((60, COUNT), dtype=bool),
    )
    middle, spread = centre(scatter)
    assert np.linalg.norm(middle - truth, axis=1).max() < 6e-4
    assert 4e-4 < np.median(spread) < 1.2e-3


def symmetric_calibration(random: np.random.Generator) -> ViewCalibration:
    drawn = random.normal(0, 2e-3, (7, COUNT, 2))
    sign = np.where(ODD_IN_YAW, -1.0, 1.0)[:, None, None] * np.array([-1.0, 1.0])
    symmetric = 0.5 * (drawn + sign * drawn[:, np.array(MIRROR)])
    return ViewCalibration(coefficients=symmetric.astype(np.float32))


def photographed(truth: ViewCalibration, random: np.random.Generator) -> Views:
    yaws, pitches = random.uniform(-0.78, 0.78, 60), random.uniform(-0.4, 0.4, 60)
    offsets = [calibration_offsets(truth, y, p) for y, p in zip(yaws, pitches, strict=True)]
    noise = random.normal(0, 2e-4, (60, COUNT, 2))
    heads = tuple(i // 15 for i in range(60))
    return Views(heads=heads, yaws=yaws, pitches=pitches, offsets=np.stack(offsets) + noise)


def test_the_regression_finds_a_known_calibration() -> None:
    random = np.random.default_rng(5)
    views = photographed(symmetric_calibration(random), random)
    fitted = fit_calibration(views)
    left = root_mean_square_mm(residuals(views, fitted))
    assert left < 0.2 * root_mean_square_mm(views.offsets)
    assert root_mean_square_mm(leave_one_head_out(views)) < 1.3 * left


def test_a_calibration_is_mirror_symmetric_whatever_was_measured() -> None:
    random = np.random.default_rng(6)
    yaws, pitches = random.uniform(-0.7, 0.7, 20), random.uniform(-0.3, 0.3, 20)
    offsets = random.normal(0, 1e-3, (20, COUNT, 2))
    fitted = fit_calibration(Views(heads=(0,) * 20, yaws=yaws, pitches=pitches, offsets=offsets))
    here, there = (calibration_offsets(fitted, yaw, 0.2) for yaw in (0.4, -0.4))
    np.testing.assert_allclose(here, there[np.array(MIRROR)] * np.array([-1.0, 1.0]), atol=1e-9)


def test_every_picture_shows_the_face_within_the_measured_views() -> None:
    assert all_shots() == all_shots()
    for shot in all_shots():
        yaw, pitch = view_angles(shot.rotation)
        assert abs(yaw) <= YAW_LIMIT_RAD + 1e-9 and abs(pitch) <= PITCH_LIMIT_RAD
        middle, depth = shot.project(np.array([TARGET_M]))
        np.testing.assert_allclose(middle[0], 0.5 * SIZE_PX)
        assert depth[0] == pytest.approx(shot.distance_m)
