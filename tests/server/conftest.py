# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine's tests share: the models folder, the detector, the astronaut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.detect.detector import FaceDetector
from server.detect.landmarks import FaceLandmarks
from server.detect.weights import FACE_BOX, FACE_MESH
from server.footage import Frame, read_photo

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder with the open models, where the set-up put them."""
    folder = Path(os.environ.get("PIXEL3DMM_MODELS") or REPOSITORY / ".environments" / "models")
    missing = [file.name for file in (FACE_BOX, FACE_MESH) if not (folder / file.name).is_file()]
    if missing:
        pytest.skip(
            f"NOT TESTED: {', '.join(missing)} not in {folder}; run build.py, or set PIXEL3DMM_MODELS"
        )
    return folder


@pytest.fixture(scope="session")
def astronaut_path() -> Path:
    """The public-domain portrait, 512 x 512."""
    return REPOSITORY / "tests" / "data" / "astronaut.png"


@pytest.fixture(scope="session")
def astronaut(astronaut_path: Path) -> Frame:
    return read_photo(astronaut_path)


@pytest.fixture(scope="session")
def detector(models: Path) -> FaceDetector:
    return FaceDetector(models)


@pytest.fixture(scope="session")
def astronaut_face(detector: FaceDetector, astronaut: Frame) -> FaceLandmarks:
    (face,) = detector.faces(astronaut)
    return face


@pytest.fixture(scope="session")
def photos() -> Path:
    """Portraits and clips beside the repository, on development machines only."""
    folder = REPOSITORY.parent / "shared" / "data" / "photos"
    if not folder.is_dir():
        pytest.skip(f"no photos in {folder}: they are only on development machines")
    return folder
