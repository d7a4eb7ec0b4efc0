# SPDX-License-Identifier: GPL-3.0-or-later
"""Enabling and disabling leaves Blender as it was."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import bpy
import pytest

import pixel3dmm_blender
from pixel3dmm_blender.addon import CLASSES


def known_types() -> set[str]:
    return {name for name in dir(bpy.types) if "PIXEL3DMM" in name.upper()}


def test_registering_twice_leaves_no_type_behind() -> None:
    before = set(dir(bpy.types))
    for _ in range(2):
        pixel3dmm_blender.register()
        assert len(known_types()) >= len(CLASSES) - 2
        assert hasattr(bpy.types.Scene, "pixel3dmm")
        pixel3dmm_blender.unregister()

    assert set(dir(bpy.types)) == before
    assert not hasattr(bpy.types.Scene, "pixel3dmm")


def test_no_handler_and_no_timer_is_left_behind() -> None:
    from pixel3dmm_blender.ui import jobs

    before = list(bpy.app.handlers.load_pre)
    pixel3dmm_blender.register()
    bpy.app.timers.register(jobs.pump, first_interval=1000.0, persistent=True)

    pixel3dmm_blender.unregister()

    assert list(bpy.app.handlers.load_pre) == before
    assert not bpy.app.timers.is_registered(jobs.pump)


def test_names_of_classes_and_operators_agree(add_on: None) -> None:
    for each in CLASSES:
        kind, _, tail = each.__name__.removeprefix("PIXEL3DMM_").partition("_")
        assert kind in {"OT", "PT", "PG", "AP", "FH", "UL", "MT"}
        if kind == "OT":
            assert each.bl_idname == f"pixel3dmm.{tail}"
            assert each.__doc__ is not None
            assert not each.__doc__.endswith(".")


def test_without_an_engine_the_button_says_what_to_do(add_on: None, tmp_path, monkeypatch) -> None:
    from pixel3dmm_blender.ui import engine, paths
    from pixel3dmm_blender.ui.operators.reconstruct import what_hinders

    monkeypatch.delenv("PIXEL3DMM_ENGINE_PYTHON", raising=False)
    monkeypatch.setattr(paths, "environment", lambda: tmp_path / "nowhere")
    engine.look_again()

    assert "press Install Engine" in what_hinders(bpy.context)
    assert not bpy.ops.pixel3dmm.reconstruct_face.poll()


def test_a_chosen_python_that_is_gone_is_named(add_on: None, tmp_path, monkeypatch) -> None:
    from pixel3dmm_blender.ui import engine
    from pixel3dmm_blender.ui.operators.reconstruct import what_hinders

    monkeypatch.setenv("PIXEL3DMM_ENGINE_PYTHON", str(tmp_path / "nowhere"))
    engine.look_again()

    assert "nowhere" in what_hinders(bpy.context)
    assert "preferences" in what_hinders(bpy.context)


def test_nothing_is_fetched_while_blender_is_offline(add_on: None) -> None:
    from pixel3dmm_blender.ui.operators.setup import what_hinders_installing

    assert not bpy.app.online_access
    assert "online access" in what_hinders_installing()
    assert not bpy.ops.pixel3dmm.install_engine.poll()


def test_what_will_be_fetched_is_told_with_size_source_and_licence(add_on: None) -> None:
    from pixel3dmm_blender.ui.installing import describe_download

    text = "\n".join(describe_download())

    assert all(word in text for word in ("PyTorch", "PyPI", "MB", "CC0", "Apache-2.0", "BSD"))


def test_python_ends_by_itself_after_unregister(engine, photo) -> None:
    if bpy.app.binary_path:
        pytest.skip("this is Blender itself; Python ends with it")
    root = Path(__file__).resolve().parents[2]
    script = f"""
        import sys
        sys.path.insert(0, {str(root)!r})
        import bpy, pixel3dmm_blender
        pixel3dmm_blender.register()
        bpy.ops.pixel3dmm.reconstruct_face(filepath={str(photo("ada"))!r})
        pixel3dmm_blender.unregister()
    """

    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        timeout=30,
        capture_output=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
