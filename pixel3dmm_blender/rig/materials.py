# SPDX-License-Identifier: GPL-3.0-or-later
"""How the head looks: one packed texture, one Principled BSDF per material slot of the HeadRig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import bpy

from ..wire import HeadRig, Material
from .camera import pack_picture
from .head import UV

_SCATTER_RADIUS: Final = (1.0, 0.35, 0.2)
"""Red light travels furthest in skin; relative, per channel (Blender's own default for skin)."""
_SCATTER_SCALE_M: Final = 0.004
_BARE_COLOR: Final = (0.6, 0.6, 0.6)


@dataclass(frozen=True)
class Skin:
    """A texture as a PNG file: encoded beforehand, so that Blender's main thread need not."""

    png: bytes
    width: int
    height: int


def build_materials(rig: HeadRig, name: str, skin: Skin | None) -> tuple[bpy.types.Material, ...]:
    """Build all material slots around one image."""
    image = pack_picture(skin.png, f"{name} Color", skin.width, skin.height) if skin else None
    if image is not None:
        # Not CHANNEL_PACKED: the window's solid shading would ignore the alpha of lashes and hair.
        image.alpha_mode = "STRAIGHT"
    uv_name = UV + rig.uv_names[0] if rig.uv_names else ""
    return tuple(_build_material(look, name, image, uv_name) for look in rig.materials)


def _build_material(
    look: Material, name: str, image: bpy.types.Image | None, uv_name: str
) -> bpy.types.Material:
    material = bpy.data.materials.new(f"{name} {look.name.replace('_', ' ').title()}")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    assert tree is not None
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = look.roughness
    shader.inputs["Specular IOR Level"].default_value = look.specular
    shader.inputs["Subsurface Weight"].default_value = look.subsurface
    shader.inputs["Subsurface Radius"].default_value = _SCATTER_RADIUS
    shader.inputs["Subsurface Scale"].default_value = _SCATTER_SCALE_M
    color = look.color.tolist() if look.color is not None else list(_BARE_COLOR)
    shader.inputs["Base Color"].default_value = (*color, 1.0)
    material.diffuse_color = (*color, 1.0)
    material.roughness = look.roughness
    if image is not None:
        _paint(tree, shader, image, uv_name, look.alpha)
    if look.alpha:
        # Dithered alpha needs no sorting, so lashes before hair before skin are right in every
        # view.
        material.surface_render_method = "DITHERED"
        material.use_transparent_shadow = True
    return material


def _paint(
    tree: bpy.types.NodeTree,
    shader: bpy.types.Node,
    image: bpy.types.Image,
    uv_name: str,
    has_alpha: bool,
) -> None:
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.image = image
    picture.location = (-320, 240)
    coordinates = tree.nodes.new("ShaderNodeUVMap")
    coordinates.uv_map = uv_name
    coordinates.location = (-540, 100)
    tree.links.new(coordinates.outputs["UV"], picture.inputs["Vector"])
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    if has_alpha:
        tree.links.new(picture.outputs["Alpha"], shader.inputs["Alpha"])
    tree.nodes.active = picture
