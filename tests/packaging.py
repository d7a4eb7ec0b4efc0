# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's zip: a staged copy of what it needs, built and validated by Blender's own tool."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 60.0


def zip_name() -> str:
    """Name the zip after the manifest, the one place that knows the version."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    return f"{manifest['id']}-{manifest['version']}.zip"


def build_zip(target: Path, tool: Path) -> int:
    """Build and validate the zip with Blender's ``blender_ext.py``; returns 0 if both went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        staged = stage_extension(Path(scratch) / "pixel3dmm_blender")
        where = ("--source-dir", str(staged), "--output-filepath", str(target))
        status = _call(tool, "build", *where)
    return status or _call(tool, "validate", str(target))


def stage_extension(folder: Path) -> Path:
    """Copy the package, with the engine inside it, and the manifest beside; tracked files stay as they are."""
    junk = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    shutil.copytree(ROOT / "pixel3dmm_blender", folder, ignore=junk)
    shutil.copytree(ROOT / "server", folder / "server", ignore=junk)
    for name in ("blender_manifest.toml", "LICENSE"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


def _call(tool: Path, *arguments: str) -> int:
    return subprocess.run(
        [sys.executable, str(tool), *arguments], timeout=LIMIT_S, check=False
    ).returncode
