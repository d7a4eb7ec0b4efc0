# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that Blender must know of, in order, and how it is taken back."""

from __future__ import annotations

import logging
from typing import Final

import bpy

from .ui import jobs
from .ui.operators import reconstruct, setup
from .ui.panels import (
    PIXEL3DMM_PT_engine,
    PIXEL3DMM_PT_reconstruct,
    PIXEL3DMM_PT_result,
    PIXEL3DMM_PT_settings,
)
from .ui.preferences import PIXEL3DMM_AP_preferences
from .ui.properties import PIXEL3DMM_PG_scene

CLASSES: Final = (
    PIXEL3DMM_AP_preferences,
    PIXEL3DMM_PG_scene,
    reconstruct.PIXEL3DMM_OT_reconstruct_face,
    reconstruct.PIXEL3DMM_OT_cancel,
    reconstruct.PIXEL3DMM_OT_drop_footage,
    reconstruct.PIXEL3DMM_FH_footage,
    setup.PIXEL3DMM_OT_install_engine,
    setup.PIXEL3DMM_OT_stop_engine,
    setup.PIXEL3DMM_OT_copy_diagnostics,
    setup.PIXEL3DMM_OT_dismiss,
    PIXEL3DMM_PT_reconstruct,
    PIXEL3DMM_PT_result,
    PIXEL3DMM_PT_settings,
    PIXEL3DMM_PT_engine,
)


def register() -> None:
    """Register all classes, the scene's properties and the listener for files."""
    for each in CLASSES:
        bpy.utils.register_class(each)
    # The stubs do not know what we add to a scene.
    bpy.types.Scene.pixel3dmm = bpy.props.PointerProperty(  # pyright: ignore[reportAttributeAccessIssue]
        type=PIXEL3DMM_PG_scene
    )
    jobs.register()


def unregister() -> None:
    """Take everything back; an engine that will not end must not keep the classes registered."""
    try:
        jobs.unregister()
    except Exception:
        logging.getLogger(__name__).exception("The engine could not be stopped")
    del bpy.types.Scene.pixel3dmm  # pyright: ignore[reportAttributeAccessIssue]
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
