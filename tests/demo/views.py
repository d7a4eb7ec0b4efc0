# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the demo's sheet: the head in its solved camera, from the side, neutral, and in one ARKit pose."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import bpy
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

SIDE_PX: Final = 432
SAMPLES: Final = 10
HEADROOM: Final = 0.12
CROP_FILE: Final = "crop.json"
LENS_MM: Final = 85.0
DISTANCE_M: Final = 0.86
ARKIT_POSE: Final[Mapping[str, float]] = {
    "eyeBlinkLeft": 1.0,
    "cheekSquintLeft": 0.8,
    "browDownLeft": 0.5,
    "mouthSmileLeft": 0.9,
    "mouthSmileRight": 0.3,
    "mouthDimpleLeft": 0.4,
    "jawOpen": 0.12,
}
TURNS_DEG: Final[Mapping[str, float]] = {"three-quarter": 38.0, "side": 78.0}


def render_views(
    head: bpy.types.Object, camera: bpy.types.Object, folder: Path, say: Callable[[str], None]
) -> None:
    """Render all views into a folder. Lamps, studio camera and settings are gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    with _studio(head) as studio:
        scene = bpy.context.scene
        with _framed(scene, head, camera) as crop:
            (folder / CROP_FILE).write_text(json.dumps(crop), encoding="utf-8")
            _render(folder / "front.png", camera, say)
            with _clay(scene):
                _render(folder / "overlay.png", camera, say)
        scene.render.resolution_x = scene.render.resolution_y = SIDE_PX
        for name, turn_deg in TURNS_DEG.items():
            _aim(studio, head, turn_deg)
            _render(folder / f"{name}.png", studio, say)
        _aim(studio, head, 0.0)
        for name, pose in (("neutral", {}), ("arkit", ARKIT_POSE)):
            with _posed(head, pose):
                _render(folder / f"{name}.png", studio, say)


def _render(path: Path, camera: bpy.types.Object, say: Callable[[str], None]) -> None:
    start = time.perf_counter()
    scene = bpy.context.scene
    scene.camera = camera
    scene.render.filepath = str(path.resolve())
    bpy.ops.render.render(write_still=True)
    say(f"  {time.perf_counter() - start:6.2f} s  Rendering {path.stem}")


@contextmanager
def _studio(head: bpy.types.Object) -> Iterator[bpy.types.Object]:
    scene = bpy.context.scene
    kept = _Settings(scene)
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = SAMPLES, True
    scene.cycles.denoising_quality, scene.cycles.denoising_prefilter = "FAST", "FAST"
    scene.cycles.max_bounces = 4
    scene.view_settings.view_transform = "Standard"
    scene.render.film_transparent = True
    scene.render.use_persistent_data = True
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    world = bpy.data.worlds.new("Studio")
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.75
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    scene.world = world
    lamps = [
        _lamp(head, *place)
        for place in (((-0.7, -1.0, 0.6), 7.5), ((0.9, -0.7, 0.2), 3.5), ((0.2, 1.0, 0.7), 7.0))
    ]
    lens = bpy.data.cameras.new("Studio")
    lens.lens = LENS_MM
    studio = bpy.data.objects.new("Studio", lens)
    scene.collection.objects.link(studio)
    try:
        yield studio
    finally:
        for made in (*lamps, studio):
            bpy.data.objects.remove(made)
        bpy.data.worlds.remove(world)
        kept.restore()


class _Settings:
    """The scene's render settings, to be put back."""

    def __init__(self, scene: bpy.types.Scene) -> None:
        self._scene, self._camera, self._world = scene, scene.camera, scene.world
        self._engine, self._look = scene.render.engine, scene.view_settings.view_transform
        self._size = scene.render.resolution_x, scene.render.resolution_y

    def restore(self) -> None:
        """Put them back."""
        scene = self._scene
        scene.camera, scene.world = self._camera, self._world
        scene.render.engine, scene.view_settings.view_transform = self._engine, self._look
        scene.render.resolution_x, scene.render.resolution_y = self._size
        scene.render.film_transparent = scene.render.use_persistent_data = False


def _lamp(
    head: bpy.types.Object, place: tuple[float, float, float], watts: float
) -> bpy.types.Object:
    light = bpy.data.lights.new("Studio", "AREA")
    light.energy, light.size = watts, 0.8
    lamp = bpy.data.objects.new("Studio", light)
    lamp.location = _middle(head) + Vector(place)
    lamp.rotation_euler = (_middle(head) - lamp.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(lamp)
    return lamp


def _aim(camera: bpy.types.Object, head: bpy.types.Object, turn_deg: float) -> None:
    turn = math.radians(turn_deg)
    camera.location = _middle(head) + DISTANCE_M * Vector((math.sin(turn), -math.cos(turn), 0.04))
    camera.rotation_euler = (_middle(head) - camera.location).to_track_quat("-Z", "Y").to_euler()


def _middle(head: bpy.types.Object) -> Vector:
    """Between the eyes and the shoulders: what a portrait is centred on."""
    heights = [corner[2] for corner in head.bound_box]
    return head.matrix_world @ Vector((0.0, -0.05, max(heights) * 0.5 + min(heights) * 0.5 + 0.01))


@contextmanager
def _framed(
    scene: bpy.types.Scene, head: bpy.types.Object, camera: bpy.types.Object
) -> Iterator[tuple[int, int, int]]:
    """Render only a square around the head, enlarged; yields its left, top and side in pixels of the photo."""
    width, height = scene.render.resolution_x, scene.render.resolution_y
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    seen = [
        world_to_camera_view(scene, camera, head.matrix_world @ vertex.co)
        for vertex in evaluated.data.vertices
    ]
    across, down = [point.x * width for point in seen], [(1.0 - point.y) * height for point in seen]
    top = max(0.0, min(down) - HEADROOM * (max(down) - min(down)))
    side = round(min(max(down) - top, width, height - top))
    left = round(min(max(0.0, (min(across) + max(across) - side) / 2), width - side))
    render, top = scene.render, round(top)
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x = left / width, (left + side) / width
    render.border_min_y, render.border_max_y = 1.0 - (top + side) / height, 1.0 - top / height
    render.resolution_percentage = max(1, round(100 * SIDE_PX / side))
    yield left, top, side
    render.use_border = render.use_crop_to_border = False
    render.resolution_percentage = 100


@contextmanager
def _clay(scene: bpy.types.Scene) -> Iterator[None]:
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.light, scene.display.shading.color_type = "STUDIO", "SINGLE"
    scene.display.shading.single_color = (0.35, 0.62, 0.9)
    yield
    scene.render.engine = "CYCLES"


@contextmanager
def _posed(head: bpy.types.Object, pose: Mapping[str, float]) -> Iterator[None]:
    keys = head.data.shape_keys.key_blocks
    before = {key.name: key.value for key in keys}
    for key in keys:
        key.value = pose.get(key.name, 0.0)
    yield
    for key in keys:
        key.value = before[key.name]
