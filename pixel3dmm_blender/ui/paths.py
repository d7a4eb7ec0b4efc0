# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things live.

In an installed extension the server lies inside the package and what we write goes to the user's
extension folder; in the repository they are ``server/`` and ``.environments/`` beside the package.
The environment variables PIXEL3DMM_ENGINE_PYTHON and PIXEL3DMM_MODELS go before everything else.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import bpy

from .. import __package__ as base_package
from ..client.setup import engine_python
from .preferences import Settings

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_PYTHON_VARIABLE: Final = "PIXEL3DMM_ENGINE_PYTHON"
_MODELS_VARIABLE: Final = "PIXEL3DMM_MODELS"


def server_folder() -> Path:
    """Find the engine's code."""
    inside = _PACKAGE / "server"
    return inside if inside.is_dir() else _PACKAGE.parent / "server"


def storage() -> Path:
    """Find the folder that we may write to; it outlives upgrades of the extension."""
    if (_PACKAGE / "server").is_dir():
        return Path(bpy.utils.extension_path_user(str(base_package), create=True))
    return _PACKAGE.parent / ".environments"


def environment() -> Path:
    """Find the engine's own Python environment, made or not."""
    return storage() / "engine"


def lock() -> Path:
    """Find the list of exact packages that the environment is made of."""
    return server_folder() / "engine.lock"


def chosen_python(settings: Settings) -> Path | None:
    """Find the Python that somebody chose instead of the one we make."""
    chosen = os.environ.get(_PYTHON_VARIABLE, "") or settings.engine_python
    return Path(chosen) if chosen else None


def python(settings: Settings) -> Path:
    """Find the Python that runs the engine."""
    return chosen_python(settings) or engine_python(environment())


def models(settings: Settings) -> Path:
    """Find the folder of the open model files."""
    chosen = os.environ.get(_MODELS_VARIABLE, "") or settings.models_folder
    return Path(chosen) if chosen else storage() / "models"


def log() -> Path:
    """Find the file that takes what the engine says beside the protocol."""
    return Path(bpy.app.tempdir) / "pixel3dmm-engine.log"
