# SPDX-License-Identifier: GPL-3.0-or-later
"""The job behind Reconstruct Face: ask the engine, wait, build the person as one undo step."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import bpy

from ..motion.png import encode_png
from ..rig.materials import Skin
from ..rig.person import build_person
from ..wire import ERROR_OF_CODE, Cancelled, Fault, Message, Progress, Texture, Tracked, TrackFace
from . import engine
from .footage import read_footage
from .view import look_through_camera

_CANCEL_S: Final = 0.25
"""How long a cancelled request may take to say so before we stop waiting for it."""
_SHARE_OF_ENGINE: Final = 0.95


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    path: Path
    texture_size: int
    personal_shape: float
    focal_35mm: float


class TrackJob:
    """One photo or clip on its way to a head in the scene."""

    label = "Reconstruct Face"
    in_file = True

    def __init__(self, wish: Wish) -> None:
        self.stage = "Starting the engine"
        self.fraction = 0.0
        self._wish = wish
        self._begun = time.monotonic()
        self._request = 0
        self._cancelled_at: float | None = None
        self._tracked: Tracked | None = None
        self._skin: Future[Skin | None] | None = None

    def cancel(self) -> None:
        """Ask for an early end."""
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
            self.stage = "Cancelling"
            if self._request:
                engine.cancel(self._request)

    def advance(self) -> bool:
        """Take up what the engine has answered; build once all is there and no edit is under way."""
        if self._cancelled_at is not None:
            self._give_up(self._cancelled_at)
        if not self._request:
            self._request = engine.ask(self._ask())
        for message in engine.poll():
            self._receive(message)
        if self._tracked is None or self._skin is None or not self._skin.done():
            return False
        if not _is_object_mode():
            self.stage = "Leave Edit Mode to place the head"
            return False
        if self.fraction < 1.0:  # the panel is to show it before the window stands still
            self.stage, self.fraction = "Placing the head", 1.0
            return False
        self._build(self._tracked, self._skin.result())
        return True

    def _ask(self) -> TrackFace:
        return TrackFace(
            footage=read_footage(self._wish.path, self._wish.focal_35mm),
            texture_size=self._wish.texture_size,
            personal_shape=self._wish.personal_shape,
        )

    def _receive(self, message: Message) -> None:
        record = message.record
        if isinstance(record, Fault) and self._is_mine(message.id, record):
            raise ERROR_OF_CODE[record.code](record.message, record.hint, record.detail)
        if message.id != self._request:
            return
        if isinstance(record, Progress) and self._cancelled_at is None:
            self.stage, self.fraction = record.stage, _SHARE_OF_ENGINE * record.fraction
        elif isinstance(record, Tracked):
            self._tracked = record
            self.stage, self.fraction = "Building the head", _SHARE_OF_ENGINE
            worker = ThreadPoolExecutor(1, "pixel3dmm-texture")
            self._skin = worker.submit(_encode, record.texture)
            worker.shutdown(wait=False)

    def _is_mine(self, number: int, fault: Fault) -> bool:
        """A smaller number is the greeting's, or a request's that was given up and says so late."""
        late = number < self._request and fault.code is Cancelled.code
        return number <= self._request and not late

    def _give_up(self, asked_at: float) -> None:
        """Wait a moment for the engine to confirm; one that does not is not kept for the next job."""
        if self._request and self._tracked is None:
            for message in engine.poll():
                if message.id == self._request and isinstance(message.record, (Fault, Tracked)):
                    raise Cancelled("Cancelled.")
            if time.monotonic() - asked_at < _CANCEL_S:
                return
            engine.stop()
        raise Cancelled("Cancelled.")

    def _build(self, tracked: Tracked, skin: Skin | None) -> None:
        windows = bpy.context.window_manager.windows
        with bpy.context.temp_override(window=bpy.context.window or windows[0]):
            person = build_person(
                bpy.context.scene, tracked, _name(self._wish.path), self._wish.path, skin
            )
            person.rig["pixel3dmm_seconds"] = time.monotonic() - self._begun
            if not bpy.app.background:
                look_through_camera(bpy.context.window)
            bpy.ops.ed.undo_push(message=self.label)


def _name(path: Path) -> str:
    """The person is called like the photo; a file's name need not be text, but a datablock's must."""
    return path.stem.encode("utf-8", "replace").decode()


def _is_object_mode() -> bool:
    active = bpy.context.view_layer.objects.active
    if active is None or active.mode == "OBJECT":
        return True
    if not bpy.app.background:
        return False
    bpy.ops.object.mode_set(mode="OBJECT")
    return True


def _encode(texture: Texture | None) -> Skin | None:
    if texture is None:
        return None
    height, width = texture.pixels.shape[:2]
    return Skin(encode_png(texture.pixels), width, height)
