# SPDX-License-Identifier: GPL-3.0-or-later
"""Network files: read by hand, refused when damaged, and run to the same numbers as the original."""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pixel3dmm_blender.wire import WeightsCorrupt, WeightsMissing
from server.detect.attention import landmarks_to_matrix, transform_landmarks, transform_tensor
from server.detect.crop import Picture, Square
from server.detect.detector import FaceDetector
from server.detect.executor import Network
from server.detect.landmarks import read_mesh
from server.detect.tflite import LayerKind, Patch, parse_tflite
from server.detect.topology import LEFT_EYE_REGION, LIPS, RIGHT_EYE_REGION
from server.detect.weights import FACE_BOX, FACE_MESH, WeightsFile, read_weights
from server.footage import Frame

ORIGINAL_PX = {
    1: (223.45, 130.02),
    10: (226.26, 71.69),
    33: (195.21, 100.92),
    61: (201.81, 139.22),
    133: (213.35, 103.71),
    152: (221.27, 177.44),
    234: (179.37, 109.95),
    263: (255.76, 104.28),
    291: (244.99, 140.99),
    362: (237.03, 104.94),
    454: (270.22, 115.46),
    468: (203.48, 101.10),
    473: (246.59, 103.47),
    13: (223.48, 143.24),
    14: (222.96, 150.08),
}
"""Landmarks of the astronaut by the original: mediapipe 0.10.21, ``solutions.face_mesh.FaceMesh(static_image_mode=True,
refine_landmarks=True)``, x and y times 512, rounded to 0.01."""
ORIGINAL_CROP = Square(225.2374, 130.5433, 1.5 * 95.3443, 0.0943887)
"""The crop that it took there: its detector's box x 1.5, eyes level."""


@pytest.fixture(scope="module")
def mesh(models: Path) -> Network:
    return Network(read_weights(models, FACE_MESH), torch.device("cpu"))


def test_the_networks_outputs_have_the_shapes_they_should(models, mesh):
    boxes = Network(read_weights(models, FACE_BOX), torch.device("cpu"))

    assert [tuple(output.shape) for output in boxes.run(torch.zeros(2, 3, 128, 128))] == [
        (2, 896, 16),
        (2, 896, 1),
    ]
    widths = [1404, 160, 142, 142, 10, 10, 1]
    assert [tuple(output.shape) for output in mesh.run(torch.zeros(2, 3, 192, 192))] == [
        (2, n) for n in widths
    ]


def test_the_landmarks_are_those_of_the_original(mesh, astronaut):
    # The original samples crop pixel i at corner + i * step and calls the first pixel's centre (0, 0); we sample at
    # corner + (i + 0.5) * step and call it (0.5, 0.5). Moving the crop makes both see the same pixels.
    step = ORIGINAL_CROP.side / mesh.side
    moved = ORIGINAL_CROP.moved(-0.5 / mesh.side, -0.5 / mesh.side, 1.0, 0.0)
    same = Square(moved.center_x + 0.5, moved.center_y + 0.5, moved.side, moved.angle_rad)
    assert step < 1.0  # no averaging, which the original does not do

    (points,) = read_mesh(Picture(astronaut.pixels), [same], mesh).points

    found = ORIGINAL_CROP.to_source(points[list(ORIGINAL_PX)])
    assert np.linalg.norm(found - np.array(list(ORIGINAL_PX.values())), axis=1).max() < 0.05


def test_a_batch_gives_what_each_picture_gives_alone(mesh):
    pictures = torch.rand(3, 3, mesh.side, mesh.side, generator=torch.Generator().manual_seed(5))

    together = mesh.run(pictures)

    for i in range(3):
        for whole, alone in zip(together, mesh.run(pictures[i : i + 1]), strict=True):
            assert torch.allclose(whole[i], alone[0], atol=2e-3)


def test_the_heads_refine_the_landmarks_that_the_topology_says(models):
    layers = parse_tflite(read_weights(models, FACE_MESH)).layers

    patches = [layer.options for layer in layers if layer.kind is LayerKind.LANDMARKS_TO_MATRIX]

    lists = [patch.landmarks for patch in patches if isinstance(patch, Patch)]
    assert lists == [LIPS, RIGHT_EYE_REGION, LEFT_EYE_REGION]


def test_running_leaves_the_number_of_threads_alone(mesh):
    before = torch.get_num_threads()

    mesh.run(torch.zeros(1, 3, mesh.side, mesh.side))

    assert torch.get_num_threads() == before


