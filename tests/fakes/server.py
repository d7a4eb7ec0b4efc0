# SPDX-License-Identifier: GPL-3.0-or-later
"""A scripted engine that speaks the real wire: `python server.py`; its arguments are ignored.

What it does is said by the name of the photo: "fault" answers with a fault, "die" stops in the
middle, "slow" works until it is cancelled, "stubborn" does not even listen to that, "clip" has many
frames, "wide" and "tall" have other sizes, anything else succeeds. With FAKE_PROTOCOL in the
environment it claims to speak that version.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from pixel3dmm_blender.wire import (  # noqa: E402  the path above comes first
    PROTOCOL,
    Cancel,
    Fault,
    FaultCode,
    Hello,
    Message,
    Progress,
    Ready,
    Record,
    StreamEnded,
    TrackFace,
    read_message,
    write_message,
)
from tests.fakes.tracked import make_tracked  # noqa: E402  as above

STUBBORN_S = 20.0


def main() -> None:
    """Serve until stdin ends."""
    requests: Queue[Message | None] = Queue()
    cancelled: set[int] = set()
    threading.Thread(target=_listen, args=(requests, cancelled), daemon=True).start()
    while (message := requests.get()) is not None:
        if isinstance(message.record, Hello):
            _greet(message.id)
        elif isinstance(message.record, TrackFace):
            _track(message.id, Path(message.record.footage.path).stem, cancelled)


def _listen(requests: Queue[Message | None], cancelled: set[int]) -> None:
    while True:
        try:
            message = read_message(sys.stdin.buffer)
        except StreamEnded:
            requests.put(None)
            return
        if isinstance(message.record, Cancel):
            cancelled.add(message.id)
        else:
            requests.put(message)


def _greet(number: int) -> None:
    claimed = int(os.environ.get("FAKE_PROTOCOL", PROTOCOL))
    if claimed != PROTOCOL:
        fault = Fault(
            code=FaultCode.PROTOCOL_MISMATCH,
            message="The engine is another version.",
            hint="Reinstall it.",
        )
        _answer(number, fault)
        return
    _answer(
        number,
        Ready(
            protocol=PROTOCOL,
            version="0.0.0",
            device="cpu",
            heads=("synthetic",),
            priors=("landmarks",),
            licences=("Made by a test",),
            memory_bytes=1,
        ),
    )


def _track(number: int, script: str, cancelled: set[int]) -> None:
    _answer(number, Progress(fraction=0.1, stage="Finding the face"))
    if script == "fault":
        fault = Fault(
            code=FaultCode.NO_FACE_FOUND,
            message="No face was found in fault.png.",
            hint="Try another.",
            detail="trace",
        )
        _answer(number, fault)
    elif script == "die":
        time.sleep(0.05)
        os._exit(9)
    elif script in ("slow", "stubborn"):
        _work(number, script, cancelled)
    else:
        _answer(number, Progress(fraction=0.6, stage="Fitting the head"))
        width, height = {"wide": (1920, 1080), "tall": (480, 640)}.get(script, (640, 480))
        _answer(number, make_tracked(width, height, 20 if script == "clip" else 1))


def _work(number: int, script: str, cancelled: set[int]) -> None:
    until = time.monotonic() + STUBBORN_S
    while time.monotonic() < until and (script == "stubborn" or number not in cancelled):
        time.sleep(0.01)
    _answer(number, Fault(code=FaultCode.CANCELLED, message="Cancelled.", hint=""))


def _answer(number: int, record: Record) -> None:
    write_message(sys.stdout.buffer, Message(number, record))


if __name__ == "__main__":
    main()
