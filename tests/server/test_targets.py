# SPDX-License-Identifier: GPL-3.0-or-later
"""Sculpt targets as text and gzip, whole and damaged."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from pixel3dmm_blender.wire import WeightsCorrupt
from server.heads.targets import read_target

TEXT = b"# a comment\n3 .1 -.2 0\n1 0 0 1e-1\n"


def test_a_plain_target_is_read():
    offsets = read_target(TEXT, "plain")

    np.testing.assert_array_equal(offsets.vertices, [1, 3])
    np.testing.assert_allclose(offsets.offsets, [[0, 0, 0.1], [0.1, -0.2, 0]])


def test_a_gzipped_target_is_the_same():
    plain, zipped = read_target(TEXT, "plain"), read_target(gzip.compress(TEXT), "zipped")

    np.testing.assert_array_equal(plain.vertices, zipped.vertices)
    np.testing.assert_array_equal(plain.offsets, zipped.offsets)


def test_vertices_that_are_not_listed_stay():
    dense = read_target(TEXT, "plain").dense(5)

    assert dense.shape == (5, 3)
    np.testing.assert_array_equal(dense[[0, 2, 4]], 0.0)


def test_an_empty_target_moves_nothing():
    assert len(read_target(b"# nothing\n", "empty").vertices) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"1 0.5 0.5\n",
        b"one 0 0 0\n",
        b"1.5 0 0 0\n",
        b"-1 0 0 0\n",
        b"\xff\xfe\x00",
        gzip.compress(TEXT)[:-9],
        gzip.compress(TEXT)[:12],
    ],
)
def test_a_damaged_target_is_refused_by_name(content: bytes):
    with pytest.raises(WeightsCorrupt, match="nose-hump"):
        read_target(content, "nose-hump")
