# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconstruct Face, Cancel, and a photo dropped on the panel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import StringProperty

from .. import engine, jobs
from ..tracking import TrackJob, Wish

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

FOOTAGE_SUFFIXES = (
    ".jpg;.jpeg;.png;.webp;.tif;.tiff;.bmp;.avif;.gif;.mp4;.m4v;.mov;.mkv;.avi;.webm;.mpg;.wmv"
)


class PIXEL3DMM_OT_reconstruct_face(bpy.types.Operator):
    """Build a rigged, textured head from the photo"""

    bl_idname = "pixel3dmm.reconstruct_face"
    bl_label = "Reconstruct Face"
    bl_options = {"REGISTER"}

    if TYPE_CHECKING:
        filepath: str
    else:
        filepath: StringProperty(
            name="Photo",
            description="Photo or clip; empty for the one that is chosen in the panel",
            subtype="FILE_PATH",
            options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"},
        )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Be greyed out, and say why, while it cannot work."""
        reason = what_hinders(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Start the job; without a window, run it to its end."""
        chosen = context.scene.pixel3dmm
        path = self.filepath or chosen.filepath
        if not path:
            self.report({"ERROR"}, "There is no photo yet. Choose one.")
            return {"CANCELLED"}
        return jobs.begin(
            self,
            TrackJob(
                Wish(
                    Path(bpy.path.abspath(path)),
                    int(chosen.texture_size),
                    float(chosen.personal_shape),
                    float(chosen.focal_35mm),
                )
            ),
        )


class PIXEL3DMM_OT_cancel(bpy.types.Operator):
    """Stop what is being done; nothing in the scene is changed"""

    bl_idname = "pixel3dmm.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Work while a job runs."""
        return jobs.running() is not None

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Ask the job for an early end."""
        job = jobs.running()
        if job is not None:
            job.cancel()
        return {"FINISHED"}


class PIXEL3DMM_OT_drop_footage(bpy.types.Operator):
    """Choose a photo that was dropped on the panel and reconstruct it"""

    bl_idname = "pixel3dmm.drop_footage"
    bl_label = "Reconstruct Dropped Photo"
    bl_options = {"INTERNAL"}

    if TYPE_CHECKING:
        filepath: str
    else:
        filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Fill the panel's field; begin if nothing hinders."""
        context.scene.pixel3dmm.filepath = self.filepath
        if not what_hinders(context):
            bpy.ops.pixel3dmm.reconstruct_face()
        return {"FINISHED"}


class PIXEL3DMM_FH_footage(bpy.types.FileHandler):
    """Photos and clips dropped on the sidebar of a viewport."""

    bl_idname = "PIXEL3DMM_FH_footage"
    bl_label = "Reconstruct Face"
    bl_import_operator = "pixel3dmm.drop_footage"
    bl_file_extensions = FOOTAGE_SUFFIXES

    @classmethod
    def poll_drop(cls, context: bpy.types.Context | None) -> bool:
        """Take drops on the sidebar; in the viewport itself an image stays a reference image."""
        return context is not None and _is_in_sidebar(context)


def what_hinders(context: bpy.types.Context) -> str:
    """Say why Reconstruct Face cannot work now; empty if it can. A script may bring its own path."""
    job = jobs.running()
    if job is not None:
        return f"{job.label} is running"
    missing = engine.what_is_missing()
    if missing:
        return missing if "chosen" in missing else f"{missing}: press Install Engine"
    if _is_in_sidebar(context) and not context.scene.pixel3dmm.filepath:
        return "Choose a photo first"
    return ""


def _is_in_sidebar(context: bpy.types.Context) -> bool:
    return (
        context.area is not None and context.area.type == "VIEW_3D" and context.region.type == "UI"
    )
