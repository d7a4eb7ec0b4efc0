# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks: the same whatever the picture is turned, mirrored, scaled or coded; named as the topology says."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from server.detect import topology
from server.detect.crop import Square
from server.detect.detector import require_face
from server.detect.landmarks import FaceLandmarks, frame_face, jitter
from server.footage import Frame, read_photo


def error_in_iod(face: FaceLandmarks, truth_px: np.ndarray) -> float:
    """Mean distance to the truth over the inter-ocular distance."""
    return float(np.linalg.norm(face.points_px - truth_px, axis=1).mean()) / face.interocular_px


def faces_of(detector, pixels: np.ndarray) -> FaceLandmarks:
    return require_face(detector.faces(Frame(np.ascontiguousarray(pixels))))


def turn_back(points: np.ndarray, turns: int, width: int, height: int) -> np.ndarray:
    """Points in np.rot90(picture, turns) -> points in the picture of width x height."""
    x, y = points[:, 0], points[:, 1]
    return np.stack([(x, y), (width - y, x), (width - x, height - y), (y, height - x)][turns], -1)


# The picture changes, the face does not


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_turned_by_right_angles_gives_the_same_landmarks(
    detector, astronaut, astronaut_face, turns
):
    pixels = astronaut.pixels[:, :480]

    face = faces_of(detector, np.rot90(pixels, turns))

    back = turn_back(face.points_px, turns, 480, 512)
    assert (
        np.linalg.norm(back - astronaut_face.points_px, axis=1).max() < 0.02 * face.interocular_px
    )


@pytest.mark.parametrize("degrees", [-50, 25, 130])
def test_a_photo_turned_by_any_angle_gives_the_same_landmarks(
    detector, astronaut, astronaut_face, degrees
):
    turned = Image.fromarray(astronaut.pixels).rotate(
        degrees, Image.Resampling.BICUBIC, expand=False, center=(256, 256)
    )

    face = faces_of(detector, np.asarray(turned))

    angle = math.radians(-degrees)
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    assert error_in_iod(face, (astronaut_face.points_px - 256) @ axes.T + 256) < 0.02


def test_a_mirrored_photo_gives_mirrored_landmarks(detector, astronaut, astronaut_face):
    face = faces_of(detector, astronaut.pixels[:, ::-1])

    mirrored = astronaut_face.points_px[list(topology.MIRROR)]
    mirrored[:, 0] = 512 - mirrored[:, 0]
    assert error_in_iod(face, mirrored) < 0.012


def test_an_enlarged_photo_gives_enlarged_landmarks(detector, astronaut, astronaut_face):
    large = Image.fromarray(astronaut.pixels).resize((1700, 1700), Image.Resampling.BICUBIC)

    assert (
        error_in_iod(faces_of(detector, np.asarray(large)), astronaut_face.points_px * 1700 / 512)
        < 0.01
    )


def test_the_same_photo_gives_the_same_landmarks(detector, astronaut, astronaut_face):
    (again,) = detector.faces(astronaut)

    assert np.array_equal(again.points_px, astronaut_face.points_px)


@pytest.mark.parametrize("kind", ["grey", "deep grey", "rgba", "jpeg"])
def test_other_codings_of_the_photo_give_the_same_landmarks(
    detector, astronaut, astronaut_face, tmp_path, kind
):
    image = Image.fromarray(astronaut.pixels)
    path = tmp_path / ("photo.jpg" if kind == "jpeg" else "photo.png")
    if kind == "grey":
        image.convert("L").save(path)
    elif kind == "deep grey":
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path)
    elif kind == "rgba":
        image.putalpha(Image.new("L", image.size, 255))
        image.save(path)
    else:
        image.save(path, quality=85)

    face = require_face(detector.faces(read_photo(path)))

    assert error_in_iod(face, astronaut_face.points_px) < 0.015


def test_a_cut_out_photo_gives_nearly_the_same_landmarks(
    detector, astronaut, astronaut_face, tmp_path
):
    image = Image.fromarray(astronaut.pixels)
    alpha = Image.new("L", image.size, 0)
    alpha.paste(255, (130, 0, 330, 300))
    image.putalpha(alpha)
    image.save(tmp_path / "cut_out.png")

    face = require_face(detector.faces(read_photo(tmp_path / "cut_out.png")))

    assert error_in_iod(face, astronaut_face.points_px) < 0.03


def test_one_crop_lies_near_the_mean_of_eight(detector, astronaut, astronaut_face):
    single = detector.follow(astronaut, astronaut_face, jitters=1)

    assert single.unrest == 0.0
    assert error_in_iod(single, astronaut_face.points_px) < 0.02


def test_the_spread_is_largest_where_nothing_is_to_be_seen(astronaut_face):
    spread = astronaut_face.spread_px
    iris = spread[[topology.RIGHT_IRIS[0], topology.LEFT_IRIS[0]]].mean()

    assert spread[list(topology.FACE_OVAL)].mean() > iris
    assert 0.0 < astronaut_face.unrest < 0.01


# The points are what their names say: in the astronaut's photo, which faces the camera


def middle(face: FaceLandmarks, indices: tuple[int, ...]) -> np.ndarray:
    return face.points_px[list(indices)].mean(0)


def test_the_subjects_right_is_on_the_left_of_the_picture(astronaut_face):
    for right, left in (
        (topology.RIGHT_EYE, topology.LEFT_EYE),
        (topology.RIGHT_IRIS, topology.LEFT_IRIS),
        (topology.RIGHT_BROW, topology.LEFT_BROW),
    ):
        assert middle(astronaut_face, right)[0] < middle(astronaut_face, left)[0] - 30


