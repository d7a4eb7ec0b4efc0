# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked: numbers at the edge are met, those beyond are refused in a sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pixel3dmm_blender.wire import Footage, FootageUnreadable, StreamCorrupt, TrackFace
from server.limits import check_request


@pytest.mark.parametrize("millimetres", [0.0, 8.0, 50.0, 1200.0])
def test_a_lens_that_can_be_is_accepted(millimetres: float) -> None:
    check_request(TrackFace(footage=Footage(path="a.jpg", focal_35mm=millimetres)))


@pytest.mark.parametrize("millimetres", [-50.0, 1e-9, 1.0, 1e9, math.inf, -math.inf, math.nan])
def test_a_lens_that_cannot_be_is_refused_with_what_to_type(millimetres: float) -> None:
    request = TrackFace(footage=Footage(path="a.jpg", focal_35mm=millimetres))

    with pytest.raises(FootageUnreadable, match="cannot be") as caught:
        check_request(request)

    assert "8 to 1200 mm" in caught.value.hint


@pytest.mark.parametrize(
    "footage",
    [
        Footage(path="a.mp4", step=0),
        Footage(path="a.mp4", step=-1),
        Footage(path="a.mp4", first=-1),
        Footage(path="a.mp4", first=3, last=2),
        Footage(pixels=np.zeros((0, 5, 3), np.uint8)),
    ],
)
def test_frames_that_cannot_be_are_refused(footage: Footage) -> None:
    with pytest.raises(FootageUnreadable):
        check_request(TrackFace(footage=footage))


def test_one_frame_of_a_clip_is_accepted() -> None:
    check_request(TrackFace(footage=Footage(path="a.mp4", first=3, last=3)))


@pytest.mark.parametrize("size", [-5, 1, 100_000])
def test_a_texture_of_no_use_is_refused_before_memory_is_taken(size: int) -> None:
    with pytest.raises(StreamCorrupt, match="texture"):
        check_request(TrackFace(footage=Footage(path="a.jpg"), texture_size=size))


@pytest.mark.parametrize("strength", [-0.1, 1.1, math.inf, math.nan])
def test_personal_shape_outside_0_to_1_is_refused(strength: float) -> None:
    with pytest.raises(StreamCorrupt, match="Personal shape"):
        check_request(TrackFace(footage=Footage(path="a.jpg"), personal_shape=strength))
