# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip in a fresh Blender: installs, enables, reconstructs with the real engine, leaves cleanly."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.packaging import build_zip, zip_name

bpy = pytest.importorskip("bpy", reason="these tests need the bpy module (Blender as a wheel)")

ASTRONAUT = Path(__file__).parents[1] / "data" / "astronaut.png"
LIMIT_S = 180
SCRIPT = """
    import os, sys
    from pathlib import Path
    import bpy

    archive, photo = sys.argv[1:]
    name = "bl_ext.user_default.pixel3dmm_blender"
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    before = set(dir(bpy.types))
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    assert name in bpy.context.preferences.addons, "not enabled"
    assert bpy.ops.pixel3dmm.reconstruct_face(filepath=photo) == {"FINISHED"}
    heads = [each for each in bpy.data.objects if each.get("pixel3dmm_role") == "head"]
    assert len(heads) == 1 and len(heads[0].data.vertices) > 5000
    assert "jawOpen" in heads[0].data.shape_keys.key_blocks
    assert "CC0" in heads[0]["pixel3dmm_licence"]
    print("error", heads[0].parent["pixel3dmm_error_percent"])

    import addon_utils
    addon_utils.disable(name, default_set=True)
    assert not hasattr(bpy.types, "PIXEL3DMM_OT_reconstruct_face")
    assert set(dir(bpy.types)) == before, set(dir(bpy.types)) ^ before
    folder = Path(bpy.utils.user_resource("EXTENSIONS")) / "user_default" / "pixel3dmm_blender"
    assert folder.is_dir()
    bpy.ops.extensions.package_uninstall(repo_index=repository(), pkg_id="pixel3dmm_blender")
    assert not folder.exists(), "left behind"
    print("all is well", flush=True)
    os._exit(0)
"""
REPOSITORY_INDEX = """
    def repository():
        import bpy
        repos = bpy.context.preferences.extensions.repos
        return next(index for index, repo in enumerate(repos) if repo.module == "user_default")
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scripts = Path(bpy.utils.resource_path("LOCAL")) / "scripts"
    tool = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    target = tmp_path_factory.mktemp("dist") / zip_name()
    assert build_zip(target, tool) == 0
    return target


def test_the_zip_installs_enables_reconstructs_and_uninstalls(
    archive: Path, tmp_path: Path
) -> None:
    if not os.environ.get("PIXEL3DMM_ENGINE_PYTHON"):
        pytest.skip(
            "no engine: run through build.py, or set PIXEL3DMM_ENGINE_PYTHON and PIXEL3DMM_MODELS"
        )
    script = tmp_path / "install.py"
    script.write_text(textwrap.dedent(REPOSITORY_INDEX) + textwrap.dedent(SCRIPT))

    done = subprocess.run(
        [sys.executable, str(script), str(archive), str(ASTRONAUT)],
        env={**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "blender")},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert "all is well" in done.stdout, done.stdout + done.stderr


def test_the_zip_holds_no_model_and_no_test(archive: Path) -> None:
    import zipfile

    names = zipfile.ZipFile(archive).namelist()

    assert "server/__main__.py" in names
    assert not [
        name
        for name in names
        if name.startswith("tests/") or name.endswith((".tflite", ".whl", ".pyc"))
    ]
    assert archive.stat().st_size < 1_000_000
