# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching model files from an index that cuts, corrupts and refuses."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixel3dmm_blender.client.download import Download, fetch
from pixel3dmm_blender.client.index import IndexSettings, list_files
from pixel3dmm_blender.client.weights import (
    OPEN_MODELS,
    ModelFile,
    Wheel,
    download_size,
    fetch_models,
    licence_lines,
    missing_models,
)
from pixel3dmm_blender.wire.faults import Cancelled, DiskFull, DownloadFailed, WeightsCorrupt
from tests.fakes.index import FakeIndex, serve_index

HEAD = random.Random(1).randbytes(700_000)
NETWORK = random.Random(2).randbytes(300_000)
MEMBER = "nets/modules/face.tflite"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel_of(member: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(member, content)
    return packed.getvalue()


NETS = wheel_of(MEMBER, NETWORK)
HEAD_WHEEL = Wheel("head", "1.0", "head-1.0-py3-none-any.whl", sha256(HEAD), len(HEAD))
NETS_WHEEL = Wheel("nets", "2.0", "nets-2.0-cp311-linux.whl", sha256(NETS), len(NETS))
HEAD_FILE = ModelFile(HEAD_WHEEL.name, sha256(HEAD), len(HEAD), "Head", "CC0 1.0", HEAD_WHEEL)
NET_FILE = ModelFile(
    "face.tflite", sha256(NETWORK), len(NETWORK), "Network", "Apache-2.0", NETS_WHEEL, MEMBER
)
FILES = (HEAD_FILE, NET_FILE)


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with serve_index(FakeIndex({HEAD_WHEEL.name: HEAD, NETS_WHEEL.name: NETS})) as served:
        yield served


def silent(_fraction: float, _text: str) -> None:
    pass


def unheard(_present: int, _total: int) -> None:
    pass


def never() -> bool:
    return False


def fetch_all(folder: Path, index: FakeIndex) -> None:
    fetch_models(folder, silent, never, files=FILES, settings=index.settings)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_wheel_is_kept_whole_and_the_network_is_taken_out_of_its_own(
    tmp_path: Path, index: FakeIndex
) -> None:
    fetch_all(tmp_path / "models", index)

    assert names(tmp_path / "models") == {HEAD_WHEEL.name, "face.tflite"}
    assert (tmp_path / "models" / "face.tflite").read_bytes() == NETWORK
    assert missing_models(tmp_path / "models", FILES) == ()


def test_files_that_are_there_are_not_fetched_again(tmp_path: Path, index: FakeIndex) -> None:
    fetch_all(tmp_path, index)
    index.asked.clear()

    fetch_all(tmp_path, index)

    assert index.asked == []


def test_only_the_damaged_file_is_fetched_again(tmp_path: Path, index: FakeIndex) -> None:
    fetch_all(tmp_path, index)
    (tmp_path / "face.tflite").write_bytes(NETWORK[:-1] + b"?")
    index.asked.clear()

    fetch_all(tmp_path, index)

    assert [path for path, _ in index.asked] == ["/simple/nets/", f"/files/{NETS_WHEEL.name}"]
    assert missing_models(tmp_path, FILES) == ()


def test_both_forms_of_the_index_are_understood(tmp_path: Path, index: FakeIndex) -> None:
    index.as_json = True

    fetch_all(tmp_path, index)

    assert missing_models(tmp_path, FILES) == ()


def test_a_cut_download_goes_on_where_it_stopped(tmp_path: Path, index: FakeIndex) -> None:
    index.cut_after = [300_000]

    fetch_all(tmp_path, index)

    assert index.downloads()[:2] == ["", "bytes=300000-"]
    assert missing_models(tmp_path, FILES) == ()


def test_a_download_that_stays_cut_says_so_and_is_resumed_the_next_time(
    tmp_path: Path, index: FakeIndex
) -> None:
    index.cut_after = [300_000, 0]

    with pytest.raises(DownloadFailed, match="was cut"):
        fetch_all(tmp_path, index)
    assert names(tmp_path) == {f"{HEAD_WHEEL.name}.partial"}
    index.asked.clear()
    fetch_all(tmp_path, index)

    assert index.downloads()[0] == "bytes=300000-"
    assert missing_models(tmp_path, FILES) == ()


def test_a_server_without_ranges_starts_anew(tmp_path: Path, index: FakeIndex) -> None:
    index.knows_ranges = False
    index.cut_after = [300_000]

    fetch_all(tmp_path, index)

    assert (tmp_path / HEAD_WHEEL.name).read_bytes() == HEAD


def test_a_partial_file_that_is_too_long_is_thrown_away(tmp_path: Path, index: FakeIndex) -> None:
    (tmp_path / f"{HEAD_WHEEL.name}.partial").write_bytes(HEAD + b"more")

    fetch_all(tmp_path, index)

    assert (tmp_path / HEAD_WHEEL.name).read_bytes() == HEAD


def test_a_corrupt_file_is_refused_and_leaves_nothing(tmp_path: Path, index: FakeIndex) -> None:
    index.files[HEAD_WHEEL.name] = HEAD[:-1] + b"?"

    with pytest.raises(DownloadFailed, match="checksum"):
        fetch_all(tmp_path, index)

    assert names(tmp_path) == set()


def test_a_web_page_in_place_of_a_file_is_refused(tmp_path: Path, index: FakeIndex) -> None:
    index.as_web_page = True

    with pytest.raises(DownloadFailed, match="web page"):
        fetch_all(tmp_path, index)

    assert names(tmp_path) == set()


def test_a_network_with_another_checksum_is_refused(tmp_path: Path, index: FakeIndex) -> None:
    other = wheel_of(MEMBER, NETWORK[:-1] + b"?")
    index.files = {HEAD_WHEEL.name: HEAD, "nets-2.0-cp312-other.whl": other}

    with pytest.raises(WeightsCorrupt, match=r"face\.tflite"):
        fetch_all(tmp_path, index)

    assert names(tmp_path) == {HEAD_WHEEL.name}


def test_any_build_of_the_wheel_serves(tmp_path: Path, index: FakeIndex) -> None:
    index.files["nets-2.0-cp312-other.whl"] = NETS
    del index.files[NETS_WHEEL.name]

    fetch_all(tmp_path, index)

    assert missing_models(tmp_path, FILES) == ()


def test_an_archive_without_the_network_is_refused(tmp_path: Path, index: FakeIndex) -> None:
    index.files = {HEAD_WHEEL.name: HEAD, "nets-2.0-cp312-other.whl": wheel_of("a.txt", b"a")}

    with pytest.raises(DownloadFailed, match="archive"):
        fetch_all(tmp_path, index)

    assert names(tmp_path) == {HEAD_WHEEL.name}


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, index: FakeIndex) -> None:
    index.files = {HEAD_WHEEL.name: HEAD, "nets-2.0-cp312-other.whl": b"not a zip"}

    with pytest.raises(DownloadFailed, match="archive"):
        fetch_all(tmp_path, index)


