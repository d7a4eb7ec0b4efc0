# SPDX-License-Identifier: GPL-3.0-or-later
"""HeadRig -> mesh object: faces, UV maps, material slots, vertex groups, confidence, provenance."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np

from ..motion.axes import points_to_blender
from ..wire import Floats, HeadRig

REGION: Final = "region_"
"""Before the names of regions, whose own names may equal a bone's (eye_L)."""
UV: Final = "uv_"
"""Before the names of UV maps: the viewport would read a vertex group (head) in place of its namesake."""
CONFIDENCE: Final = "confidence"
"""Attribute of the points, 0..1: how much the pictures told about them."""
_WEIGHTLESS: Final = 1e-6


def build_head(
    rig: HeadRig, name: str, materials: tuple[bpy.types.Material, ...]
) -> bpy.types.Object:
    """Build the neutral head as an object that stands in no collection yet."""
    mesh = bpy.data.meshes.new(name)
    _fill_faces(mesh, rig)
    _fill_uv_maps(mesh, rig)
    for material in materials:
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", rig.face_materials)
    mesh.attributes.new("mirror", "INT", "POINT").data.foreach_set("value", rig.mirror)
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    head = bpy.data.objects.new(name, mesh)
    for bone, weights in zip(rig.bone_names, rig.skin_weights, strict=True):
        fill_group(head, bone, weights)
    for region, weights in zip(rig.group_names, rig.groups, strict=True):
        fill_group(head, REGION + region, weights)
    for owner in (head, mesh):
        owner["pixel3dmm_head"] = rig.head
        owner["pixel3dmm_licence"] = rig.licence
        owner["pixel3dmm_provenance"] = rig.provenance
    return head


def show_confidence(head: bpy.types.Object, confidence: Floats) -> None:
    """Store [V] how much the pictures told about each vertex, for materials, geometry nodes and the spreadsheet."""
    attribute = head.data.attributes.new(CONFIDENCE, "FLOAT", "POINT")
    attribute.data.foreach_set("value", confidence)


def fill_group(head: bpy.types.Object, name: str, weights: Floats) -> None:
    """Make a vertex group of weights [V]; Blender has no bulk call, so one call per distinct weight."""
    group = head.vertex_groups.new(name=name)
    held = np.flatnonzero(weights > _WEIGHTLESS)
    values, inverse = np.unique(weights[held], return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.cumsum(np.bincount(inverse, minlength=len(values)))[:-1]
    for value, members in zip(values.tolist(), np.split(held[order], starts), strict=True):
        group.add(members.tolist(), value, "REPLACE")


def _fill_faces(mesh: bpy.types.Mesh, rig: HeadRig) -> None:
    mesh.vertices.add(len(rig.neutral))
    mesh.vertices.foreach_set("co", points_to_blender(rig.neutral).ravel())
    mesh.loops.add(len(rig.face_vertices))
    mesh.loops.foreach_set("vertex_index", rig.face_vertices)
    mesh.polygons.add(len(rig.face_sizes))
    starts = np.concatenate(([0], np.cumsum(rig.face_sizes)[:-1])).astype(np.int32)
    mesh.polygons.foreach_set("loop_start", starts)


def _fill_uv_maps(mesh: bpy.types.Mesh, rig: HeadRig) -> None:
    for name, corners in zip(rig.uv_names, rig.uv, strict=True):
        layer = mesh.uv_layers.new(name=UV + name, do_init=False)
        layer.uv.foreach_set("vector", corners.ravel())
    if rig.uv_names:
        mesh.uv_layers[0].active = True
        mesh.uv_layers[0].active_render = True
