# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos as files that would hang, swell or lose their range if they were read carelessly."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixel3dmm_blender.wire import FootageUnreadable
from server.footage import read_photo


def refusal_of(path: Path) -> FootageUnreadable:
    with pytest.raises(FootageUnreadable) as caught:
        read_photo(path)
    return caught.value


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")

    assert "is no file" in refusal_of(tmp_path / "pipe.jpg").message


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_float_grey_keeps_its_range_and_survives_what_is_no_number(tmp_path, white):
    values = np.linspace(0, white, 256, dtype=np.float32)[None].repeat(4, 0)
    values[1, :2] = np.nan, np.inf
    Image.fromarray(values).save(tmp_path / "float.tif")

    pixels = read_photo(tmp_path / "float.tif").pixels

    assert np.array_equal(pixels[0, :, 0], np.arange(256))
    assert (pixels[1, :2] == 0).all()


def test_an_enormous_file_that_is_no_picture_is_not_read_whole(tmp_path):
    with (tmp_path / "video.jpg").open("wb") as file:
        file.truncate(1 << 40)

    assert "not a picture" in refusal_of(tmp_path / "video.jpg").message


@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_a_large_photo_does_not_stand_in_memory_several_times(tmp_path, mode):
    Image.new(mode, (4000, 3000)).save(tmp_path / "large.png", compress_level=1)
    tracemalloc.start()

    read_photo(tmp_path / "large.png")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 4000 * 3000 * 3  # numpy's share: the frame, and one band at a time