def test_an_index_without_the_project_is_named_as_the_reason(
    tmp_path: Path, index: FakeIndex
) -> None:
    del index.files[NETS_WHEEL.name]

    with pytest.raises(DownloadFailed, match=r"does not have nets 2\.0") as refused:
        fetch_all(tmp_path, index)

    assert "by hand" in refused.value.hint


def test_an_index_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    nowhere = IndexSettings(indexes=("http://127.0.0.1:9/simple",))

    with pytest.raises(DownloadFailed, match="cannot be reached"):
        fetch_models(tmp_path, silent, never, files=FILES, settings=nowhere)


def test_a_file_that_the_server_lacks_is_a_sentence(tmp_path: Path, index: FakeIndex) -> None:
    asked = Download(f"{index.url}/files/other.whl", tmp_path / "other.whl")

    with pytest.raises(DownloadFailed, match="404"):
        fetch(asked, index.settings, unheard, never)


def test_an_unknown_kind_of_address_is_refused(tmp_path: Path) -> None:
    asked = Download("ftp://127.0.0.1/a.whl", tmp_path / "a.whl")

    with pytest.raises(DownloadFailed, match="kind of address"):
        fetch(asked, IndexSettings(), unheard, never)


def test_cancel_stops_in_the_middle_and_keeps_what_has_arrived(
    tmp_path: Path, index: FakeIndex
) -> None:
    seen: list[float] = []

    with pytest.raises(Cancelled):
        fetch_models(
            tmp_path,
            lambda fraction, _text: seen.append(fraction),
            lambda: bool(seen),
            files=FILES,
            settings=index.settings,
        )

    assert names(tmp_path) == {f"{HEAD_WHEEL.name}.partial"}
    assert 0 < (tmp_path / f"{HEAD_WHEEL.name}.partial").stat().st_size < len(HEAD)