# The attention operators on cases with a known answer


PATCH = Patch(size=(4, 4), scale=(1.5, 1.5), landmarks=(0, 1, 2, 3), horizon=(0, 1))


def corners(angle: float) -> torch.Tensor:
    """Corners of a 4 x 2 box around (20, 10), turned; the first two lie level in it."""
    box = torch.tensor([[-2.0, -1.0], [2.0, -1.0], [2.0, 1.0], [-2.0, 1.0]])
    c, s = np.cos(angle), np.sin(angle)
    turned = box @ torch.tensor([[c, s], [-s, c]], dtype=torch.float32) + torch.tensor([20.0, 10.0])
    return torch.cat([turned, torch.zeros(4, 1)], 1)[None]


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
def test_a_patch_frames_its_landmarks_level(angle):
    points = corners(angle)

    matrix = landmarks_to_matrix(points, PATCH)

    # The box fills two thirds of the 4 x 4 patch: from 2 - 4/3 to 2 + 4/3 in both directions.
    near, far = 2 - 4 / 3, 2 + 4 / 3
    inside = torch.tensor([[[near, near], [far, near], [far, far], [near, far]]])
    assert torch.allclose(transform_landmarks(inside, matrix), points[..., :2], atol=1e-4)


def test_a_patch_is_cut_bilinearly_and_is_zero_outside():
    x = torch.arange(8.0).expand(1, 1, 8, 8) + 0.5  # value = x coordinate
    matrix = torch.eye(4)[None].clone()
    matrix[0, 0, 3] = 6.25

    cut = transform_tensor(x, matrix, Patch(size=(1, 3)))

    assert torch.allclose(cut[0, 0, 0], torch.tensor([6.75, 0.0, 0.0]))


# Files that are not what they should be


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(WeightsMissing, match=r"face_detection_short_range\.tflite"):
        FaceDetector(tmp_path)


def test_weights_with_another_checksum_are_refused_before_they_are_parsed(models, tmp_path):
    for file in (FACE_BOX, FACE_MESH):
        shutil.copy(models / file.name, tmp_path)
    content = bytearray((tmp_path / FACE_MESH.name).read_bytes())
    content[1_000_000] ^= 1
    (tmp_path / FACE_MESH.name).write_bytes(content)

    with pytest.raises(WeightsCorrupt, match=FACE_MESH.name):
        FaceDetector(tmp_path)


def test_read_weights_returns_the_file_it_checked(tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"content")
    file = WeightsFile("a.tflite", hashlib.sha256(b"content").hexdigest())

    assert read_weights(tmp_path, file) == b"content"


@pytest.mark.parametrize(
    "content",
    [b"", b"TFL3", b"\x00" * 64, b"<html>Not found</html>" * 9, b"\x1c\0\0\0TFL3" + b"\xff" * 400],
)
def test_garbage_is_refused(content):
    with pytest.raises(WeightsCorrupt):
        parse_tflite(content)


def test_a_truncated_network_is_refused(models):
    content = read_weights(models, FACE_BOX)

    for share in (0.999, 0.9, 0.5, 0.1, 0.01):
        with pytest.raises(WeightsCorrupt):
            parse_tflite(content[: int(len(content) * share)])


def test_scrambled_networks_are_refused_or_read_but_never_crash(models):
    content = read_weights(models, FACE_BOX)
    chance = random.Random(3)

    for _ in range(150):
        scrambled = bytearray(content)
        for _ in range(6):
            scrambled[chance.randrange(len(content) - 40_000, len(content))] = chance.randrange(256)
        try:
            Network(bytes(scrambled), torch.device("cpu"))
        except WeightsCorrupt as error:
            assert error.hint


def test_a_reduction_is_the_mean_of_the_pixels_it_covers(astronaut: Frame):
    picture = Picture(astronaut.pixels)

    half, eighth = picture.reduced(2), picture.reduced(8)

    assert half.shape == (256, 256, 3)
    assert (
        np.abs(half.astype(float) - astronaut.pixels.reshape(256, 2, 256, 2, 3).mean((1, 3))).max()
        <= 1.0
    )
    assert (
        np.abs(eighth.astype(float) - astronaut.pixels.reshape(64, 8, 64, 8, 3).mean((1, 3))).max()
        <= 1.5
    )
