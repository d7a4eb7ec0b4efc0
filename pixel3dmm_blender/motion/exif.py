# SPDX-License-Identifier: GPL-3.0-or-later
"""How a JPEG must be turned to stand upright: EXIF orientation, at which Blender does not look.

Written by the EXIF 2.3 specification: APP1 segment, TIFF header, first directory, tag 0x0112.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ..wire import Bytes

_HEAD_BYTES = 256 * 1024
_TAG_ORIENTATION = 0x0112


def read_orientation(path: Path) -> int:
    """Read the EXIF orientation 1..8 of a photo; 1 (upright) where none can be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return 1
    try:
        return _orientation_in(_find_exif(head))
    except (struct.error, IndexError):
        return 1


def turn_upright(pixels: Bytes, orientation: int) -> Bytes:
    """Turn pixels uint8 [H, W, C] (top row first) as an EXIF orientation asks."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _find_exif(head: bytes) -> bytes:
    if head[:2] != b"\xff\xd8":
        return b""
    at = 2
    while head[at] == 0xFF and head[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", head, at + 2)
        if head[at + 1] == 0xE1 and head[at + 4 : at + 10] == b"Exif\0\0":
            return head[at + 10 : at + 2 + length]
        at += 2 + length
    return b""


def _orientation_in(tiff: bytes) -> int:
    if tiff[:2] not in (b"II", b"MM"):
        return 1
    order = "<" if tiff[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, directory)
    for i in range(count):
        tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * i)
        if tag == _TAG_ORIENTATION:
            return value if 1 <= value <= 8 else 1
    return 1
