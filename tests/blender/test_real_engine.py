# SPDX-License-Identifier: GPL-3.0-or-later
"""The button with the real engine: odd photos give the right head, bad ones the right sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="these tests need the bpy module (Blender as a wheel)")
Image = pytest.importorskip("PIL.Image", reason="odd photos are made with Pillow")

import numpy as np  # noqa: E402

import pixel3dmm_blender  # noqa: E402
from pixel3dmm_blender.rig.find import ROLE, Role  # noqa: E402
from pixel3dmm_blender.ui import engine as resident  # noqa: E402

ROOT = Path(__file__).parents[2]
ASTRONAUT = ROOT / "tests" / "data" / "astronaut.png"
ERROR_LIMIT_PERCENT = 0.85

pytestmark = pytest.mark.skipif(
    not os.environ.get("PIXEL3DMM_ENGINE_PYTHON"),
    reason="no engine: run through build.py, or set PIXEL3DMM_ENGINE_PYTHON and PIXEL3DMM_MODELS",
)


@pytest.fixture(scope="module", autouse=True)
def add_on() -> Iterator[None]:
    """Registered once, so that the engine stays resident over the tests of this file."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    pixel3dmm_blender.register()
    bpy.context.scene.pixel3dmm.texture_size = "0"
    yield
    pixel3dmm_blender.unregister()


@pytest.fixture
def portrait() -> Image.Image:
    return Image.open(ASTRONAUT).convert("RGB")


def reconstruct(path: Path) -> bpy.types.Object:
    """Press the button; returns the rig. Failures come as RuntimeError with the sentence."""
    bpy.context.scene.pixel3dmm.texture_size = "0"
    assert bpy.ops.pixel3dmm.reconstruct_face(filepath=str(path)) == {"FINISHED"}
    return next(each for each in bpy.data.objects if each.get(ROLE) == Role.RIG.value)


def with_alpha(photo: Image.Image) -> Image.Image:
    photo.putalpha(255)
    return photo


def in_16_bit_grey(photo: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(photo.convert("L"), np.uint16) * 257).astype(np.uint16))


def upside_down(photo: Image.Image) -> Image.Image:
    return photo.rotate(180)


@pytest.mark.parametrize("change", [with_alpha, in_16_bit_grey, upside_down])
def test_an_odd_photo_gives_the_right_head(
    change: Callable[[Image.Image], Image.Image], portrait: Image.Image, tmp_path: Path
) -> None:
    change(portrait).save(tmp_path / "odd.png")

    rig = reconstruct(tmp_path / "odd.png")

    assert rig["pixel3dmm_error_percent"] <= ERROR_LIMIT_PERCENT + 0.1


def test_an_enormous_photo_gives_the_right_head(portrait: Image.Image, tmp_path: Path) -> None:
    portrait.resize((12000, 9000)).crop((0, 0, 12000, 9000)).save(tmp_path / "huge.jpg", quality=80)

    rig = reconstruct(tmp_path / "huge.jpg")

    assert rig["pixel3dmm_error_percent"] <= 3.0  # the face is stretched to 4 : 3


def cut_jpeg(portrait: Image.Image, path: Path) -> None:
    portrait.save(path, quality=95)
    path.write_bytes(path.read_bytes()[:30_000])


def letter(_portrait: Image.Image, path: Path) -> None:
    path.write_text("Dear artist, this is no photo.")


def empty_wall(portrait: Image.Image, path: Path) -> None:
    Image.new("RGB", portrait.size, (120, 110, 90)).save(path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (cut_jpeg, "cut|end|truncated|whole"),
        (letter, "not a picture"),
        (empty_wall, "No face was found"),
    ],
)
def test_a_bad_photo_is_told_in_a_sentence_and_the_scene_stays_empty(
    make: Callable[[Image.Image, Path], None], sentence: str, portrait: Image.Image, tmp_path: Path
) -> None:
    path = tmp_path / "bad.jpg"
    make(portrait, path)

    with pytest.raises(RuntimeError, match=sentence) as caught:
        reconstruct(path)

    assert "Traceback" not in str(caught.value).split("Error:")[-1]
    assert not bpy.data.objects


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_engine_killed_in_mid_job_fails_the_job_and_the_next_one_works() -> None:
    reconstruct(ASTRONAUT)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    process = resident.process_id()

    def kill_soon() -> None:
        time.sleep(0.15)
        os.kill(process, signal.SIGKILL)

    threading.Thread(target=kill_soon).start()
    with pytest.raises(RuntimeError, match="The engine stopped in the middle"):
        reconstruct(ASTRONAUT)

    assert not bpy.data.objects
    assert reconstruct(ASTRONAUT)["pixel3dmm_error_percent"] <= ERROR_LIMIT_PERCENT
    assert resident.process_id() != process


def test_every_vertex_falls_where_the_solver_put_it(tmp_path: Path) -> None:
    """Blender's evaluation and camera against the mesh and camera that the engine writes itself."""
    reconstruct(ASTRONAUT)
    head = next(each for each in bpy.data.objects if each.get(ROLE) == Role.HEAD.value)
    head.modifiers["Subdivision"].show_viewport = False

    placed = projected(head, bpy.context.scene.camera)

    truth = solved_projection(tmp_path)
    assert placed.shape == truth.shape
    assert np.abs(placed - truth).max() < 0.5


def projected(head: bpy.types.Object, camera: bpy.types.Object) -> np.ndarray:
    from bpy_extras.object_utils import world_to_camera_view

    scene = bpy.context.scene
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    size = np.array([scene.render.resolution_x, scene.render.resolution_y])
    points = [
        world_to_camera_view(scene, camera, head.matrix_world @ each.co)
        for each in evaluated.data.vertices
    ]
    return np.array([[point.x, 1 - point.y] for point in points]) * size


def solved_projection(folder: Path) -> np.ndarray:
    """Project posed.obj (camera frame, metres) with the camera of track.json: no Blender in it."""
    command = [os.environ["PIXEL3DMM_ENGINE_PYTHON"], "-m", "server.batch", str(ASTRONAUT)]
    done = subprocess.run([*command, "--output", str(folder)], cwd=ROOT, check=False, timeout=120)
    assert done.returncode == 0
    lines = (folder / "astronaut" / "posed.obj").read_text().splitlines()
    rows = [line.split()[1:4] for line in lines if line.startswith("v ")]
    points = np.array(rows, np.float64)
    camera = json.loads((folder / "astronaut" / "track.json").read_text())["camera"]
    return camera["focal_px"] * points[:, :2] / points[:, 2:] + np.array(camera["center_px"])
