# SPDX-License-Identifier: GPL-3.0-or-later
"""Preparing an engine: what is made is kept, and an engine that cannot start is found out then."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from pixel3dmm_blender.client.launch import EngineCommand, engine_command, prepare_engine
from pixel3dmm_blender.wire import Cancelled, EngineNotInstalled

SERVER = Path(__file__).parents[2] / "server"


def command(models: Path, folder: Path) -> EngineCommand:
    return engine_command(Path(sys.executable), SERVER, models, folder / "prepare.log")


def test_a_prepared_engine_keeps_head_and_atlas(models: Path, tmp_path: Path) -> None:
    copy = tmp_path / "models"
    shutil.copytree(models, copy)

    prepare_engine(command(copy, tmp_path), lambda: False)

    kept = {file.name.split("-")[0] for file in (copy / "cache").iterdir()}
    assert {"makehuman", "atlas"} <= kept


def test_missing_models_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineNotInstalled, match=r"does not start: .* is not in"):
        prepare_engine(command(tmp_path / "nothing", tmp_path), lambda: False)


def test_preparing_can_be_cancelled(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        prepare_engine(command(tmp_path / "nothing", tmp_path), lambda: True)
