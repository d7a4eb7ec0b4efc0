# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing in the background, and what the panel says before anything can work."""

from __future__ import annotations

import time
from pathlib import Path

import bpy
import numpy as np
import pytest

from pixel3dmm_blender.motion.png import encode_png
from pixel3dmm_blender.ui import footage, installing, jobs
from pixel3dmm_blender.ui.installing import InstallJob
from pixel3dmm_blender.ui.operators.reconstruct import what_hinders
from pixel3dmm_blender.ui.preferences import Settings
from pixel3dmm_blender.wire import Cancelled, DownloadFailed, FootageUnreadable


def slow_download(folder, progress, cancelled, **_rest) -> None:
    """Take for ever, like the real one on a bad line, but listen."""
    progress(0.5, "MakeHuman head, CC0: 20 of 40 MB")
    while not cancelled():
        time.sleep(0.005)
    raise Cancelled("Cancelled.")


@pytest.fixture
def no_engine(monkeypatch):
    monkeypatch.setattr(installing, "make_engine", lambda *_: None)


def pump_until(condition) -> None:
    until = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < until
        jobs.pump()
        time.sleep(0.002)


def test_installing_shows_its_progress_and_can_be_cancelled(add_on, no_engine, monkeypatch) -> None:
    monkeypatch.setattr(installing, "fetch_models", slow_download)
    job = InstallJob(Settings())
    jobs.start(job)

    pump_until(lambda: "20 of 40 MB" in job.stage)
    assert 0.8 < job.fraction < 0.95
    bpy.ops.pixel3dmm.cancel()
    pump_until(lambda: jobs.running() is None)

    assert isinstance(jobs.last_error(), Cancelled)


def test_a_download_that_fails_says_why(add_on, no_engine, monkeypatch) -> None:
    def fail(*_given, **_rest) -> None:
        raise DownloadFailed("The package index cannot be reached.", "Check the network.")

    monkeypatch.setattr(installing, "fetch_models", fail)
    jobs.start(InstallJob(Settings()))

    error = jobs.finish()

    assert isinstance(error, DownloadFailed)
    assert "Check the network" in str(error)


def test_disabling_the_extension_stops_an_installation(scene, no_engine, monkeypatch) -> None:
    import pixel3dmm_blender

    monkeypatch.setattr(installing, "fetch_models", slow_download)
    pixel3dmm_blender.register()
    job = InstallJob(Settings())
    jobs.start(job)
    pump_until(lambda: "MB" in job.stage)

    pixel3dmm_blender.unregister()

    assert jobs.running() is None


def test_the_panels_button_wants_a_photo_but_a_script_brings_its_own(engine) -> None:
    window = bpy.context.window_manager.windows[0]
    area = next(each for each in window.screen.areas if each.type == "VIEW_3D")
    region = next(each for each in area.regions if each.type == "UI")

    assert what_hinders(bpy.context) == ""
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert what_hinders(bpy.context) == "Choose a photo first"
        assert not bpy.ops.pixel3dmm.reconstruct_face.poll()
        bpy.context.scene.pixel3dmm.filepath = "/some/photo.jpg"
        assert bpy.ops.pixel3dmm.reconstruct_face.poll()


def test_a_remote_engine_gets_pixels_top_row_first(add_on, monkeypatch, tmp_path: Path) -> None:
    remote = Settings(command_prefix=("ssh", "box"))
    monkeypatch.setattr(footage, "read_settings", lambda: remote)
    pixels = np.random.default_rng(5).integers(0, 256, (6, 9, 3)).astype(np.uint8)
    (tmp_path / "photo.png").write_bytes(encode_png(pixels))

    sent = footage.read_footage(tmp_path / "photo.png", 0.0)

    assert sent.path == ""
    np.testing.assert_array_equal(sent.pixels, pixels)
    assert len(bpy.data.images) == 0


def test_a_text_file_for_a_remote_engine_is_refused(add_on, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(footage, "read_settings", lambda: Settings(command_prefix=("ssh",)))
    (tmp_path / "photo.jpg").write_text("hello")

    with pytest.raises(FootageUnreadable):
        footage.read_footage(tmp_path / "photo.jpg", 0.0)

    assert len(bpy.data.images) == 0
