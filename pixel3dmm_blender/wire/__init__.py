# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole vocabulary that both processes share."""

from .camera import Camera
from .face import FaceTrack
from .faults import (
    ERROR_OF_CODE,
    Cancelled,
    CorrectionImpossible,
    Defect,
    DiskFull,
    DownloadFailed,
    EngineLost,
    EngineNotInstalled,
    FaultCode,
    FootageUnreadable,
    HeadMissing,
    NoFaceFound,
    OutOfMemory,
    Pixel3dmmError,
    ProtocolMismatch,
    StreamCorrupt,
    WeightsCorrupt,
    WeightsMissing,
)
from .footage import Footage
from .framing import PROTOCOL, Message, StreamEnded, read_message, write_message
from .head import HeadRig, Material, Texture
from .pins import Locks, Mask, Pin
from .record import Bools, Bytes, Doubles, Floats, Ints, Record, RecordError
from .replies import Fault, Progress, Ready, Tracked
from .requests import Cancel, Hello, RefineTrack, TrackFace

__all__ = [
    "ERROR_OF_CODE",
    "PROTOCOL",
    "Bools",
    "Bytes",
    "Camera",
    "Cancel",
    "Cancelled",
    "CorrectionImpossible",
    "Defect",
    "DiskFull",
    "Doubles",
    "DownloadFailed",
    "EngineLost",
    "EngineNotInstalled",
    "FaceTrack",
    "Fault",
    "FaultCode",
    "Floats",
    "Footage",
    "FootageUnreadable",
    "HeadMissing",
    "HeadRig",
    "Hello",
    "Ints",
    "Locks",
    "Mask",
    "Material",
    "Message",
    "NoFaceFound",
    "OutOfMemory",
    "Pin",
    "Pixel3dmmError",
    "Progress",
    "ProtocolMismatch",
    "Ready",
    "Record",
    "RecordError",
    "RefineTrack",
    "StreamCorrupt",
    "StreamEnded",
    "Texture",
    "TrackFace",
    "Tracked",
    "WeightsCorrupt",
    "WeightsMissing",
    "read_message",
    "write_message",
]
