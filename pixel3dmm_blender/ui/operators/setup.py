# SPDX-License-Identifier: GPL-3.0-or-later
"""Install Engine, Stop Engine, and what helps when it does not work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from .. import engine, jobs, reports
from ..installing import InstallJob, describe_download
from ..preferences import read_settings

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems


class PIXEL3DMM_OT_install_engine(bpy.types.Operator):
    """Fetch the engine's packages and the open models into a Python environment of their own"""

    bl_idname = "pixel3dmm.install_engine"
    bl_label = "Install Engine"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Be greyed out, and say why, while it cannot work."""
        reason = what_hinders_installing()
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(
        self, context: bpy.types.Context, event: bpy.types.Event
    ) -> set[OperatorReturnItems]:
        """Show sizes, sources and licences before anything is fetched."""
        return context.window_manager.invoke_props_dialog(
            self, width=560, title="Install Engine", confirm_text="Download and Install"
        )

    def draw(self, context: bpy.types.Context) -> None:
        """List what will be fetched."""
        column = self.layout.column(align=True)
        for text in describe_download():
            for line in reports.wrap(text, 88):
                column.label(text=line)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Start the job; without a window, run it to its end."""
        return jobs.begin(self, InstallJob(read_settings()))


class PIXEL3DMM_OT_stop_engine(bpy.types.Operator):
    """Stop the engine and free its memory; the next reconstruction starts it again"""

    bl_idname = "pixel3dmm.stop_engine"
    bl_label = "Stop Engine"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Work while the engine runs and nobody waits for it."""
        return engine.is_running() and jobs.running() is None

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Stop it."""
        engine.stop()
        return {"FINISHED"}


class PIXEL3DMM_OT_copy_diagnostics(bpy.types.Operator):
    """Copy versions, places, the last failure and the engine's log to the clipboard"""

    bl_idname = "pixel3dmm.copy_diagnostics"
    bl_label = "Copy Diagnostics"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Copy them."""
        context.window_manager.clipboard = reports.diagnose(jobs.last_error())
        self.report({"INFO"}, "Diagnostics were copied to the clipboard")
        return {"FINISHED"}


class PIXEL3DMM_OT_dismiss(bpy.types.Operator):
    """Hide the last failure"""

    bl_idname = "pixel3dmm.dismiss"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Forget it."""
        jobs.forget_error()
        return {"FINISHED"}


def what_hinders_installing() -> str:
    """Say why the engine cannot be installed now; empty if it can."""
    job = jobs.running()
    if job is not None:
        return f"{job.label} is running"
    if read_settings().is_remote:
        return "The engine is set to run on another machine"
    if not bpy.app.online_access:
        return "Blender is offline: allow online access in Preferences > System > Network"
    return ""
