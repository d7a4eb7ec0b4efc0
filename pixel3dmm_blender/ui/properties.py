# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel keeps in the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, FloatProperty, StringProperty

TEXTURE_SIZES = (
    ("0", "None", "Build the head without a texture"),
    ("1024", "1024", "Small, for previews"),
    ("2048", "2048", "Right for most photos"),
    ("4096", "4096", "For large photos"),
)


class PIXEL3DMM_PG_scene(bpy.types.PropertyGroup):
    """The footage that was chosen and how to reconstruct it."""

    if TYPE_CHECKING:
        filepath: str
        texture_size: str
        personal_shape: float
        focal_35mm: float
    else:
        filepath: StringProperty(
            name="Photo",
            description="Photo or clip of the face",
            subtype="FILE_PATH",
            options={"PATH_SUPPORTS_BLEND_RELATIVE"},
        )
        texture_size: EnumProperty(
            name="Texture",
            description="Side of the head's texture in pixels",
            items=TEXTURE_SIZES,
            default="2048",
        )
        focal_35mm: FloatProperty(
            name="Focal Length",
            description=(
                "Focal length of the photo in mm, as on a full-frame camera (36 mm along the long "
                "side); 0 takes it from the photo's EXIF data, or assumes a portrait lens"
            ),
            min=0.0,
            soft_max=200.0,
            default=0.0,
            precision=0,
        )
        personal_shape: FloatProperty(
            name="Personal Shape",
            description="How far the surface may leave the head model to follow this face",
            min=0.0,
            max=1.0,
            default=0.0,
            subtype="FACTOR",
        )
