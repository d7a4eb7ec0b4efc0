# SPDX-License-Identifier: GPL-3.0-or-later
"""The one engine process: started by the first job, kept, stopped when idle, replaced when lost."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

from ..client.launch import engine_command
from ..client.session import Session
from ..client.setup import is_engine_ready
from ..client.weights import OPEN_MODELS
from ..wire import EngineLost, Message, Ready, Record
from . import paths
from .preferences import read_settings

_LOOK_AGAIN_S: Final = 2.0


@dataclass
class Engine:
    """What we hold of the engine. Only this file changes it."""

    session: Session | None = None
    ready: Ready | None = None
    used: float = 0.0
    missing: str = ""
    looked: float = float("-inf")


_engine: Final = Engine()


def what_is_missing() -> str:
    """Say what has to be installed first; empty if nothing. Looks at the disk every two seconds."""
    if time.monotonic() - _engine.looked > _LOOK_AGAIN_S:
        _engine.missing = _look()
        _engine.looked = time.monotonic()
    return _engine.missing


def look_again() -> None:
    """Forget what was found on the disk."""
    _engine.looked = float("-inf")


def ready() -> Ready | None:
    """Return what the running engine said of itself; None while it starts or does not run."""
    return _engine.ready if is_running() else None


def is_running() -> bool:
    """Say whether there is an engine process."""
    return _engine.session is not None and _engine.session.is_alive


def process_id() -> int:
    """Return the engine's process id; 0 if there is none."""
    return _engine.session.process_id if _engine.session is not None else 0


def ask(request: Record) -> int:
    """Send a request, to a new engine if there is none; returns its number."""
    if not is_running():
        stop()
        settings = read_settings()
        _engine.session = Session(
            engine_command(
                paths.python(settings),
                paths.server_folder(),
                paths.models(settings),
                paths.log(),
                settings.command_prefix,
            )
        )
    _engine.used = time.monotonic()
    assert _engine.session is not None
    return _engine.session.send(request)


def cancel(request: int) -> None:
    """Ask the engine to stop a request."""
    if _engine.session is not None:
        _engine.session.cancel(request)


def poll() -> tuple[Message, ...]:
    """Return what the engine has answered; EngineLost, once, if it is gone."""
    if _engine.session is None:
        return ()
    try:
        messages = _engine.session.poll()
    except EngineLost:
        stop()
        raise
    if messages:
        _engine.used = time.monotonic()
    for message in messages:
        if isinstance(message.record, Ready):
            _engine.ready = message.record
    return messages


def stop_if_idle() -> None:
    """Stop an engine that nobody has used for as long as the preferences say."""
    if time.monotonic() - _engine.used > 60.0 * read_settings().idle_minutes:
        stop()


def stop(*, wait: bool = False) -> None:
    """Stop the engine; a thread sees to its end, unless we ``wait`` for it."""
    session, _engine.session, _engine.ready = _engine.session, None, None
    if session is None:
        return
    if wait:
        session.close()
    else:
        threading.Thread(target=session.close, name="pixel3dmm-engine-stop", daemon=True).start()


def _look() -> str:
    settings = read_settings()
    if settings.is_remote:
        return ""
    if paths.chosen_python(settings) is not None:
        if not paths.python(settings).exists():
            return (
                f"The chosen engine Python is not there: {paths.python(settings)}. "
                "Change or clear it in the preferences"
            )
    elif not is_engine_ready(paths.environment(), paths.lock()):
        return "The engine is not installed"
    folder = paths.models(settings)
    lacking = [file.title for file in OPEN_MODELS if not (folder / file.name).is_file()]
    return f"Model files are missing: {', '.join(lacking)}" if lacking else ""
