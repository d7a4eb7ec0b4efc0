# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG out, EXIF orientation in: checked by a decoder that is not ours."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from pixel3dmm_blender.motion.exif import read_orientation, turn_upright
from pixel3dmm_blender.motion.png import encode_png

Image = pytest.importorskip("PIL.Image", reason="Pillow decodes what we encode")
ImageOps = pytest.importorskip("PIL.ImageOps", reason="as above")


@pytest.mark.parametrize("channels", [3, 4])
def test_another_decoder_reads_our_png(channels: int) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (5, 7, channels)).astype(np.uint8)

    decoded = Image.open(io.BytesIO(encode_png(pixels)))

    np.testing.assert_array_equal(np.asarray(decoded), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_its_exif_says(orientation: int, tmp_path: Path) -> None:
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:8, :8] = 255
    stored[8:, 16:] = 90
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    Image.fromarray(stored).save(path, exif=exif, quality=100, subsampling=0)

    assert read_orientation(path) == orientation
    with Image.open(path) as photo:
        upright = np.asarray(ImageOps.exif_transpose(photo))
        np.testing.assert_array_equal(turn_upright(np.asarray(photo), orientation), upright)


def test_a_file_without_exif_stands_upright(tmp_path: Path) -> None:
    for name, content in {
        "no.jpg": b"\xff\xd8\xff\xdb\x00\x04ab\xff\xda",
        "cut.jpg": b"\xff\xd8\xff\xe1\x00\x40Exif\0\0II*\0",
        "text.jpg": b"hello",
        "empty.jpg": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert read_orientation(tmp_path / name) == 1
    assert read_orientation(tmp_path / "not there.jpg") == 1