def test_irises_lie_where_the_photo_has_them(astronaut_face):
    # Read off the photo by eye, enlarged 6 times.
    assert np.linalg.norm(astronaut_face.points_px[topology.RIGHT_IRIS[0]] - (204.0, 101.8)) < 1.5
    assert np.linalg.norm(astronaut_face.points_px[topology.LEFT_IRIS[0]] - (247.0, 104.0)) < 1.5


def test_an_iris_is_round_about_its_centre(astronaut_face):
    for iris in (topology.RIGHT_IRIS, topology.LEFT_IRIS):
        center, *rim = astronaut_face.points_px[list(iris)]
        assert np.linalg.norm(np.mean(rim, 0) - center) < 0.5
        right, top, left, bottom = rim
        assert right[0] > left[0]
        assert bottom[1] > top[1]


def test_brows_are_above_eyes_and_eyes_above_lips(astronaut_face):
    for brow, eye in (
        (topology.RIGHT_BROW, topology.RIGHT_EYE),
        (topology.LEFT_BROW, topology.LEFT_EYE),
    ):
        assert middle(astronaut_face, brow)[1] < middle(astronaut_face, eye)[1] - 5
    assert (
        middle(astronaut_face, topology.LIPS)[1]
        > middle(astronaut_face, topology.RIGHT_EYE)[1] + 30
    )


def area(points: np.ndarray) -> float:
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


@pytest.mark.parametrize(
    "contour", ["LIPS_OUTER", "LIPS_INNER", "RIGHT_EYE", "LEFT_EYE", "FACE_OVAL"]
)
def test_contours_go_round_in_short_steps(astronaut_face, contour):
    indices = getattr(topology, contour)
    points = astronaut_face.points_px[list(indices)]
    steps = np.linalg.norm(np.diff(points, axis=0, append=points[:1]), axis=1)

    assert len(set(indices)) == len(indices)
    assert steps.max() < 0.2 * steps.sum()
    assert area(points) > 0.015 * steps.sum() ** 2  # a circle has 0.08; crossed contours have less


def test_the_open_mouth_lies_inside_the_lips(astronaut_face):
    outer = area(astronaut_face.points_px[list(topology.LIPS_OUTER)])
    inner = area(astronaut_face.points_px[list(topology.LIPS_INNER)])

    assert 0.2 * outer < inner < 0.7 * outer  # she smiles with her mouth open


def test_the_68_points_stand_in_ibug_order(astronaut_face):
    points = astronaut_face.points_px[list(topology.IBUG_68)]

    assert len(set(topology.IBUG_68)) == 68
    assert all(a[0] < b[0] for a, b in pairwise(points[2:15]))  # jaw, subject's right to left
    assert points[8, 1] == points[:17, 1].max()
    assert all(a[1] < b[1] for a, b in pairwise(points[27:31]))  # bridge of the nose downwards
    assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
    assert points[51, 1] < points[62, 1] < points[66, 1] < points[57, 1]


# Left and right


def test_the_mirror_map_is_its_own_inverse():
    mirror = np.array(topology.MIRROR)

    assert np.array_equal(mirror[mirror], np.arange(topology.COUNT))
    assert (
        mirror == np.arange(topology.COUNT)
    ).sum() == 28  # the midline, from the hairline to the chin


def test_the_mirror_map_swaps_what_has_a_left_and_a_right():
    swap = topology.MIRROR.__getitem__

    assert tuple(map(swap, topology.RIGHT_EYE_REGION)) == topology.LEFT_EYE_REGION
    assert tuple(map(swap, topology.RIGHT_BROW)) == topology.LEFT_BROW
    for half in ("LIPS_OUTER_LOWER", "LIPS_OUTER_UPPER", "LIPS_INNER_LOWER", "LIPS_INNER_UPPER"):
        assert tuple(map(swap, getattr(topology, half))) == getattr(topology, half)[::-1]
    jaw = topology.IBUG_68[:17]
    assert tuple(map(swap, jaw)) == jaw[::-1]
    assert {swap(i) for i in topology.IBUG_68} == set(topology.IBUG_68)
    assert swap(topology.RIGHT_IRIS[0]) == topology.LEFT_IRIS[0]
    assert swap(topology.FOREHEAD) == topology.FOREHEAD


# Squares


@pytest.mark.parametrize("count", [4, 8])
def test_jittered_squares_scatter_evenly_around_the_square(count):
    square = Square(100.0, 200.0, 60.0, 0.4)

    squares = jitter(square, count)

    assert np.mean([s.center_x for s in squares]) == pytest.approx(100.0)
    assert np.mean([s.center_y for s in squares]) == pytest.approx(200.0)
    assert np.mean([math.log(s.side) for s in squares]) == pytest.approx(math.log(60.0))
    assert np.mean([s.angle_rad for s in squares]) == pytest.approx(0.4)
    assert (
        len({(round(s.center_x, 3), round(s.center_y, 3), round(s.side, 3)) for s in squares})
        == count
    )
    assert jitter(square, 1) == [square]


def test_a_square_frames_a_face_whatever_its_angle(astronaut_face):
    points = astronaut_face.points_px
    upright = frame_face(points)
    angle = 2.2
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])

    turned = frame_face(points @ axes.T)

    assert turned.side == pytest.approx(upright.side)
    assert (turned.center_x, turned.center_y) == pytest.approx(
        tuple(axes @ (upright.center_x, upright.center_y))
    )
    assert math.remainder(
        turned.angle_rad - upright.angle_rad - angle, 2 * math.pi
    ) == pytest.approx(0.0, abs=1e-9)
