# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, as an exception in Python and as a Fault on the wire.

Pixel3dmmError
 +-- FootageUnreadable    the photo or clip cannot be decoded
 +-- NoFaceFound          nothing in the footage looks like a face
 +-- HeadMissing          the head model's files are not there
 +-- WeightsMissing       a network's files are not there
 +-- WeightsCorrupt       a file is not the one it should be
 +-- EngineNotInstalled   the engine's environment is missing or incomplete
 +-- EngineLost           the engine stopped in the middle of a request
 +-- ProtocolMismatch     Blender's side and the engine speak different versions
 +-- StreamCorrupt        bytes on the wire make no sense
 +-- CorrectionImpossible a pin or mask does not fit the track, or there is no track to correct
 +-- OutOfMemory          the request does not fit into memory
 +-- DiskFull             a file cannot be written
 +-- DownloadFailed       a download ended early or is not what was asked for
 +-- Cancelled            the user stopped the request
 +-- Defect               a mistake of ours
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class FaultCode(Enum):
    """The name of a failure on the wire."""

    FOOTAGE_UNREADABLE = "footage_unreadable"
    NO_FACE_FOUND = "no_face_found"
    HEAD_MISSING = "head_missing"
    WEIGHTS_MISSING = "weights_missing"
    WEIGHTS_CORRUPT = "weights_corrupt"
    ENGINE_NOT_INSTALLED = "engine_not_installed"
    ENGINE_LOST = "engine_lost"
    PROTOCOL_MISMATCH = "protocol_mismatch"
    STREAM_CORRUPT = "stream_corrupt"
    CORRECTION_IMPOSSIBLE = "correction_impossible"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    DOWNLOAD_FAILED = "download_failed"
    CANCELLED = "cancelled"
    DEFECT = "defect"


class Pixel3dmmError(Exception):
    """Base of every failure that has words for the user: what happened, and what to do."""

    code: ClassVar[FaultCode] = FaultCode.DEFECT

    def __init__(self, message: str, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class FootageUnreadable(Pixel3dmmError):
    """The photo or clip cannot be decoded."""

    code = FaultCode.FOOTAGE_UNREADABLE


class NoFaceFound(Pixel3dmmError):
    """Nothing in the footage looks like a face."""

    code = FaultCode.NO_FACE_FOUND


class HeadMissing(Pixel3dmmError):
    """The head model's files are not there."""

    code = FaultCode.HEAD_MISSING


class WeightsMissing(Pixel3dmmError):
    """A network's files are not there."""

    code = FaultCode.WEIGHTS_MISSING


class WeightsCorrupt(Pixel3dmmError):
    """A file is not the one it should be."""

    code = FaultCode.WEIGHTS_CORRUPT


class EngineNotInstalled(Pixel3dmmError):
    """The engine's environment is missing or incomplete."""

    code = FaultCode.ENGINE_NOT_INSTALLED


class EngineLost(Pixel3dmmError):
    """The engine stopped in the middle of a request."""

    code = FaultCode.ENGINE_LOST


class ProtocolMismatch(Pixel3dmmError):
    """Blender's side and the engine speak different versions."""

    code = FaultCode.PROTOCOL_MISMATCH


class StreamCorrupt(Pixel3dmmError):
    """Bytes on the wire make no sense."""

    code = FaultCode.STREAM_CORRUPT


class CorrectionImpossible(Pixel3dmmError):
    """A pin or mask does not fit the track, or there is no track to correct."""

    code = FaultCode.CORRECTION_IMPOSSIBLE


class OutOfMemory(Pixel3dmmError):
    """The request does not fit into memory."""

    code = FaultCode.OUT_OF_MEMORY


class DiskFull(Pixel3dmmError):
    """A file cannot be written."""

    code = FaultCode.DISK_FULL


class DownloadFailed(Pixel3dmmError):
    """A download ended early or is not what was asked for."""

    code = FaultCode.DOWNLOAD_FAILED


class Cancelled(Pixel3dmmError):
    """The user stopped the request."""

    code = FaultCode.CANCELLED


class Defect(Pixel3dmmError):
    """A mistake of ours."""

    code = FaultCode.DEFECT


ERROR_OF_CODE: dict[FaultCode, type[Pixel3dmmError]] = {
    error.code: error for error in (*Pixel3dmmError.__subclasses__(),)
}
