# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the scene: everything at once, to compare, and the person that a photo became."""

from __future__ import annotations

import bpy
from bpy_extras.object_utils import world_to_camera_view

from .driver import viewport

_KINDS = (
    "objects meshes armatures cameras materials images collections actions shape_keys node_groups"
)


def contents() -> dict[str, object]:
    """Names of all that the file holds, and what the render would show."""
    held: dict[str, object] = {
        kind: sorted(each.name for each in getattr(bpy.data, kind)) for kind in _KINDS.split()
    }
    scene = bpy.context.scene
    held["render"] = (scene.render.resolution_x, scene.render.resolution_y)
    held["camera"] = scene.camera.name if scene.camera else ""
    held["photo"] = scene.pixel3dmm.filepath
    active = bpy.context.view_layer.objects.active
    held["active"] = active.name if active else ""
    return held


def difference(a: dict[str, object], b: dict[str, object]) -> str:
    """Say in which respects two contents differ; empty if in none."""
    return "; ".join(f"{name}: {a[name]} / {b[name]}" for name in a if a[name] != b[name])


def part(role: str) -> bpy.types.Object | None:
    return next((each for each in bpy.data.objects if each.get("pixel3dmm_role") == role), None)


def looks_through_camera() -> bool:
    return viewport().spaces.active.region_3d.view_perspective == "CAMERA"


def plate_of(camera: bpy.types.Object) -> bpy.types.Image | None:
    shown = camera.data.background_images
    return shown[0].image if camera.data.show_background_images and len(shown) else None


def extent_in_picture(head: bpy.types.Object) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the posed head in the camera's picture, 0..1."""
    scene = bpy.context.scene
    posed = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    seen = [
        world_to_camera_view(scene, scene.camera, posed.matrix_world @ vertex.co)
        for vertex in list(posed.data.vertices)[::20]
    ]
    across, up = [point.x for point in seen], [point.y for point in seen]
    return min(across), max(across), min(up), max(up)
