# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading FlatBuffers and FlexBuffers by hand: just the parts a .tflite file uses.

A FlatBuffers table starts with a signed offset back to its vtable; the vtable holds, per field number, where the field
lies inside the table (0 = absent). A FlexBuffers blob is read from its end: the last byte is the width of the root, the
byte before it the root's type. Any offset that leaves the bytes raises ``struct.error``, IndexError or ValueError; the
caller turns these into one fault.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FlexValue = int | float | tuple[int, ...]
_INT, _UINT, _FLOAT, _MAP, _INT_VECTOR = 1, 2, 3, 9, 11


@dataclass(frozen=True)
class Table:
    """One table inside a FlatBuffers file; fields are asked for by their number in the schema."""

    content: bytes
    start: int

    def byte(self, field: int, default: int = 0) -> int:
        """Unsigned 8-bit scalar (also enums and booleans)."""
        place = self._place(field)
        return self.content[place] if place else default

    def integer(self, field: int, default: int = 0) -> int:
        """Signed 32-bit scalar."""
        place = self._place(field)
        return self._signed(place) if place else default

    def table(self, field: int) -> Table | None:
        """Return the sub-table, or None where the field is absent."""
        place = self._place(field)
        return Table(self.content, self._follow(place)) if place else None

    def tables(self, field: int) -> tuple[Table, ...]:
        """Vector of tables; empty where the field is absent."""
        start, count = self._vector(field)
        return tuple(Table(self.content, self._follow(start + 4 * i)) for i in range(count))

    def integers(self, field: int) -> tuple[int, ...]:
        """Vector of signed 32-bit integers."""
        start, count = self._vector(field)
        return struct.unpack_from(f"<{count}i", self.content, start)

    def raw(self, field: int) -> bytes:
        """Vector of bytes, or a string without its terminator."""
        start, count = self._vector(field)
        if start + count > len(self.content):
            raise ValueError("a vector reaches beyond the file")
        return self.content[start : start + count]

    def _place(self, field: int) -> int:
        """Where a field lies in the file; 0 = absent."""
        vtable = self.start - self._signed(self.start)
        if vtable < 0:
            raise ValueError("a table points before the file")
        (length,) = struct.unpack_from("<H", self.content, vtable)
        slot = 4 + 2 * field
        if slot + 2 > length:
            return 0
        (offset,) = struct.unpack_from("<H", self.content, vtable + slot)
        return self.start + offset if offset else 0

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._place(field)
        if not place:
            return 0, 0
        start = self._follow(place)
        (count,) = struct.unpack_from("<I", self.content, start)
        if count > len(self.content):
            raise ValueError("a vector is longer than the file")
        return start + 4, count

    def _signed(self, place: int) -> int:
        return int(struct.unpack_from("<i", self.content, place)[0])

    def _follow(self, place: int) -> int:
        return place + int(struct.unpack_from("<I", self.content, place)[0])


def root_table(content: bytes) -> Table:
    """Return the root table of a FlatBuffers file."""
    return Table(content, int(struct.unpack_from("<I", content, 0)[0]))


def read_flex_map(blob: bytes) -> dict[str, FlexValue]:
    """Read a FlexBuffers map of numbers and integer vectors: the options of a custom operator."""
    width, kind = blob[-1], blob[-2] >> 2
    if kind != _MAP:
        raise ValueError("the options of a custom operator are not a map")
    place = len(blob) - 2 - width
    return _read_map(blob, place - _unsigned(blob, place, width), 1 << (blob[-2] & 3))


def _read_map(blob: bytes, start: int, width: int) -> dict[str, FlexValue]:
    count = _unsigned(blob, start - width, width)
    key_width = _unsigned(blob, start - 2 * width, width)
    keys = start - 3 * width - _unsigned(blob, start - 3 * width, width)
    types = blob[start + count * width : start + count * width + count]
    found: dict[str, FlexValue] = {}
    for i, packed in enumerate(types):
        entry = keys + i * key_width
        name = entry - _unsigned(blob, entry, key_width)
        text = blob[name : blob.index(0, name)].decode("ascii")
        found[text] = _read_value(blob, start + i * width, width, packed)
    return found


def _read_value(blob: bytes, place: int, width: int, packed: int) -> FlexValue:
    kind, child_width = packed >> 2, 1 << (packed & 3)
    if kind == _FLOAT:
        return float(_numbers(blob, place, 1, f"<f{width}")[0])
    if kind in (_INT, _UINT):
        return int(_numbers(blob, place, 1, f"<{'i' if kind == _INT else 'u'}{width}")[0])
    if kind == _INT_VECTOR:
        start = place - _unsigned(blob, place, width)
        count = _unsigned(blob, start - child_width, child_width)
        return tuple(int(value) for value in _numbers(blob, start, count, f"<i{child_width}"))
    raise ValueError(f"a FlexBuffers value of type {kind} is not expected here")


def _unsigned(blob: bytes, place: int, width: int) -> int:
    return int(_numbers(blob, place, 1, f"<u{width}")[0])


def _numbers(blob: bytes, place: int, count: int, dtype: str) -> npt.NDArray[np.generic]:
    if place < 0:
        raise ValueError("a FlexBuffers offset points before its start")
    return np.frombuffer(blob, dtype, count, place)
