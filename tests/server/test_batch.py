# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine without Blender: what lies in the folders afterwards, and how failures are told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from pixel3dmm_blender.wire import Footage, Tracked, TrackFace
from server.batch import Order, run_apart
from server.engine import Engine
from server.output import Extras

REPOSITORY = Path(__file__).parents[2]
PHOTO_FILES = {"posed.obj", "neutral.obj", "overlay.png", "track.json"}


@dataclass(frozen=True)
class Run:
    """One call of the command line."""

    status: int
    said: str
    complained: str


def run_batch(models: Path, *arguments: str | Path) -> Run:
    done = subprocess.run(
        [sys.executable, "-m", "server.batch", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "PIXEL3DMM_MODELS": str(models), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def mixed(
    models: Path, astronaut_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Path]:
    """A good photo between a text file and a truncated one."""
    folder = tmp_path_factory.mktemp("batch")
    text, cut, good = folder / "letter.jpg", folder / "cut.png", folder / "portrait.png"
    text.write_text("Dear artist,")
    cut.write_bytes(astronaut_path.read_bytes()[:100_000])
    shutil.copy(astronaut_path, good)
    return run_batch(models, text, good, cut, "--output", folder / "out"), folder / "out"


def test_a_failed_input_is_named_with_its_reason_and_does_not_stop_the_others(
    mixed: tuple[Run, Path],
) -> None:
    run, output = mixed

    assert run.status == 1
    assert "letter.jpg: " in run.complained
    assert "cut.png: " in run.complained
    assert "2 of 3 inputs failed" in run.complained
    assert "Traceback" not in run.complained
    assert [folder.name for folder in output.iterdir()] == ["portrait"]


def test_a_photo_leaves_meshes_overlay_and_track(mixed: tuple[Run, Path]) -> None:
    _, output = mixed

    assert {file.name for file in (output / "portrait").iterdir()} >= PHOTO_FILES


def test_the_posed_mesh_projects_onto_the_fitted_face(mixed: tuple[Run, Path]) -> None:
    _, output = mixed
    track = json.loads((output / "portrait" / "track.json").read_text())
    camera = track["camera"]

    points = read_vertices(output / "portrait" / "posed.obj")
    x, y, z = points.T
    across = camera["focal_px"] * x / z + camera["center_px"][0]
    down = camera["focal_px"] * y / z + camera["center_px"][1]

    assert z.min() > 0.3
    assert 150 < np.median(across) < 300  # where the astronaut's head is in the picture
    assert 0 < np.median(down) < 230


def test_the_neutral_mesh_is_a_head_in_metres(mixed: tuple[Run, Path]) -> None:
    _, output = mixed

    points = read_vertices(output / "portrait" / "neutral.obj")

    assert 0.2 < np.ptp(points[:, 1]) < 0.45


def test_all_well_is_exit_code_0_and_same_person_shares_an_identity(
    models: Path, astronaut_path: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "twin.png"
    shutil.copy(astronaut_path, twin)

    run = run_batch(models, astronaut_path, twin, "--same-person", "--output", tmp_path / "out")

    tracks = [
        json.loads((tmp_path / "out" / name / "track.json").read_text())
        for name in ("astronaut", "twin")
    ]
    assert run.status == 0, run.complained
    assert tracks[0]["identity"] == tracks[1]["identity"]


def test_two_files_of_one_name_do_not_overwrite_each_other(
    models: Path, astronaut_path: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "other" / astronaut_path.name
    twin.parent.mkdir()
    shutil.copy(astronaut_path, twin)

    run = run_batch(models, astronaut_path, twin, "--output", tmp_path / "out")

    assert run.status == 0, run.complained
    assert sorted(folder.name for folder in (tmp_path / "out").iterdir()) == [
        "astronaut-1",
        "astronaut-2",
    ]


def folders(*names: str) -> list[str]:
    files = tuple(Path(name) for name in names)
    order = Order(files, Path("out"), TrackFace(footage=Footage()), False, Extras(), Path("models"))
    return [order.folder(file).as_posix() for file in files]


def test_every_input_has_its_own_folder_whatever_the_names_are() -> None:
    assert folders("a.jpg", "b.c.png") == ["out/a", "out/b.c"]
    assert folders("a.jpg", "a.png", "a-1.jpg") == ["out/a-1-", "out/a-2", "out/a-1"]


def test_a_name_of_dots_does_not_lead_out_of_the_output_folder() -> None:
    assert folders("...jpg") == ["out/footage"]
    assert folders("..jpg") == ["out/footage"]


def test_a_mistake_of_the_engine_in_one_input_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stumble(*_: object) -> Tracked:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("server.batch.track_face", stumble)
    files = (Path("a.jpg"), Path("b.jpg"))
    order = Order(files, Path("out"), TrackFace(footage=Footage()), False, Extras(), Path("models"))

    assert run_apart(order, Engine(Path("models"))) == 2

    complaint = capsys.readouterr().err
    assert "b.jpg: The engine made a mistake: ZeroDivisionError" in complaint


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names")
def test_a_name_that_the_console_cannot_show_is_no_obstacle(tmp_path: Path) -> None:
    run = run_batch(tmp_path, os.fsdecode(b"\xe4.jpg"), "\U0001f600.jpg", "--output", tmp_path)

    assert run.status == 1
    assert "2 of 2 inputs failed" in run.complained
    assert "Traceback" not in run.complained


def test_a_clip_leaves_one_archive_of_all_frames_and_a_mesh_for_each(
    models: Path, astronaut_path: Path, tmp_path: Path
) -> None:
    clip = make_clip(astronaut_path, tmp_path / "clip.mp4", frames=4)

    run = run_batch(models, clip, "--meshes", "--overlays", "--output", tmp_path / "out")

    assert run.status == 0, run.complained
    with np.load(tmp_path / "out" / "clip" / "track.npz", allow_pickle=False) as track:
        assert track["expression"].shape == (4, len(track["expression_names"]))
        assert track["valid"].all()
    assert len(list((tmp_path / "out" / "clip" / "meshes").glob("*.obj"))) == 4
    with av.open(str(tmp_path / "out" / "clip" / "overlay.mp4")) as movie:
        assert sum(1 for _ in movie.decode(video=0)) == 4


def make_clip(photo: Path, path: Path, frames: int) -> Path:
    import av
    from PIL import Image

    picture = Image.open(photo).convert("RGB")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.bit_rate = 512, 512, 8_000_000
        for index in range(frames):
            moved = picture.transform(
                picture.size, Image.Transform.AFFINE, (1, 0, 2 * index, 0, 1, 0)
            )
            container.mux(stream.encode(av.VideoFrame.from_image(moved)))
        container.mux(stream.encode())
    return path


def read_vertices(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    lines = (line.split() for line in path.read_text().splitlines() if line.startswith("v "))
    return np.array([[float(part) for part in line[1:4]] for line in lines])
