# SPDX-License-Identifier: GPL-3.0-or-later
"""Session: one engine process, one reader thread, one queue. Nothing here blocks its caller."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from typing import BinaryIO, cast

from ..wire import (
    PROTOCOL,
    Cancel,
    EngineLost,
    Hello,
    Message,
    Pixel3dmmError,
    Record,
    StreamEnded,
    read_message,
    write_message,
)
from .launch import EngineCommand, start_engine

_STOP_S = 2.0


class Session:
    """A conversation with one engine process."""

    def __init__(self, command: EngineCommand, version: str = "") -> None:
        """Start the engine and greet it; its Ready comes through ``poll``."""
        self._command = command
        self._process = start_engine(command)
        self._replies: queue.SimpleQueue[Message | Pixel3dmmError] = queue.SimpleQueue()
        self._last_id = 0
        self._lost = False
        self._reader = threading.Thread(
            target=self._read, name="pixel3dmm-engine-reader", daemon=True
        )
        self._reader.start()
        self.send(Hello(protocol=PROTOCOL, version=version))

    @property
    def is_alive(self) -> bool:
        """Whether the engine process still runs."""
        return self._process.poll() is None

    @property
    def process_id(self) -> int:
        """The engine's process id, for diagnostics."""
        return self._process.pid

    def send(self, record: Record) -> int:
        """Send a request and return its id. A dead engine is reported by the next ``poll``, not here."""
        self._last_id += 1
        self._write(Message(self._last_id, record))
        return self._last_id

    def cancel(self, request: int) -> None:
        """Ask the engine to stop a request; it answers with Fault(CANCELLED)."""
        self._write(Message(request, Cancel()))

    def poll(self) -> tuple[Message, ...]:
        """Return every reply that has come; raise EngineLost, once, after the last one of a dead engine."""
        messages: list[Message] = []
        while not self._replies.empty():
            reply = self._replies.get()
            if isinstance(reply, Message):
                messages.append(reply)
            elif not messages:
                raise reply
            else:  # first hand over what came before the end
                self._replies.put(reply)
                break
        return tuple(messages)

    def close(self) -> None:
        """End the engine: close its input, which it obeys at once; kill it if it does not."""
        self._lost = True  # an end that we asked for is no loss
        with contextlib.suppress(OSError):  # a broken pipe: the engine is gone already
            self._input().close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_STOP_S)
        self._output().close()

    def _write(self, message: Message) -> None:
        try:
            write_message(self._input(), message)
        except (OSError, ValueError):  # broken or closed pipe: the reader thread tells why
            self._lose()

    def _read(self) -> None:
        try:
            while True:
                self._replies.put(read_message(self._output()))
        except (StreamEnded, OSError, ValueError):
            self._lose()
        except Pixel3dmmError as error:
            self._process.kill()
            self._lose(detail=str(error))

    def _lose(self, detail: str = "") -> None:
        if self._lost:
            return
        self._lost = True
        try:
            status = str(self._process.wait(_STOP_S))
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = "none, it had closed its output"
        self._replies.put(
            EngineLost(
                f"The engine stopped in the middle of its work (exit status {status}).",
                "Nothing in the scene was changed. Press the button again: a new engine is started. "
                "If it happens again, use Copy Diagnostics.",
                detail or _tail(self._command),
            )
        )

    def _input(self) -> BinaryIO:
        return cast(BinaryIO, self._process.stdin)

    def _output(self) -> BinaryIO:
        return cast(BinaryIO, self._process.stdout)


def _tail(command: EngineCommand, size: int = 4000) -> str:
    try:
        return command.log.read_bytes()[-size:].decode("utf-8", "replace")
    except OSError:
        return ""
