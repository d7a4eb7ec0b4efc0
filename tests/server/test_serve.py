# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as a process: it greets, cancels, survives nonsense from C libraries, and never outlives Blender."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixel3dmm_blender.client.launch import engine_command
from pixel3dmm_blender.client.session import Session
from pixel3dmm_blender.wire import (
    EngineLost,
    EngineNotInstalled,
    Fault,
    FaultCode,
    Footage,
    Message,
    Ready,
    Record,
    TrackFace,
)

SERVER = Path(__file__).parents[2] / "server"
PATIENCE_S = 30.0


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(
        engine_command(Path(sys.executable), SERVER, tmp_path / "models", tmp_path / "engine.log")
    )
    yield session
    session.close()


def test_the_engine_greets_with_its_version_and_memory(session: Session) -> None:
    ready = wait_for(session, Ready)

    assert isinstance(ready.record, Ready)
    assert ready.record.version == "0.1.0"
    assert 0 < ready.record.memory_bytes < 2**31


def test_a_missing_photo_is_a_fault_with_a_sentence_and_the_engine_lives_on(
    session: Session,
) -> None:
    number = session.send(TrackFace(footage=Footage(path="/nowhere/face.jpg")))

    fault = wait_for(session, Fault)

    assert fault.id == number
    assert isinstance(fault.record, Fault)
    assert fault.record.code in (
        FaultCode.FOOTAGE_UNREADABLE,
        FaultCode.HEAD_MISSING,
        FaultCode.WEIGHTS_MISSING,
    )
    assert session.is_alive


def test_closing_the_session_ends_the_process_at_once(session: Session) -> None:
    wait_for(session, Ready)

    start = time.perf_counter()
    session.close()

    assert not session.is_alive
    assert time.perf_counter() - start < 1.5


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_engine_is_reported_once_with_what_to_do(session: Session) -> None:
    wait_for(session, Ready)
    os.kill(session.process_id, signal.SIGKILL)

    with pytest.raises(EngineLost, match="stopped in the middle") as caught:
        wait_for(session, Fault)

    assert "Press the button again" in caught.value.hint
    assert session.poll() == ()


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineNotInstalled, match="nowhere"):
        Session(engine_command(tmp_path / "nowhere", SERVER, tmp_path, tmp_path / "log"))


def test_an_engine_that_cannot_start_says_why_in_the_detail(tmp_path: Path) -> None:
    session = Session(
        engine_command(Path(sys.executable), tmp_path, tmp_path, tmp_path / "engine.log")
    )

    with pytest.raises(EngineLost) as caught:
        wait_for(session, Ready)

    assert "__main__.py" in caught.value.detail
    session.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a working folder from deletion")
def test_an_engine_whose_working_folder_is_deleted_still_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    session = Session(
        engine_command(Path(sys.executable), SERVER, tmp_path / "models", tmp_path / "engine.log")
    )

    assert wait_for(session, Ready)
    session.close()


@pytest.mark.parametrize("nonsense", [b"garbage" * 9, b"P3DM" + b"\xff" * 12])
def test_an_engine_that_hears_nonsense_ends_and_is_no_orphan(
    nonsense: bytes, tmp_path: Path
) -> None:
    command = engine_command(Path(sys.executable), SERVER, tmp_path, tmp_path / "engine.log")
    with subprocess.Popen(
        command.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as engine:
        assert engine.stdin is not None
        engine.stdin.write(nonsense)
        engine.stdin.flush()

        assert engine.wait(PATIENCE_S) == 0


def wait_for(session: Session, kind: type[Record]) -> Message:
    """Poll as Blender's timer does until a message of this kind comes."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for message in session.poll():
            if isinstance(message.record, kind):
                return message
        time.sleep(0.01)
    pytest.fail(f"no {kind.__name__} came")