def test_progress_rises_to_one_and_names_the_licence(tmp_path: Path, index: FakeIndex) -> None:
    seen: list[tuple[float, str]] = []

    fetch_models(
        tmp_path,
        lambda fraction, text: seen.append((fraction, text)),
        never,
        files=FILES,
        settings=index.settings,
    )

    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any("CC0 1.0" in text for _, text in seen)
    assert any("Apache-2.0" in text for _, text in seen)


def test_a_disk_without_room_is_a_sentence_before_the_first_byte(
    tmp_path: Path, index: FakeIndex
) -> None:
    asked = Download(f"{index.url}/files/{HEAD_WHEEL.name}", tmp_path / "big.whl", size=1 << 60)

    with pytest.raises(DiskFull, match="is full"):
        fetch(asked, index.settings, unheard, never)

    assert index.asked == []


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path, index: FakeIndex) -> None:
    (tmp_path / "models").write_text("a file stands where the folder should be")

    with pytest.raises(DiskFull, match="cannot be written"):
        fetch_all(tmp_path / "models", index)


def test_name_and_password_of_a_private_index_are_sent(tmp_path: Path, index: FakeIndex) -> None:
    index.password = "Basic dXNlcjpwQHNz"  # user:p@ss
    private = index.url.replace("http://", "http://user:p%40ss@")

    files = list_files("head", IndexSettings(indexes=(f"{private}/simple",)))

    assert [file.name for file in files] == [HEAD_WHEEL.name]


def test_a_folder_of_wheels_serves_without_any_index(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / HEAD_WHEEL.name).write_bytes(HEAD)
    settings = IndexSettings(indexes=(), wheel_folders=(tmp_path / "wheels",))

    fetch_models(tmp_path / "models", silent, never, files=(HEAD_FILE,), settings=settings)

    assert missing_models(tmp_path / "models", (HEAD_FILE,)) == ()


def test_a_second_index_is_asked_when_the_first_lacks_the_project(index: FakeIndex) -> None:
    with serve_index(FakeIndex()) as empty:
        both = IndexSettings(indexes=empty.settings.indexes + index.settings.indexes)

        files = list_files("head", both)

    assert [file.name for file in files] == [HEAD_WHEEL.name]


def test_a_page_that_is_no_list_of_files_is_a_sentence(tmp_path: Path, index: FakeIndex) -> None:
    (tmp_path / "head").mkdir()
    (tmp_path / "head" / "index.html").write_text("<p>nothing here</p>")
    local = IndexSettings(indexes=(tmp_path.as_uri(),))

    with pytest.raises(DownloadFailed, match="does not have"):
        fetch_models(tmp_path / "models", silent, never, files=(HEAD_FILE,), settings=local)


def test_the_open_models_say_what_they_are_and_on_which_terms() -> None:
    lines = licence_lines()

    assert len(OPEN_MODELS) == 3
    assert all("commercial use: yes" in line for line in lines)
    assert any("CC0 1.0" in line for line in lines)
    assert any("Apache-2.0" in line for line in lines)
    assert download_size(OPEN_MODELS) == 47_711_600 + 35_622_638
