# SPDX-License-Identifier: GPL-3.0-or-later
"""The environments and model files in ``.environments``: made when first needed, recognised after that.

Engine and Blender have one each, because their numpy differ; ``build.py`` is who asks. Standard library only.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

from .runner import ROOT, ProgressLines

# The vocabulary's package re-exports numpy records, and a bare Python has no numpy; set-up needs its faults alone.
_wire = types.ModuleType("pixel3dmm_blender.wire")
_wire.__path__ = [str(ROOT / "pixel3dmm_blender" / "wire")]
sys.modules[_wire.__name__] = _wire

from pixel3dmm_blender.client import launch, pythons, setup, weights  # noqa: E402
from pixel3dmm_blender.wire.faults import EngineNotInstalled, FootageUnreadable, Pixel3dmmError  # noqa: E402

__all__ = ["FootageUnreadable", "Pixel3dmmError"]

ENVIRONMENTS = ROOT / ".environments"
ENGINE = ENVIRONMENTS / "engine"
MODELS = ENVIRONMENTS / "models"
ENGINE_PYTHON = setup.engine_python(ENGINE)
LOCKS = ROOT / "tests" / "locks"

BLENDERS = {(3, 11): ("4.5", "5.0"), (3, 13): ("5.2",)}
"""The Blenders that PyPI has for a Python; the last one is what the demo uses."""


def child_environment(blender: str = "none") -> dict[str, str]:
    """What children get: nothing that leaks into their Python, where engine and models are, and no user's Blender."""
    places = {
        "PIXEL3DMM_ENGINE_PYTHON": str(ENGINE_PYTHON),
        "PIXEL3DMM_MODELS": str(MODELS),
    }
    settings = {
        "BLENDER_USER_RESOURCES": str(ENVIRONMENTS / f"blender-{blender}-user"),
        "PYTHONUTF8": "1",
    }
    # As the engine does for itself (``server/__init__.py``), for scripts that load numpy before it.
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
    return {**launch.clean_environment(os.environ), **places, **settings, **threads}


def make_engine(torch_index: str = "") -> None:
    """Make the engine's environment unless it is ready."""
    with ProgressLines("Engine") as progress:
        setup.make_engine(ENGINE, ROOT / "server" / "engine.lock", progress, _never, torch_index)


def install_check_tools() -> None:
    """Install pytest and the checkers on top of the engine."""
    recipe = setup.Recipe(ENGINE, LOCKS / "check.lock", ("pytest",))
    with ProgressLines("Tools for the tests") as progress:
        setup.install_lock(recipe, progress, _never)


def make_blender(version: str) -> Path:
    """Make the environment of a Blender unless it is ready; returns its Python."""
    recipe = setup.Recipe(
        ENVIRONMENTS / f"blender-{version}", LOCKS / f"blender-{version}.lock", ("bpy",)
    )
    wanted = next(python for python, versions in BLENDERS.items() if version in versions)
    if not setup.is_ready(recipe):
        with ProgressLines(f"Blender {version}") as progress:
            setup.make_environment(
                recipe, progress, _never, pythons.find_python(None, wanted, wanted)
            )
    return setup.engine_python(recipe.environment)


def blender_versions() -> tuple[str, ...]:
    """Which Blenders the Python at hand can have; another Python of the search path serves if this one has none."""
    here = (sys.version_info.major, sys.version_info.minor)
    for python in (here, *BLENDERS):
        try:
            if python in BLENDERS and (python == here or pythons.find_python(None, python, python)):
                return BLENDERS[python]
        except EngineNotInstalled:
            continue
    raise EngineNotInstalled(
        "Blender needs Python 3.11 or 3.13, and neither was found.", "Install one of them."
    )


def fetch_models() -> None:
    """Fetch the open models that are missing, with their licences shown first."""
    missing = weights.missing_models(MODELS)
    if missing:
        print(f"Open models: {weights.download_size(missing) >> 20} MB to fetch")
        print("\n".join(f"  {line}" for line in weights.licence_lines(missing)))
        with ProgressLines("Open models") as progress:
            weights.fetch_models(MODELS, progress, _never, python=ENGINE_PYTHON)
    if not (MODELS / "cache").is_dir():
        with ProgressLines("Head") as progress:
            progress(0.0, "Preparing it from the open models")
            log = ENVIRONMENTS / "prepare.log"
            launch.prepare_engine(
                launch.engine_command(ENGINE_PYTHON, ROOT / "server", MODELS, log), _never
            )
            progress(1.0, "Prepared")


def extension_tool() -> Path:
    """Find the command line tool for extensions that comes with Blender; it needs no Blender to run."""
    python = make_blender(blender_versions()[-1])
    found = sorted(python.parent.parent.glob("[Ll]ib/**/bl_pkg/cli/blender_ext.py"))
    if not found:
        raise EngineNotInstalled(
            "This Blender has no tool for extensions.", f"Delete {python.parent.parent}."
        )
    return found[0]


def _never() -> bool:
    """Nobody cancels here; Ctrl-C does."""
    return False
