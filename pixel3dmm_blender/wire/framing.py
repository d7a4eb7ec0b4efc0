# SPDX-License-Identifier: GPL-3.0-or-later
"""One message <-> bytes: magic, two lengths, JSON header, raw array bytes (little endian).

```
b"P3DM" | u32 header length | u64 payload length | header (UTF-8 JSON) | payload
header = {"id": 7, "type": "TrackFace", "record": {...}, "arrays": [{"dtype": "<f4", "shape": [5023, 3]}, ...]}
```
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from .codec import Arrays, decode, encode
from .faults import OutOfMemory, StreamCorrupt
from .record import Record
from .replies import Fault, Progress, Ready, Tracked
from .requests import Cancel, Hello, RefineTrack, TrackFace

PROTOCOL = 2
MAGIC = b"P3DM"
HEADER_LIMIT = 16 * 1024**2
PAYLOAD_LIMIT = 1024**3
"""Twice the largest photo that is read."""
_PREFIX = struct.Struct("<4sIQ")
_MESSAGES: dict[str, type[Record]] = {
    kind.__name__: kind
    for kind in (Hello, TrackFace, RefineTrack, Cancel, Ready, Progress, Tracked, Fault)
}
_DTYPES = ("<f4", "<f8", "<i4", "|u1", "|b1")


class StreamEnded(EOFError):
    """The other side closed the stream between two messages: an ordinary end, not a failure."""


@dataclass(frozen=True, eq=False)
class Message:
    """A record and the number of the request that it belongs to."""

    id: int
    record: Record


def write_message(stream: BinaryIO, message: Message) -> None:
    """Write one message and flush it. The caller sees to it that one thread writes at a time."""
    arrays: Arrays = []
    body = encode(message.record, arrays)
    arrays = [array.astype(array.dtype.newbyteorder("<"), copy=False) for array in arrays]
    described = [{"dtype": array.dtype.str, "shape": array.shape} for array in arrays]
    header = json.dumps(
        {
            "id": message.id,
            "type": type(message.record).__name__,
            "record": body,
            "arrays": described,
        },
        separators=(",", ":"),
    ).encode()
    stream.write(_PREFIX.pack(MAGIC, len(header), sum(array.nbytes for array in arrays)))
    stream.write(header)
    for array in arrays:
        stream.write(np.ascontiguousarray(array).data)
    stream.flush()


def read_message(stream: BinaryIO) -> Message:
    """Read one message; StreamEnded at a clean end, StreamCorrupt for anything that is not a whole message."""
    prefix = _read_prefix(stream)
    magic, header_length, payload_length = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise StreamCorrupt(f"A message does not begin with its mark: {prefix[:16]!r}")
    if header_length > HEADER_LIMIT or payload_length > PAYLOAD_LIMIT:
        raise StreamCorrupt(f"A message says it is {header_length} + {payload_length} bytes long")
    header = _read_exactly(stream, header_length)
    payload = _read_exactly(stream, payload_length)
    try:
        parsed: Any = json.loads(bytes(header))
        number, name, body, described = (
            parsed["id"],
            parsed["type"],
            parsed["record"],
            parsed["arrays"],
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StreamCorrupt("The header of a message cannot be read") from error
    if not isinstance(name, str) or name not in _MESSAGES or not isinstance(number, int):
        raise StreamCorrupt(f"A message of the unknown type {name!r} came")
    return Message(number, decode(_MESSAGES[name], body, _unpack_arrays(described, payload)))


def _unpack_arrays(described: Any, payload: bytearray) -> Arrays:
    arrays: Arrays = []
    offset = 0
    try:
        for entry in described:
            dtype, shape = entry["dtype"], tuple(int(length) for length in entry["shape"])
            if dtype not in _DTYPES or any(length < 0 for length in shape):
                raise StreamCorrupt(f"An array of dtype {dtype!r} and shape {shape} came")
            count = math.prod(shape)
            array = np.frombuffer(payload, dtype, count, offset).reshape(shape)
            array.setflags(write=False)
            arrays.append(array)
            offset += array.nbytes
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise StreamCorrupt("The arrays of a message do not fit its payload") from error
    if offset != len(payload):
        raise StreamCorrupt("A message brings more bytes than its arrays need")
    return arrays


def _read_prefix(stream: BinaryIO) -> bytes:
    first = stream.read(1)
    if not first:
        raise StreamEnded
    return first + bytes(_read_exactly(stream, _PREFIX.size - 1))


def _read_exactly(stream: BinaryIO, count: int) -> bytearray:
    try:
        buffer = bytearray(count)
    except MemoryError as error:
        raise OutOfMemory(f"There is no memory for a message of {count} bytes.") from error
    view = memoryview(buffer)
    filled = 0
    while filled < count:
        got = stream.readinto(view[filled:]) if hasattr(stream, "readinto") else None  # type: ignore[attr-defined]
        if not got:
            raise StreamCorrupt(
                f"The stream ended {count - filled} bytes before the end of a message"
            )
        filled += got
    return buffer
