# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports point one way; the outside world (bpy, torch, the shell) is met in one layer each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .source import PACKAGES, ROOT, imports_of, name_of, python_files

BLENDER = {"bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "addon_utils"}
ENGINE = {"torch", "scipy", "PIL", "av", "server"}
MAY_IMPORT = {
    "wire": {"wire"},
    "motion": {"motion", "wire"},
    "client": {"client", "wire"},
    "rig": {"rig", "motion", "wire"},
    "ui": {"ui", "rig", "motion", "client", "wire"},
}
SETUP_FILES = ("setup", "weights", "download", "index", "pip", "pythons", "launch")


def breaches(path: Path, forbidden: set[str]) -> list[str]:
    return [
        f"{name_of(path)}:{line} imports {name}"
        for line, name in imports_of(path)
        if name.split(".")[0] in forbidden
    ]


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_itself_and_what_lies_below(layer: str) -> None:
    found = [
        f"{name_of(path)}:{line} imports {name}"
        for path in python_files(f"pixel3dmm_blender/{layer}")
        for line, name in imports_of(path)
        if name.startswith("pixel3dmm_blender.")
        and name.split(".")[1] not in MAY_IMPORT[layer] | {"__package__"}
    ]

    assert found == []


def test_bpy_is_met_in_rig_ui_and_addon_alone() -> None:
    pure = python_files(*(f"pixel3dmm_blender/{name}" for name in ("wire", "motion", "client")))
    root = (ROOT / "pixel3dmm_blender" / "__init__.py",)

    found = [
        it for path in (*pure, *root, *python_files("server")) for it in breaches(path, BLENDER)
    ]

    assert found == []


def test_torch_and_the_decoders_stay_in_the_engine() -> None:
    found = [it for path in python_files("pixel3dmm_blender") for it in breaches(path, ENGINE)]

    assert found == []


def test_of_the_extension_the_engine_knows_the_wire_alone() -> None:
    found = [
        f"{name_of(path)}:{line} imports {name}"
        for path in python_files("server")
        for line, name in imports_of(path)
        if name.startswith("pixel3dmm_blender.") and name.split(".")[1] != "wire"
    ]

    assert found == []


def test_nobody_imports_pickle_or_multiprocessing() -> None:
    banned = {"pickle", "marshal", "shelve", "dill", "joblib", "multiprocessing"}

    found = [it for path in python_files(*PACKAGES) for it in breaches(path, banned)]

    assert found == []


def test_set_up_needs_the_standard_library_alone() -> None:
    own = {"pixel3dmm_blender", "tests"}
    files = [ROOT / "build.py", ROOT / "tests/runner.py", ROOT / "tests/environments.py"]
    files += [ROOT / "pixel3dmm_blender" / "client" / f"{name}.py" for name in SETUP_FILES]

    found = [
        f"{name_of(path)}:{line} imports {name}"
        for path in files
        for line, name in imports_of(path)
        if name.split(".")[0] not in sys.stdlib_module_names | own
        or (name.startswith("pixel3dmm_blender.wire") and ".wire.faults" not in name)
    ]

    assert found == []


def test_the_task_runner_starts_in_a_bare_python() -> None:
    command = [sys.executable, "-S", "-I", str(ROOT / "build.py"), "--help"]

    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert answer.returncode == 0, answer.stderr
    assert "reconstruct" in answer.stdout
