# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine is started: the command line, and an environment that Blender's own has not leaked into."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, TypeAlias

from ..wire.faults import Cancelled, EngineNotInstalled

Stream: TypeAlias = int | IO[bytes]

_LOOK_S = 0.1
_LEAKING_NAMES = frozenset({"VIRTUAL_ENV", "OCIO", "LD_LIBRARY_PATH", "LD_PRELOAD"})
_LEAKING_PREFIXES = ("PYTHON", "PXR_", "MATERIALX_", "DYLD_")


@dataclass(frozen=True)
class EngineCommand:
    """What to run, in which environment, and the file that takes what the engine says beside the protocol."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path


def engine_command(
    python: Path, server_folder: Path, models: Path, log: Path, prefix: tuple[str, ...] = ()
) -> EngineCommand:
    """Build the command of an engine; ``prefix`` (for example ``ssh gpu-box``) runs it on another machine."""
    engine = (
        str(python),
        "-I",
        "-X",
        "utf8",
        str(server_folder / "__main__.py"),
        "--models",
        str(models),
    )
    return EngineCommand((*prefix, *engine), clean_environment(os.environ), log)


def prepare_engine(command: EngineCommand, cancelled: Callable[[], bool]) -> None:
    """Let a new engine load everything once and keep what it makes, so that the first photo need not wait.

    Raises EngineNotInstalled, with what it said, if it cannot; Cancelled.
    """
    with tempfile.TemporaryFile() as said:
        process = _popen(command, ("--prepare",), (subprocess.DEVNULL, said, said))
        while process.poll() is None:
            if cancelled():
                process.kill()
                process.wait()
                raise Cancelled("The installation was cancelled.", "What was fetched is kept.")
            time.sleep(_LOOK_S)
        if process.returncode != 0:
            said.seek(0)
            words = said.read().decode("utf-8", "replace").strip()
            raise EngineNotInstalled(
                f"The engine is there, but it does not start: {(words.splitlines() or [''])[-1]}",
                "Install it again; if that does not help, use Copy Diagnostics.",
                words,
            )


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Drop what Blender, a virtual environment or a loader setting would impose on a child's Python and libraries."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _LEAKING_NAMES and not name.startswith(_LEAKING_PREFIXES)
    }


def _open_log(path: Path) -> BinaryIO:
    """Open the log; where none can be written, an engine without a log is better than none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")


def start_engine(command: EngineCommand) -> subprocess.Popen[bytes]:
    """Start the engine with pipes for the protocol; EngineNotInstalled if its Python is not there."""
    with _open_log(command.log) as log:
        return _popen(command, (), (subprocess.PIPE, subprocess.PIPE, log))


def _popen(
    command: EngineCommand, more: tuple[str, ...], streams: tuple[Stream, Stream, Stream]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            (*command.arguments, *more),
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            env=dict(command.environment),
            creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
        )
    except OSError as error:
        raise EngineNotInstalled(
            f"The engine could not be started: {command.arguments[0]}: {error.strerror}.",
            "Press Install Engine, or choose the engine's Python in the preferences.",
        ) from error
