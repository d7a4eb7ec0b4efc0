# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender asks of the engine."""

from __future__ import annotations

from dataclasses import dataclass

from .footage import Footage
from .pins import Locks, Mask, Pin
from .record import Record


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hello(Record):
    """The first message. Answered by Ready, or by a Fault if the protocols differ."""

    protocol: int
    version: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrackFace(Record):
    """Reconstruct the face in some footage. Answered by Progress*, then Tracked or Fault."""

    footage: Footage
    head: str = ""
    """Name of the head model; empty for the engine's default."""
    texture_size: int = 2048
    """Side of the baked texture in pixels; 0 bakes none."""
    personal_shape: float = 0.0
    """Strength 0..1 of the smooth offset field for what the identity basis cannot reach."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RefineTrack(Record):
    """Solve the last track again with corrections, from its present result. Answered by Tracked or Fault.

    The answer has no texture: the one that was made stays.
    """

    pins: tuple[Pin, ...] = ()
    masks: tuple[Mask, ...] = ()
    locks: Locks


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cancel(Record):
    """Stop the request that has this message's id. It answers with Fault(CANCELLED)."""
