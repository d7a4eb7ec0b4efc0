# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab. Layout only: it reads properties and the jobs' state, and computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import blf
import bpy

from ..rig.find import Role, part_of, person_of
from ..rig.solve import describe_doubts
from ..wire import Cancelled
from . import engine, jobs, reports

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

_FONT = 0
_BESIDE_TEXT = 94.0
"""What a line loses of the sidebar's width to the tabs, margins, box and icon, in unscaled pixels."""
_LEAST_ROOM = 120.0


class _Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Pixel3DMM"


class PIXEL3DMM_PT_reconstruct(_Sidebar, bpy.types.Panel):
    """Photo in, head out."""

    bl_label = "Pixel3DMM"

    def draw(self, context: bpy.types.Context) -> None:
        """Show the photo, the button or the progress, and what went wrong."""
        layout = self.layout
        assert layout is not None
        job = jobs.running()
        missing = engine.what_is_missing()
        column = layout.column()
        column.enabled = job is None
        column.prop(
            context.scene.pixel3dmm,
            "filepath",
            text="",
            icon="IMAGE_DATA",
            placeholder="Photo of a face",
        )
        if job is not None:
            _draw_job(layout, job)
        elif missing:
            _draw_lines(layout, context, f"{missing}.", "INFO")
            layout.operator("pixel3dmm.install_engine", icon="IMPORT")
        else:
            row = layout.row()
            row.scale_y = 1.6
            # Else its poll is asked on behalf of the viewport, and the photo is not missed.
            row.operator_context = "INVOKE_DEFAULT"
            row.operator("pixel3dmm.reconstruct_face", icon="USER")
        error = jobs.last_error()
        if error is not None:
            _draw_error(layout, context, error)


class PIXEL3DMM_PT_result(_Sidebar, bpy.types.Panel):
    """What is known about the person that is selected."""

    bl_label = "Result"
    bl_parent_id = "PIXEL3DMM_PT_reconstruct"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show for objects of ours alone."""
        return bool(person_of(context.active_object))

    def draw(self, context: bpy.types.Context) -> None:
        """Show error, doubts, time, head, notes and licence."""
        rig = part_of(context.scene, person_of(context.active_object), Role.RIG)
        if rig is None:
            return
        column = self.layout.column(align=True)
        error_px, percent = float(rig["pixel3dmm_error_px"]), float(rig["pixel3dmm_error_percent"])
        error = f"Error {error_px:.2f} px, {percent:.2f} % of face height"
        _draw_lines(column, context, error, "TRACKER")
        doubts = describe_doubts(rig)
        if doubts:
            _draw_lines(column, context, doubts, "QUESTION")
        seconds = float(rig.get("pixel3dmm_seconds", 0.0))
        column.label(text=f"{seconds:.1f} s, head: {rig['pixel3dmm_head']}", icon="TIME")
        if rig["pixel3dmm_notes"]:
            _draw_lines(column, context, str(rig["pixel3dmm_notes"]), "INFO")
        _draw_lines(column, context, str(rig["pixel3dmm_licence"]), "COPY_ID")


class PIXEL3DMM_PT_settings(_Sidebar, bpy.types.Panel):
    """How to reconstruct."""

    bl_label = "Settings"
    bl_parent_id = "PIXEL3DMM_PT_reconstruct"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Show the settings of the scene."""
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(context.scene.pixel3dmm, "focal_35mm")
        column.prop(context.scene.pixel3dmm, "texture_size")
        column.prop(context.scene.pixel3dmm, "personal_shape")


class PIXEL3DMM_PT_engine(_Sidebar, bpy.types.Panel):
    """How the engine is."""

    bl_label = "Engine"
    bl_parent_id = "PIXEL3DMM_PT_reconstruct"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Show state, licences of what is in use, and what can be done."""
        layout = self.layout
        assert layout is not None
        ready = engine.ready()
        if engine.what_is_missing():
            layout.label(text="Not ready to run", icon="CANCEL")
            layout.operator("pixel3dmm.install_engine", icon="IMPORT")
        elif ready is not None:
            layout.label(
                text=f"Running on {ready.device}, version {ready.version}", icon="CHECKMARK"
            )
            for licence in ready.licences:
                _draw_lines(layout.column(align=True), context, licence, "BLANK1")
        elif engine.is_running():
            layout.label(text="Starting", icon="SORTTIME")
        else:
            layout.label(text="Installed; starts when it is needed", icon="CHECKMARK")
        row = layout.row(align=True)
        row.operator("pixel3dmm.stop_engine", icon="QUIT")
        row.operator("pixel3dmm.copy_diagnostics", icon="COPYDOWN", text="Diagnostics")


def _draw_job(layout: bpy.types.UILayout, job: jobs.Job) -> None:
    row = layout.row(align=True)
    row.scale_y = 1.6
    row.progress(factor=job.fraction, type="BAR", text=f"{100.0 * job.fraction:.0f} %")
    row.operator("pixel3dmm.cancel", text="", icon="X")
    layout.label(text=job.stage)


def _draw_error(
    layout: bpy.types.UILayout, context: bpy.types.Context, error: reports.Pixel3dmmError
) -> None:
    if isinstance(error, Cancelled):
        layout.label(text=error.message, icon="INFO")
        return
    box = layout.box()
    box.alert = True
    _draw_lines(box, context, error.message, "ERROR")
    box.alert = False
    _draw_lines(box, context, error.hint, "BLANK1")
    row = box.row(align=True)
    row.operator("pixel3dmm.copy_diagnostics", icon="COPYDOWN")
    row.operator("pixel3dmm.dismiss", text="", icon="X")


def _draw_lines(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: IconItems
) -> None:
    scale = context.preferences.system.ui_scale
    width = context.region.width if context.region else 0
    room = max(width / scale - _BESIDE_TEXT, _LEAST_ROOM) * scale
    blf.size(_FONT, context.preferences.ui_styles[0].widget.points * scale)
    column = layout.column(align=True)
    for i, line in enumerate(_fold(text, room)):
        column.label(text=line, icon=icon if i == 0 else "BLANK1")


def _fold(text: str, room: float) -> list[str]:
    """Break a text into lines no wider than ``room`` pixels, as the interface's font measures them."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and blf.dimensions(_FONT, longer)[0] > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
