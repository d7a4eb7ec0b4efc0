# SPDX-License-Identifier: GPL-3.0-or-later
"""One version, one id, locks that name every file, and nothing in the tree that should not travel."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib

import pytest

from .source import ROOT

MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
LOCKS = (ROOT / "server" / "engine.lock", *sorted((ROOT / "tests" / "locks").glob("*.lock")))
MODEL_FILES = re.compile(r"\.(whl|tflite|pkl|pth|pt|ckpt|safetensors|onnx|blend|glb)$")


def git(*arguments: str) -> list[str]:
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_manifest_has_the_id_that_the_folder_must_have() -> None:
    assert MANIFEST["id"] == "pixel3dmm_blender"
    assert MANIFEST["blender_version_min"] == "4.5.0"
    assert MANIFEST["license"] == ["SPDX:GPL-3.0-or-later"]


def test_the_version_stands_in_the_manifest_alone() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", MANIFEST["version"])
    assert "project" not in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_tag_of_this_commit_is_the_version() -> None:
    tags = [tag for tag in git("tag", "--points-at", "HEAD") if re.match(r"v\d", tag)]

    assert tags in ([], [f"v{MANIFEST['version']}"])


def test_reasons_for_permissions_are_as_short_as_blender_wants_them() -> None:
    assert set(MANIFEST["permissions"]) == {"files", "network"}
    assert all(len(it) <= 64 and it[-1] not in ".!" for it in MANIFEST["permissions"].values())


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_package_of_a_lock_is_pinned_with_hashes(lock: object) -> None:
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / str(lock)).read_text("utf-8"), flags=re.MULTILINE)
    entries = [entry for entry in entries if entry.strip()]

    assert len(entries) > 5
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_the_engine_pins_torch_and_knows_a_cpu_build_of_it() -> None:
    lock = LOCKS[0].read_text("utf-8")

    assert "torch==2.13.0 \\\n" in lock
    assert "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b" in lock, (
        "the hash of torch-2.13.0+cpu (cp311, manylinux x86_64) was lost in relocking"
    )


def test_no_model_file_is_tracked() -> None:
    assert [name for name in git("ls-files") if MODEL_FILES.search(name)] == []
