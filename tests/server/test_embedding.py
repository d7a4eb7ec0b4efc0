# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the landmarks lie on the MakeHuman head, and what the network gets wrong from which side.

Measured by `python -m tests.calibrate`; here the result is held against the head itself.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import KDTree

from server.detect.topology import (
    LEFT_EYE,
    LEFT_IRIS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    MIRROR,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from server.heads.makehuman.archive import WHEEL
from server.heads.makehuman.assemble import METRES_PER_MM
from server.heads.model import ViewCalibration
from server.heads.view import calibration_offsets
from tests.calibrate.place import Placement, place_landmarks
from tests.calibrate.subjects import Subjects, read_subjects

REPOSITORY = Path(__file__).parents[2]
MEASURED = REPOSITORY / "server" / "heads" / "makehuman_landmarks.npz"
MODELS = Path(os.environ.get("PIXEL3DMM_MODELS", REPOSITORY / ".environments" / "models"))
NETWORK = "face_landmark_with_attention.tflite"
FLIP = np.array([-1.0, 1.0, 1.0])
LAST_SKIN, EYES = 13379, (14598, 14741)

Points = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def measured() -> dict[str, npt.NDArray[Any]]:
    with np.load(MEASURED, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def subjects() -> Subjects:
    if not (MODELS / WHEEL).exists():
        pytest.skip(f"needs the head's file {WHEEL} in {MODELS}")
    return read_subjects(MODELS)


@pytest.fixture(scope="module")
def points_mm(measured: dict[str, npt.NDArray[Any]], subjects: Subjects) -> Points:
    """The landmarks on the neutral head, from the middle between the eyes."""
    cage = subjects.coarse(np.zeros_like(subjects.cage.points))
    corners = cage[subjects.cage.index[measured["vertices_478"]]]
    return 1000.0 * np.einsum("km,kmc->kc", measured["weights_478"], corners)


def test_every_landmark_has_twelve_vertices_of_the_head(
    measured: dict[str, npt.NDArray[Any]],
) -> None:
    vertices = measured["vertices_478"]
    assert vertices.shape == (478, 12) and vertices.dtype == np.int32
    skin, iris = vertices[:468], vertices[468:]
    assert skin.min() >= 0 and skin.max() <= LAST_SKIN
    assert iris.min() >= EYES[0] and iris.max() <= EYES[1]
    assert all(len(set(row)) == 12 for row in vertices.tolist())


def test_weights_sum_to_one(measured: dict[str, npt.NDArray[Any]]) -> None:
    np.testing.assert_allclose(measured["weights_478"].sum(axis=1), 1.0, atol=1e-5)
    assert np.abs(measured["weights_478"]).max() < 1.5


def test_the_network_is_consistent_about_where_the_points_are(
    measured: dict[str, npt.NDArray[Any]],
) -> None:
    spread_mm = 1000.0 * measured["spread_m_478"]
    assert np.median(spread_mm) <= 1.6
    assert np.percentile(spread_mm, 95) <= 2.8


def test_left_and_right_are_mirror_images(points_mm: Points) -> None:
    mirrored = points_mm[np.array(MIRROR)] * FLIP
    assert np.linalg.norm(points_mm - mirrored, axis=1).max() <= 0.05


def test_the_points_lie_on_the_subdivided_surface(points_mm: Points, subjects: Subjects) -> None:
    placed = place_landmarks(subjects, points_mm / 1000.0)
    assert np.linalg.norm(1000.0 * placed.points - points_mm, axis=1).max() < 0.05


def test_placing_twice_gives_the_same_numbers(
    measured: dict[str, npt.NDArray[Any]], points_mm: Points, subjects: Subjects
) -> None:
    first, second = (place_landmarks(subjects, points_mm / 1000.0) for _ in range(2))
    for name in Placement.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize(("iris", "eye"), [(RIGHT_IRIS, 1), (LEFT_IRIS, 0)])
def test_the_iris_lies_on_the_iris(
    iris: tuple[int, ...], eye: int, points_mm: Points, subjects: Subjects
) -> None:
    ball = 1000.0 * METRES_PER_MM * (subjects.eyes[eye].points - subjects.origin_mm)
    pupil = ball[ball[:, 2].argmax()]
    centre, rim = points_mm[iris[0]], points_mm[list(iris[1:])]
    assert np.linalg.norm((centre - pupil)[:2]) < 1.0
    radii = np.linalg.norm((rim - centre)[:, :2], axis=1)
    assert radii.min() > 4.5 and radii.max() < 7.5
    np.testing.assert_array_less(KDTree(ball).query(points_mm[list(iris)])[0], 3.0)


def test_the_inner_lips_meet(points_mm: Points) -> None:
    lower, upper = LIPS_INNER_LOWER[1:-1], LIPS_INNER_UPPER
    gaps = np.linalg.norm(points_mm[list(lower)] - points_mm[list(upper)], axis=1)
    assert gaps.max() < 1.5
    heights = points_mm[list(upper), 1] - points_mm[list(lower), 1]
    assert heights.min() > -0.05


@pytest.mark.parametrize(("lids", "iris"), [(RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)])
def test_the_lids_surround_the_iris(
    lids: tuple[int, ...], iris: tuple[int, ...], points_mm: Points
) -> None:
    edge, centre = points_mm[list(lids)], points_mm[iris[0]]
    assert edge[:, 0].min() < centre[0] - 6 and edge[:, 0].max() > centre[0] + 6
    assert edge[:, 1].min() < centre[1] - 2 and edge[:, 1].max() > centre[1] + 2


def test_the_calibration_is_small_and_mirror_symmetric(
    measured: dict[str, npt.NDArray[Any]],
) -> None:
    coefficients = measured["calibration"]
    assert coefficients.shape == (7, 478, 2) and np.isfinite(coefficients).all()
    calibration = ViewCalibration(coefficients=coefficients.astype(np.float32))
    for yaw, pitch in ((0.0, 0.0), (0.3, 0.1), (0.7, -0.3)):
        here = calibration_offsets(calibration, yaw, pitch)
        there = calibration_offsets(calibration, -yaw, pitch)[np.array(MIRROR)]
        np.testing.assert_allclose(here, there * np.array([-1.0, 1.0]), atol=1e-6)
        assert np.sqrt((here**2).sum(axis=1).mean()) < 0.006


def test_the_measurement_belongs_to_the_pinned_files(measured: dict[str, npt.NDArray[Any]]) -> None:
    if not (MODELS / WHEEL).exists() or not (MODELS / NETWORK).exists():
        pytest.skip(f"needs the open models in {MODELS}")
    for name, field in ((WHEEL, "wheel_sha256"), (NETWORK, "network_sha256")):
        assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() == str(measured[field])
