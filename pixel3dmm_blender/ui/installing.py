# SPDX-License-Identifier: GPL-3.0-or-later
"""The job behind Install Engine: a thread, without bpy, makes the environment and fetches models."""

from __future__ import annotations

import threading
import traceback
from typing import Final

from ..client.launch import engine_command, prepare_engine
from ..client.setup import engine_python, make_engine
from ..client.weights import OPEN_MODELS, download_size, fetch_models, licence_lines
from ..wire import Defect, Pixel3dmmError
from . import engine, paths
from .preferences import Settings

_SHARE_OF_ENGINE: Final = 0.8
_SHARE_OF_MODELS: Final = 0.95
_PACKAGES: Final = (
    "From PyPI, 0.3 GB: PyTorch, NumPy, SciPy, psutil (BSD-3-Clause), Pillow (MIT-CMU), PyAV "
    "(BSD-3-Clause, with FFmpeg under GPL)",
    "On Linux, where the chosen PyTorch asks for them, up to 3 GB: NVIDIA's libraries (NVIDIA's terms)",
)


def describe_download() -> tuple[str, ...]:
    """Say what will be fetched: what, from where, on which terms, how much; one line each."""
    megabytes = download_size(OPEN_MODELS) / 1e6
    return (*_PACKAGES, *licence_lines(), f"Open models: {megabytes:.0f} MB")


class InstallJob:
    """The engine on its way to this machine."""

    label = "Install Engine"
    in_file = False

    def __init__(self, settings: Settings) -> None:
        self.stage = "Preparing"
        self.fraction = 0.0
        self._error: Pixel3dmmError | None = None
        self._stop = threading.Event()
        chosen = paths.chosen_python(settings)
        self._makes_environment = chosen is None
        self._python = chosen or engine_python(paths.environment())
        self._environment, self._lock = paths.environment(), paths.lock()
        self._models, self._torch_index = paths.models(settings), settings.torch_index
        self._command = engine_command(
            self._python, paths.server_folder(), self._models, paths.log().with_name("prepare.log")
        )
        self._thread = threading.Thread(target=self._work, name="pixel3dmm-install", daemon=True)

    def cancel(self) -> None:
        """Ask for an early end."""
        self.stage = "Cancelling"
        self._stop.set()

    def advance(self) -> bool:
        """Look whether the thread is done, and how."""
        if self._thread.ident is None:
            self._thread.start()
        if self._thread.is_alive():
            return False
        engine.look_again()
        if self._error is not None:
            raise self._error
        return True

    def _work(self) -> None:
        try:
            engine.stop(wait=True)  # an engine that runs from the environment would keep its files
            if self._makes_environment:
                make_engine(
                    self._environment,
                    self._lock,
                    self._tell_engine,
                    self._stop.is_set,
                    self._torch_index,
                )
            fetch_models(self._models, self._tell_models, self._stop.is_set, python=self._python)
            self.fraction, self.stage = _SHARE_OF_MODELS, "Preparing the head"
            prepare_engine(self._command, self._stop.is_set)
        except Pixel3dmmError as error:
            self._error = error
        except (OSError, ValueError, RuntimeError) as error:
            self._error = Defect(
                f"The installation stopped: {error}.", "Try again.", traceback.format_exc()
            )

    def _tell_engine(self, fraction: float, text: str) -> None:
        self.fraction, self.stage = _SHARE_OF_ENGINE * fraction, text

    def _tell_models(self, fraction: float, text: str) -> None:
        self.fraction, self.stage = (
            _SHARE_OF_ENGINE + (_SHARE_OF_MODELS - _SHARE_OF_ENGINE) * fraction,
            text,
        )
