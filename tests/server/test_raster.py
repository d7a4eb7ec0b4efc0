# SPDX-License-Identifier: GPL-3.0-or-later
"""The rasteriser against geometry whose answer is known."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Camera
from server.raster import corner_triangles, rasterise, rasterise_camera, rasterise_uv, split_quads

TRIANGLE = np.array([[0, 1, 2]], np.int32)


def make_camera(size=200, focal_px=300.0):
    look = np.diag([1.0, -1.0, -1.0, 1.0])
    look[2, 3] = 0.6
    center = np.array([size / 2, size / 2])
    return Camera(
        width=size, height=size, focal_px=focal_px, center_px=center, world_to_camera=look
    )


def make_sphere(radius, rings=96, columns=192):
    polar = np.linspace(0, np.pi, rings)
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    p, t = np.meshgrid(polar, turn, indexing="ij")
    points = np.stack([np.sin(p) * np.cos(t), np.cos(p), np.sin(p) * np.sin(t)], axis=-1)
    index = np.arange(rings * columns).reshape(rings, columns)
    quads = np.stack(
        [index[:-1], np.roll(index, -1, 1)[:-1], np.roll(index, -1, 1)[1:], index[1:]], axis=-1
    )
    flat = quads.reshape(-1).astype(np.int32)
    triangles = split_quads(np.full(len(flat) // 4, 4, np.int32), flat)
    return radius * points.reshape(-1, 3), triangles


def test_a_pixel_belongs_to_the_triangle_that_holds_its_centre():
    corners = np.array([[3.2, 2.1], [27.7, 8.4], [9.9, 29.3]])

    raster = rasterise(corners, np.ones(3), TRIANGLE, (32, 32))

    rows, columns = np.mgrid[:32, :32]
    points = np.stack([columns + 0.5, rows + 0.5], axis=-1)
    inside = np.ones((32, 32), bool)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        edge = corners[b] - corners[a]
        away = points - corners[a]
        inside &= edge[0] * away[..., 1] - edge[1] * away[..., 0] > 0
    assert np.array_equal(raster.triangle >= 0, inside)
    assert np.isinf(raster.depth[~inside]).all()


def test_neighbouring_triangles_share_no_pixel_and_leave_no_gap():
    corners = np.array([[4.0, 4.0], [28.0, 4.0], [28.0, 28.0], [4.0, 28.0]])
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)

    apart = [rasterise(corners, np.ones(4), triangles[k : k + 1], (32, 32)) for k in (0, 1)]

    counts = sum((raster.triangle >= 0).astype(int) for raster in apart)
    assert (counts[4:28, 4:28] == 1).all()
    assert counts.sum() == 24 * 24


def test_barycentrics_are_right_in_perspective():
    points = np.array([[-0.1, -0.1, 0.0], [0.12, -0.08, 0.3], [0.0, 0.13, -0.2]])
    camera = make_camera()

    raster = rasterise_camera(points, TRIANGLE, camera)

    rows, columns = np.nonzero(raster.triangle >= 0)
    second, third = raster.barycentric[rows, columns].T
    weights = np.stack([1 - second - third, second, third], axis=1)
    surface = weights @ points
    centres = np.stack([columns + 0.5, rows + 0.5], axis=1)
    assert len(rows) > 500
    assert np.abs(camera.project(surface) - centres).max() < 2e-3
    assert np.abs(camera.to_camera(surface)[:, 2] - raster.depth[rows, columns]).max() < 1e-5


def test_the_depth_of_a_sphere_is_the_analytic_one():
    points, triangles = make_sphere(0.1)
    camera = make_camera()

    raster = rasterise_camera(points, triangles, camera)

    rows, columns = np.nonzero(raster.triangle >= 0)
    rays = np.stack(
        [(columns + 0.5 - 100) / 300, (rows + 0.5 - 100) / 300, np.ones(len(rows))], axis=1
    )
    square = (rays**2).sum(axis=1)
    root = np.maximum(0.36 - square * (0.36 - 0.01), 0.0)
    depth = (0.6 - np.sqrt(root)) / square
    flat = root > 0.004
    assert abs(len(rows) - np.pi * (300 * 0.1 / np.sqrt(0.36 - 0.01)) ** 2) < 40
    assert np.abs(raster.depth[rows, columns] - depth)[flat].max() < 2e-4


def test_the_nearer_triangle_wins_in_either_order():
    far = np.array([[-0.1, -0.1, 0.0], [0.1, -0.1, 0.0], [0.0, 0.1, 0.0]])
    points = np.concatenate([far, far + np.array([0.0, 0.0, 0.05])])
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        triangles = np.array(order, np.int32)

        raster = rasterise_camera(points, triangles, make_camera())

        near = next(k for k, corners in enumerate(order) if corners[0] == 3)
        assert raster.triangle[100, 100] == near


def test_what_lies_behind_the_camera_is_not_drawn():
    points = np.array([[-0.1, -0.1, 1.0], [0.1, -0.1, 1.0], [0.0, 0.1, 1.0]])

    raster = rasterise_camera(points, TRIANGLE, make_camera())

    assert (raster.triangle == -1).all()


def test_nothing_to_draw_is_an_empty_raster():
    raster = rasterise(np.zeros((0, 2)), np.zeros(0), np.zeros((0, 3), np.int32), (4, 5))

    assert raster.triangle.shape == (4, 5)
    assert (raster.triangle == -1).all()


def test_degenerate_and_outlying_triangles_do_no_harm():
    corners = np.array(
        [[5.0, 5.0], [9.0, 9.0], [13.0, 13.0], [-90.0, 4.0], [90.0, 4.0], [5.0, 60.0]]
    )
    triangles = np.array([[0, 1, 2], [0, 0, 1], [3, 4, 5]], np.int32)

    raster = rasterise(corners, np.ones(6), triangles, (16, 16))

    assert np.isfinite(raster.barycentric).all()
    assert (raster.triangle[8] == 2).all()


def test_quads_and_triangles_are_split_in_order():
    sizes = np.array([4, 3, 4], np.int32)
    vertices = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], np.int32)

    triangles = split_quads(sizes, vertices)

    expected = [[0, 1, 2], [0, 2, 3], [4, 5, 6], [7, 8, 9], [7, 9, 10]]
    assert triangles.tolist() == expected


def test_the_top_row_of_a_texture_is_v_one():
    uv = np.array([[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]], np.float32)

    raster = rasterise_uv(uv, corner_triangles(np.array([4], np.int32)), 8)

    assert (raster.triangle[:4] >= 0).all()
    assert (raster.triangle[4:] == -1).all()
