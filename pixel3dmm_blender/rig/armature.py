# SPDX-License-Identifier: GPL-3.0-or-later
"""The HeadRig's bones as an armature, and their solved rotations as a pose."""

from __future__ import annotations

import bpy
from mathutils import Vector

from ..motion.axes import points_to_blender
from ..motion.curves import bone_frames
from ..wire import Doubles, HeadRig


def build_armature(rig: HeadRig, name: str, collection: bpy.types.Collection) -> bpy.types.Object:
    """Build the bones; the object is linked first, for bones can be made in Edit Mode only.

    The scene must be in Object Mode; it is so again afterwards, and the armature is active.
    """
    armature = bpy.data.armatures.new(name)
    armature.display_type = "STICK"
    owner = bpy.data.objects.new(name, armature)
    owner.rotation_mode = "QUATERNION"
    collection.objects.link(owner)
    view_layer = bpy.context.view_layer
    view_layer.objects.active = owner
    with bpy.context.temp_override(active_object=owner, object=owner, selected_objects=[owner]):
        bpy.ops.object.mode_set(mode="EDIT")
        try:
            _add_bones(armature, rig)
        finally:
            bpy.ops.object.mode_set(mode="OBJECT")
    return owner


def bind(head: bpy.types.Object, armature: bpy.types.Object) -> None:
    """Parent the head to its armature and let the bones bend it by the head's vertex groups."""
    head.parent = armature
    bend = head.modifiers.new("Armature", "ARMATURE")
    bend.object = armature


def set_pose(armature: bpy.types.Object, rig: HeadRig, quaternions: Doubles) -> None:
    """Turn the bones by quaternions [J, 4] in their rest frames."""
    for name, turn in zip(rig.bone_names, quaternions.tolist(), strict=True):
        armature.pose.bones[name].rotation_quaternion = turn


def _add_bones(armature: bpy.types.Armature, rig: HeadRig) -> None:
    heads, tails = points_to_blender(rig.bone_heads), points_to_blender(rig.bone_tails)
    frames = bone_frames(rig)
    bones = armature.edit_bones
    for j, (name, parent) in enumerate(zip(rig.bone_names, rig.bone_parents.tolist(), strict=True)):
        bone = bones.new(name)
        bone.head, bone.tail = heads[j].tolist(), tails[j].tolist()
        bone.align_roll(Vector(frames[j, :, 2].tolist()))
        if parent >= 0:
            bone.parent = bones[rig.bone_names[parent]]
