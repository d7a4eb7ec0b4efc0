# SPDX-License-Identifier: GPL-3.0-or-later
"""What the viewport shows when a head has come: the photo behind it, and its own colours."""

from __future__ import annotations

import bpy


def look_through_camera(window: bpy.types.Window) -> None:
    """Turn the window's largest viewport to the camera and let solid shading show the photo's colours.

    The texture is lit already, by the light of the photo: a studio's on top would darken the face.
    """
    views = [area for area in window.screen.areas if area.type == "VIEW_3D"]
    if not views:
        return
    area = max(views, key=lambda each: each.width * each.height)
    space = area.spaces.active
    space.region_3d.view_perspective = "CAMERA"
    if space.shading.type == "SOLID":
        space.shading.color_type = "TEXTURE"
        space.shading.light = "FLAT"
    area.tag_redraw()
