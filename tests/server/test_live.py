# SPDX-License-Identifier: GPL-3.0-or-later
"""A live face with the real networks: it is met, followed, lost and found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.detect.detector import FaceDetector
from server.footage import Frame
from server.heads.catalogue import load_head
from server.live import LiveFace, start_live_face
from server.rotation import vector_from_rotation


@pytest.fixture(scope="module")
def start(models, detector: FaceDetector) -> LiveFace:
    return start_live_face(load_head("makehuman", models), detector)


def shifted(frame: Frame, pixels: int) -> Frame:
    """The same picture, moved to the right."""
    return replace(frame, pixels=np.roll(frame.pixels, pixels, axis=1))


def test_a_face_that_moves_is_followed(start: LiveFace, astronaut: Frame) -> None:
    face = start.push(astronaut)
    assert face.view is not None
    first = face.view

    for step in (4, 8, 12):
        face = face.push(shifted(astronaut, step))

    assert face.view is not None
    assert face.view.transl[0] > first.transl[0]
    turned = vector_from_rotation(face.view.rotation @ first.rotation.T)
    assert np.degrees(np.linalg.norm(turned)) < 6.0


def test_a_face_that_is_lost_is_found_again_with_the_same_identity(
    start: LiveFace, astronaut: Frame
) -> None:
    met = start.push(astronaut)

    lost = met.push(replace(astronaut, pixels=np.zeros_like(astronaut.pixels)))
    back = lost.push(astronaut)

    assert lost.view is None
    assert back.view is not None
    np.testing.assert_array_equal(back.live.identity, met.live.identity)
