# SPDX-License-Identifier: GPL-3.0-or-later
"""The button, with an engine process that follows a script: success, failure, loss, cancel, undo."""

from __future__ import annotations

import os
import signal
import time

import bpy
import pytest

from pixel3dmm_blender.ui import engine as resident
from pixel3dmm_blender.ui import jobs, paths, reports
from pixel3dmm_blender.ui.tracking import TrackJob, Wish
from pixel3dmm_blender.wire import Cancelled, EngineLost, NoFaceFound


def scene_contents() -> list[str]:
    return sorted(each.name for each in bpy.data.objects)


def pump_until(condition, limit_s: float = 10.0) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < limit_s
        jobs.pump()
        time.sleep(0.002)
    return time.monotonic() - begun


def start(path) -> TrackJob:
    job = TrackJob(Wish(path, 64, 0.0, 0.0))
    jobs.start(job)
    return job


def test_one_call_builds_the_whole_person(engine, photo) -> None:
    assert bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada"))) == {"FINISHED"}

    assert scene_contents() == ["ada Camera", "ada Head", "ada Rig"]
    assert [each.name for each in bpy.data.collections["ada"].objects]
    assert bpy.data.objects["ada Rig"]["pixel3dmm_seconds"] > 0.0
    assert bpy.context.view_layer.objects.active == bpy.data.objects["ada Head"]
    assert jobs.last_error() is None


def test_the_panels_field_is_used_when_no_path_is_given(engine, photo) -> None:
    bpy.context.scene.pixel3dmm.filepath = str(photo("tall"))

    bpy.ops.pixel3dmm.reconstruct_face()

    render = bpy.context.scene.render
    assert (render.resolution_x, render.resolution_y) == (480, 640)


def test_a_path_beside_the_blend_file_is_found(engine, photo, tmp_path) -> None:
    photo("ada")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))

    bpy.ops.pixel3dmm.reconstruct_face(filepath="//ada.png")

    assert "ada Head" in bpy.data.objects


def test_without_a_photo_the_operator_says_so(engine) -> None:
    with pytest.raises(RuntimeError, match="no photo yet"):
        bpy.ops.pixel3dmm.reconstruct_face()


def test_a_photo_that_is_not_there_is_named(engine, tmp_path) -> None:
    with pytest.raises(RuntimeError, match=r"There is no file .*gone\.png"):
        bpy.ops.pixel3dmm.reconstruct_face(filepath=str(tmp_path / "gone.png"))

    assert not resident.is_running()


def test_a_photo_whose_name_is_too_long_is_named(engine, tmp_path) -> None:
    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.pixel3dmm.reconstruct_face(filepath=str(tmp_path / ("x" * 300 + ".png")))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names")
def test_a_photo_whose_name_is_no_text_is_reconstructed(engine, photo) -> None:
    odd = photo("ada").with_name(os.fsdecode(b"ad\xe4.png"))
    photo("ada").rename(odd)

    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(odd))

    assert "ad? Head" in bpy.data.objects


def test_an_engine_whose_log_cannot_be_written_works(engine, photo, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(paths, "log", lambda: tmp_path / "file" / "engine.log")

    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada")))

    assert "ada Head" in bpy.data.objects


def test_a_fault_becomes_a_sentence_and_a_hint(engine, photo) -> None:
    with pytest.raises(RuntimeError, match=r"No face was found in fault\.png\. Try another\."):
        bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("fault")))

    error = jobs.last_error()
    assert isinstance(error, NoFaceFound)
    assert error.detail == "trace"
    assert scene_contents() == []
    assert "trace" in reports.diagnose(error)


def test_an_engine_that_dies_is_reported_and_replaced(engine, photo) -> None:
    with pytest.raises(RuntimeError, match="The engine stopped"):
        bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("die")))
    assert isinstance(jobs.last_error(), EngineLost)
    assert scene_contents() == []

    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada")))

    assert "ada Head" in bpy.data.objects


def test_an_engine_killed_from_outside_in_mid_job_is_reported(engine, photo) -> None:
    job = start(photo("slow"))
    pump_until(lambda: job.stage == "Finding the face")

    os.kill(resident.process_id(), signal.SIGKILL)
    pump_until(lambda: jobs.running() is None)

    assert isinstance(jobs.last_error(), EngineLost)
    assert scene_contents() == []


