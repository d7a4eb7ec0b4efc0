# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracked -> a person in the scene: one collection with rig, head and camera.

The armature is the root. After a photo the camera is its child, so the person can be moved and the
match stays; after a clip the camera stands free, for the rig moves before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ..motion.axes import points_to_blender
from ..motion.curves import FIRST_FRAME, bone_quaternions, describe_track
from ..motion.posing import key_values
from ..motion.rotation import quaternion_from_axis_angle
from ..wire import FaceTrack, Floats, FootageUnreadable, Tracked
from .animate import key_track
from .armature import bind, build_armature, set_pose
from .camera import add_plate, build_camera, fit_render
from .find import Role, free_name, has_people, stamp
from .head import build_head, show_confidence
from .materials import Skin, build_materials
from .place import find_free_place
from .shape_keys import build_keys, set_keys, widen_sliders
from .solve import store_solve
from .whole import all_or_nothing


@dataclass(frozen=True)
class Person:
    """What build_person put into the scene."""

    collection: bpy.types.Collection
    rig: bpy.types.Object
    head: bpy.types.Object
    camera: bpy.types.Object


def build_person(
    scene: bpy.types.Scene, tracked: Tracked, name: str, plate: Path, skin: Skin | None
) -> Person:
    """Build all that a Tracked reply describes, or nothing; the scene must be current and in Object Mode."""
    with all_or_nothing():
        return _build(scene, tracked, name, plate, skin)


def _build(
    scene: bpy.types.Scene, tracked: Tracked, name: str, plate: Path, skin: Skin | None
) -> Person:
    place = find_free_place(scene, tracked.rig)
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    rig = build_armature(tracked.rig, f"{collection.name} Rig", collection)
    head = build_head(
        tracked.rig, f"{collection.name} Head", build_materials(tracked.rig, collection.name, skin)
    )
    collection.objects.link(head)
    if tracked.vertex_confidence is not None:
        show_confidence(head, tracked.vertex_confidence)
    build_keys(head, tracked.rig)
    bind(head, rig)
    _smooth_surface(head)
    camera = build_camera(tracked.track.camera, f"{collection.name} Camera")
    collection.objects.link(camera)
    person = Person(collection, rig, head, camera)
    if len(tracked.track.frames) > 1:
        _animate(scene, person, tracked, place)
    else:
        _pose(person, tracked, place)
    _plate(person, plate)
    fit_render(scene, tracked.track.camera, camera)
    stamped = free_name(collection.name)
    for owner, role in ((rig, Role.RIG), (head, Role.HEAD), (camera, Role.CAMERA)):
        stamp(owner, stamped, role)
    store_solve(rig, tracked)
    _select(head)
    return person


def _smooth_surface(head: bpy.types.Object) -> None:
    surface = head.modifiers.new("Subdivision", "SUBSURF")
    surface.levels, surface.render_levels = 1, 2
    # The texture was baked on straight-edged UV faces.
    surface.uv_smooth = "NONE"


def _pose(person: Person, tracked: Tracked, place: Floats) -> None:
    """Show the photo's face: sliders and bones as solved."""
    track, rig = tracked.track, tracked.rig
    set_keys(person.head, rig.key_names, key_values(rig, track)[0])
    set_pose(person.rig, rig, bone_quaternions(rig, track)[0])
    location = points_to_blender(track.transl[0]) + place
    person.rig.location = location.tolist()
    turn = quaternion_from_axis_angle(points_to_blender(track.rotation[0]))
    person.rig.rotation_quaternion = turn.tolist()
    person.camera.parent = person.rig


def _animate(scene: bpy.types.Scene, person: Person, tracked: Tracked, place: Floats) -> None:
    """Key the clip's performance; the camera stands where the solver had it, seen from ``place``."""
    track, rig = tracked.track, tracked.rig
    widen_sliders(person.head, rig.key_names, key_values(rig, track))
    curves = describe_track(rig, track, place)
    keys = person.head.data.shape_keys
    assert keys is not None
    key_track(person.collection.name, curves, person.rig, keys)
    person.camera.matrix_basis = Matrix.Translation(place.tolist()) @ person.camera.matrix_basis
    _fit_timeline(scene, track)


def _fit_timeline(scene: bpy.types.Scene, track: FaceTrack) -> None:
    first, last = int(np.min(track.frames)) + FIRST_FRAME, int(np.max(track.frames)) + FIRST_FRAME
    scene.frame_start, scene.frame_end = first, last
    if track.fps > 0.0 and not has_people(scene):
        scene.render.fps = max(1, round(track.fps))
        scene.render.fps_base = scene.render.fps / track.fps
    scene.frame_set(first)


def _plate(person: Person, path: Path) -> None:
    try:
        add_plate(person.camera, path)
    except FootageUnreadable:
        # The engine reads more than Blender (AVIF, animated WebP, 16-bit oddities): the head stands
        # without its plate.
        person.camera["pixel3dmm_plate"] = str(path).encode("utf-8", "replace").decode()


def _select(head: bpy.types.Object) -> None:
    view_layer = bpy.context.view_layer
    for each in view_layer.objects.selected[:]:
        each.select_set(False)
    head.select_set(True)
    view_layer.objects.active = head
