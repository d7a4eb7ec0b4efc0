# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user decides once: which Python, machine and folder, how long the engine stays."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import IntProperty, StringProperty

from .. import __package__ as base_package

IDLE_MINUTES = 10


@dataclass(frozen=True)
class Settings:
    """The preferences as plain values; defaults where the add-on runs from its source."""

    engine_python: str = ""
    command_prefix: tuple[str, ...] = ()
    models_folder: str = ""
    torch_index: str = ""
    idle_minutes: int = IDLE_MINUTES

    @property
    def is_remote(self) -> bool:
        """Whether the engine runs on another machine, which cannot open our files."""
        return bool(self.command_prefix)


class PIXEL3DMM_AP_preferences(bpy.types.AddonPreferences):
    """Preferences of the extension."""

    bl_idname = str(base_package)

    if TYPE_CHECKING:
        engine_python: str
        command_prefix: str
        models_folder: str
        torch_index: str
        idle_minutes: int
    else:
        engine_python: StringProperty(
            name="Engine Python",
            description="Python with the engine's packages; empty for the one that we install",
            subtype="FILE_PATH",
            options={"PATH_SUPPORTS_BLEND_RELATIVE"},
        )
        command_prefix: StringProperty(
            name="Command Prefix",
            description="Put before the engine's command to run it elsewhere: ssh gpu-box",
        )
        models_folder: StringProperty(
            name="Models Folder",
            description="Where the open model files lie; empty for the extension's own folder",
            subtype="DIR_PATH",
            options={"PATH_SUPPORTS_BLEND_RELATIVE"},
        )
        torch_index: StringProperty(
            name="PyTorch Index",
            description="Package index to take PyTorch from; empty for the usual one",
        )
        idle_minutes: IntProperty(
            name="Stop When Idle",
            description="Minutes after which an unused engine is stopped to free its memory",
            default=IDLE_MINUTES,
            min=1,
            max=24 * 60,
        )

    def draw(self, context: bpy.types.Context) -> None:
        """Show the preferences in two groups."""
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "idle_minutes")
        column.prop(self, "models_folder")
        column.separator()
        column.prop(self, "engine_python")
        column.prop(self, "torch_index")
        column.prop(self, "command_prefix")


def read_settings() -> Settings:
    """Read the preferences."""
    entry = bpy.context.preferences.addons.get(str(base_package))
    chosen = entry.preferences if entry is not None else None
    if chosen is None:
        return Settings()
    return Settings(
        engine_python=_absolute(chosen.engine_python),
        command_prefix=_words(chosen.command_prefix),
        models_folder=_absolute(chosen.models_folder),
        torch_index=chosen.torch_index.strip(),
        idle_minutes=chosen.idle_minutes,
    )


def _words(command: str) -> tuple[str, ...]:
    """Split a command as a shell would; while a quote is still open, at its spaces."""
    try:
        return tuple(shlex.split(command, posix=os.name != "nt"))
    except ValueError:
        return tuple(command.split())


def _absolute(path: str) -> str:
    return str(Path(bpy.path.abspath(path))) if path else ""
