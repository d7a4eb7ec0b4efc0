# SPDX-License-Identifier: GPL-3.0-or-later
"""An empty scene, the add-on registered from its source, and an engine that is a script."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="these tests need the bpy module (Blender as a wheel)")

import pixel3dmm_blender  # noqa: E402  nothing to test without bpy
from pixel3dmm_blender.client.weights import OPEN_MODELS  # noqa: E402  as above
from pixel3dmm_blender.motion.png import encode_png  # noqa: E402  as above

FAKE_SERVER = Path(__file__).resolve().parents[1] / "fakes" / "server.py"
SIZES = {"wide": (1920, 1080), "tall": (480, 640)}


@pytest.fixture(autouse=True)
def scene() -> Iterator[bpy.types.Scene]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield bpy.context.scene
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


@pytest.fixture
def add_on(scene: bpy.types.Scene) -> Iterator[None]:
    pixel3dmm_blender.register()
    yield
    pixel3dmm_blender.unregister()


@pytest.fixture
def engine(add_on: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the fake server be the engine; returns the folder that its photos may lie in."""
    if os.name == "nt":
        pytest.skip("the fake engine is started through a shell script")
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE_SERVER}"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    models = tmp_path / "models"
    models.mkdir()
    for file in OPEN_MODELS:
        (models / file.name).touch()
    monkeypatch.setenv("PIXEL3DMM_ENGINE_PYTHON", str(script))
    monkeypatch.setenv("PIXEL3DMM_MODELS", str(models))
    from pixel3dmm_blender.ui import engine as resident

    resident.look_again()
    return tmp_path


@pytest.fixture
def photo(tmp_path: Path):
    """Make a photo; its name tells the fake engine what to do."""

    def make(name: str) -> Path:
        width, height = SIZES.get(name, (640, 480))
        path = tmp_path / f"{name}.png"
        path.write_bytes(encode_png(np.full((height, width, 3), 128, np.uint8)))
        return path

    return make