def test_the_engine_stays_for_the_next_photo(engine, photo) -> None:
    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada")))
    first = resident.process_id()

    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("bob")))

    assert resident.process_id() == first
    assert resident.ready() is not None
    assert resident.ready().heads == ("synthetic",)


def test_cancel_is_obeyed_within_half_a_second(engine, photo) -> None:
    job = start(photo("slow"))
    pump_until(lambda: job.stage == "Finding the face")
    first = resident.process_id()

    assert bpy.ops.pixel3dmm.cancel() == {"FINISHED"}
    waited = pump_until(lambda: jobs.running() is None)

    assert waited < 0.5
    assert isinstance(jobs.last_error(), Cancelled)
    assert scene_contents() == []
    assert resident.process_id() == first
    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada")))
    assert "ada Head" in bpy.data.objects


def test_an_engine_that_ignores_cancel_is_left_within_half_a_second(engine, photo) -> None:
    job = start(photo("stubborn"))
    pump_until(lambda: job.stage == "Finding the face")
    first = resident.process_id()

    job.cancel()
    waited = pump_until(lambda: jobs.running() is None)

    assert waited < 0.5
    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada")))
    assert resident.process_id() != first


def test_cancel_before_the_engine_has_answered_is_obeyed(engine, photo) -> None:
    job = start(photo("slow"))
    jobs.pump()
    job.cancel()

    assert pump_until(lambda: jobs.running() is None) < 0.5
    assert isinstance(jobs.last_error(), Cancelled)


def test_an_engine_of_another_version_is_refused(engine, photo, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_PROTOCOL", "99")

    with pytest.raises(RuntimeError, match="another version"):
        bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada")))


def test_one_undo_step_takes_the_person_away_and_one_redo_brings_it_back(engine, photo) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="Cube")
    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada")))
    assert "ada Head" in bpy.data.objects

    bpy.ops.ed.undo()

    assert scene_contents() == ["Cube"]
    assert "ada" not in bpy.data.collections
    bpy.ops.ed.redo()
    assert "ada Head" in bpy.data.objects
    assert bpy.data.objects["ada Head"].data.shape_keys.key_blocks["jawOpen"].value > 0.2


def test_a_scene_in_edit_mode_is_no_obstacle_in_the_background(engine, photo) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")

    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada")))

    assert "ada Head" in bpy.data.objects
    assert bpy.context.mode == "OBJECT"


def test_opening_another_file_ends_the_job(engine, photo) -> None:
    job = start(photo("slow"))
    pump_until(lambda: job.stage == "Finding the face")

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)

    assert jobs.running() is None
    assert scene_contents() == []


def test_a_clip_becomes_keyframes(engine, photo) -> None:
    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("clip")))

    (action,) = bpy.data.actions
    assert bpy.data.objects["clip Rig"].animation_data.action == action
    assert bpy.context.scene.frame_end == 20


def test_stopping_the_engine_ends_its_process(engine, photo) -> None:
    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("ada")))
    number = resident.process_id()

    bpy.ops.pixel3dmm.stop_engine()

    begun = time.monotonic()
    while time.monotonic() - begun < 3.0:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            break
        time.sleep(0.02)
    else:
        pytest.fail("the engine still runs")


def test_no_pump_lasts_longer_than_a_redraw_while_the_engine_works(engine, photo) -> None:
    bpy.ops.pixel3dmm.reconstruct_face(filepath=str(photo("warm")))
    job = start(photo("slow"))
    taken: list[float] = []
    for _ in range(100):
        begun = time.perf_counter()
        jobs.pump()
        taken.append(time.perf_counter() - begun)
        time.sleep(0.002)
    job.cancel()
    pump_until(lambda: jobs.running() is None)

    assert sorted(taken)[-4] < 0.05  # other programs may take the processor three times


def test_diagnostics_name_versions_and_places(engine) -> None:
    text = reports.diagnose(None)

    assert bpy.app.version_string in text
    assert str(engine / "python") in text
