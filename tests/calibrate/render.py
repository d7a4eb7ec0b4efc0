# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the shots of one job file: `python render.py JOB FOLDER`, under a Python that has bpy.

The only file of this package that runs in Blender; it is started as a script and imports nothing
of the engine. Scene axes are the head's (x left of the subject, y up, z out of the face), metres.
"""

# bpy's stubs know no kinds of nodes, sockets and object data:
# pyright: basic, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

SAMPLES = 20
SENSOR_MM = 36.0
PUPIL_MM, IRIS_MM = 2.3, 6.2


def main(job_path: Path, folder: Path) -> None:
    """Render every shot that has no picture yet to FOLDER/shot_NNN.png."""
    job = np.load(job_path)
    scene = _empty_scene(int(job["size_px"]))
    head = _head_object(job)
    camera = _camera(scene)
    lamps = [_lamp(scene, energy) for energy in (14.0, 6.0)]
    folder.mkdir(parents=True, exist_ok=True)
    for shot in range(len(job["shot_geometry"])):
        picture = folder / f"shot_{shot:03d}.png"
        if picture.exists():
            continue
        _pose_head(head, job, shot)
        camera.data.lens = float(job["shot_focal_px"][shot]) / int(job["size_px"]) * SENSOR_MM
        _aim(camera, job["shot_rotation"][shot], job["shot_translation"][shot])
        for lamp, place in zip(lamps, job["shot_lamps"][shot], strict=True):
            _place_lamp(lamp, place, job["target"])
        _tint_world(scene, job["shot_background"][shot])
        scene.render.filepath = str(picture)
        bpy.ops.render.render(write_still=True)


def _empty_scene(size_px: int) -> bpy.types.Scene:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 3
    scene.cycles.seed = 1
    scene.render.resolution_x = scene.render.resolution_y = size_px
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("surroundings")
    scene.world.use_nodes = True
    return scene


def _head_object(job: np.lib.npyio.NpzFile) -> bpy.types.Object:
    mesh = bpy.data.meshes.new("head")
    mesh.from_pydata(job["geometries"][0], [], job["quads"].tolist())
    mesh.color_attributes.new("paint", "FLOAT_COLOR", "POINT")
    rest = mesh.attributes.new("rest", "FLOAT_VECTOR", "POINT")
    rest.data.foreach_set("vector", job["eye_rest_mm"].astype(np.float32).ravel())
    mesh.materials.append(_skin_material())
    mesh.materials.append(_eye_material())
    mesh.polygons.foreach_set("material_index", job["quad_is_eye"].astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(job["quads"]), dtype=bool))
    head = bpy.data.objects.new("head", mesh)
    bpy.context.scene.collection.objects.link(head)
    return head


def _skin_material() -> bpy.types.Material:
    material = bpy.data.materials.new("skin")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    surface = nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = 0.5
    surface.inputs["Specular IOR Level"].default_value = 0.3
    paint = nodes.new("ShaderNodeVertexColor")
    paint.layer_name = "paint"
    links.new(paint.outputs["Color"], surface.inputs["Base Color"])
    return material


def _eye_material() -> bpy.types.Material:
    """Pupil, iris with a darker rim and sclera by distance from the eye's axis at rest."""
    material = bpy.data.materials.new("eye")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    surface = nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = 0.08
    rest = nodes.new("ShaderNodeAttribute")
    rest.attribute_name = "rest"
    flat = nodes.new("ShaderNodeVectorMath")
    flat.operation = "MULTIPLY"
    flat.inputs[1].default_value = (0.1, 0.1, 0.0)
    radius = nodes.new("ShaderNodeVectorMath")
    radius.operation = "LENGTH"
    ramp = nodes.new("ShaderNodeValToRGB")
    ramp.name = "iris"
    stops = ramp.color_ramp.elements
    stops[0].position, stops[1].position = 0.0, 0.1 * PUPIL_MM
    for position in (
        0.1 * PUPIL_MM + 0.02,
        0.1 * IRIS_MM - 0.09,
        0.1 * IRIS_MM - 0.02,
        0.1 * IRIS_MM + 0.03,
    ):
        stops.new(position)
    links.new(rest.outputs["Vector"], flat.inputs[0])
    links.new(flat.outputs["Vector"], radius.inputs[0])
    links.new(radius.outputs["Value"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], surface.inputs["Base Color"])
    return material


def _pose_head(head: bpy.types.Object, job: np.lib.npyio.NpzFile, shot: int) -> None:
    mesh = head.data
    points = job["geometries"][job["shot_geometry"][shot]]
    mesh.vertices.foreach_set("co", points.astype(np.float32).ravel())
    paint = job["paints"][job["shot_paint"][shot]]
    rgba = np.concatenate([paint, np.ones((len(paint), 1), np.float32)], axis=1)
    mesh.color_attributes["paint"].data.foreach_set("color", rgba.astype(np.float32).ravel())
    iris = job["irises"][job["shot_paint"][shot]]
    sclera = (0.60, 0.57, 0.54, 1.0)
    colours = [(0.0, 0.0, 0.0, 1.0)] * 2 + [(*iris, 1.0)] * 2 + [(*(iris * 0.4), 1.0), sclera]
    stops = mesh.materials[1].node_tree.nodes["iris"].color_ramp.elements
    for stop, colour in zip(stops, colours, strict=True):
        stop.color = colour
    mesh.update()


def _camera(scene: bpy.types.Scene) -> bpy.types.Object:
    lens = bpy.data.cameras.new("camera")
    lens.sensor_width = SENSOR_MM
    lens.clip_start = 0.01
    camera = bpy.data.objects.new("camera", lens)
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def _aim(camera: bpy.types.Object, rotation: np.ndarray, translation: np.ndarray) -> None:
    """OpenCV world-to-camera -> Blender's camera, which looks along its -z with y up."""
    pose = np.eye(4)
    pose[:3, :3] = rotation.T @ np.diag([1.0, -1.0, -1.0])
    pose[:3, 3] = -rotation.T @ translation
    camera.matrix_world = Matrix(pose.tolist())


def _lamp(scene: bpy.types.Scene, energy: float) -> bpy.types.Object:
    light = bpy.data.lights.new("lamp", "AREA")
    light.shape, light.size, light.energy = "DISK", 0.8, energy
    lamp = bpy.data.objects.new("lamp", light)
    lamp.visible_camera = False
    scene.collection.objects.link(lamp)
    return lamp


def _place_lamp(lamp: bpy.types.Object, place: np.ndarray, target: np.ndarray) -> None:
    """Put the lamp at `place` and turn its -z axis to the target."""
    backward = (place - target) / np.linalg.norm(place - target)
    side = np.cross([0.0, 1.0, 0.0], backward)
    side /= np.linalg.norm(side)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([side, np.cross(backward, side), backward], axis=1)
    pose[:3, 3] = place
    lamp.matrix_world = Matrix(pose.tolist())


def _tint_world(scene: bpy.types.Scene, colour: np.ndarray) -> None:
    background = scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*colour.tolist(), 1.0)
    background.inputs["Strength"].default_value = 1.0


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.flush()
    # bpy 4.5 can hang in its own teardown; everything is written by now.
    os._exit(0)
