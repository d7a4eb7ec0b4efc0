# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's loop: read a request, answer it, one at a time; Cancel and the end of the stream are obeyed at once.

stdout is taken for the protocol before anything else happens, so that no print and no C library can corrupt a message.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import BinaryIO

from pixel3dmm_blender.wire import (
    Cancel,
    Defect,
    Fault,
    Message,
    OutOfMemory,
    Pixel3dmmError,
    Progress,
    Record,
    StreamEnded,
    read_message,
    write_message,
)

from .engine import Engine
from .handlers import answer
from .job import Job


def main() -> None:
    """Serve stdin and stdout until the other side closes them."""
    replies = _take_stdout()
    parser = argparse.ArgumentParser(prog="server", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of the model files")
    parser.add_argument(
        "--idle-minutes", type=float, default=0.0, help="exit after so long without a request"
    )
    options = parser.parse_args()
    server = Server(sys.stdin.buffer, replies, Engine(options.models))
    threading.Thread(target=_exit_after, args=(server.ended,), daemon=True).start()
    server.run(options.idle_minutes * 60 or None)
    os._exit(0)  # the reader thread may sit in a read for ever


def _exit_after(ended: threading.Event) -> None:
    """Leave no orphan: a job that does not notice the end of the stream within a second is not waited for."""
    ended.wait()
    time.sleep(1.0)
    os._exit(0)


class Server:
    """One conversation: a reader thread that fills a queue, and the loop that empties it."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO, engine: Engine) -> None:
        self._requests = requests
        self._replies = replies
        self._engine = engine
        self._writing = threading.Lock()
        self._waiting: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._cancelled: dict[int, threading.Event] = {}
        self.ended = threading.Event()
        """Set when the other side has closed the stream."""

    def run(self, idle_s: float | None = None) -> None:
        """Answer requests until the stream ends or nothing came for ``idle_s`` seconds."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        while True:
            try:
                message = self._waiting.get(timeout=idle_s)
            except queue.Empty:
                return
            if message is None:
                return
            self._write(message.id, self._answer(message))
            self._cancelled.pop(message.id, None)

    def _read(self) -> None:
        try:
            while True:
                message = read_message(self._requests)
                if isinstance(message.record, Cancel):
                    self._cancel(message.id)
                    continue
                self._cancelled[message.id] = threading.Event()
                self._waiting.put(message)
        except (StreamEnded, Pixel3dmmError, OSError):
            pass
        finally:  # whatever it was: a deaf engine must not stay
            for number in tuple(self._cancelled):
                self._cancel(number)  # nobody is left to read the answers
            self._waiting.put(None)
            self.ended.set()

    def _cancel(self, number: int) -> None:
        event = self._cancelled.get(number)
        if event is not None:
            event.set()

    def _answer(self, message: Message) -> Record:
        def report(progress: Progress) -> None:
            self._write(message.id, progress)

        try:
            return answer(message.record, self._engine, Job(report, self._cancelled[message.id]))
        except Pixel3dmmError as error:
            return fault_of(error)
        except MemoryError:
            return fault_of(
                OutOfMemory(
                    "The engine ran out of memory.",
                    "Use a smaller photo or a smaller texture size.",
                )
            )
        except Exception:  # the engine lives on, and the user gets a sentence
            hint = "Use Copy Diagnostics and report it."
            return fault_of(Defect("The engine made a mistake.", hint, traceback.format_exc()))

    def _write(self, number: int, record: Record) -> None:
        try:
            with self._writing:
                write_message(self._replies, Message(number, record))
        except OSError:
            os._exit(0)  # Blender is gone


def fault_of(error: Pixel3dmmError) -> Fault:
    """The wire form of an error."""
    return Fault(code=error.code, message=error.message, hint=error.hint, detail=error.detail)


def _take_stdout() -> BinaryIO:
    try:
        os.fstat(2)
    except OSError:  # no stderr: its number must not become the protocol's
        os.open(os.devnull, os.O_WRONLY)
    protocol = os.dup(1)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(protocol, os.O_BINARY)
        msvcrt.setmode(0, os.O_BINARY)
    return os.fdopen(protocol, "wb")
