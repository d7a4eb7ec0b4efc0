# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera -> camera object with the solved lens, and the footage behind it as a plate."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

import bpy
import numpy as np
from mathutils import Matrix

from ..motion.axes import camera_to_blender
from ..motion.curves import FIRST_FRAME
from ..motion.exif import read_orientation, turn_upright
from ..motion.png import encode_png
from ..wire import Camera, FootageUnreadable

SENSOR_MM: Final = 36.0
"""Width of the sensor that the lens is expressed for, mm."""


def build_camera(camera: Camera, name: str) -> bpy.types.Object:
    """Build a camera whose picture is the wire camera's, pixel by pixel, at fit_render's size.

    Both shifts are parts of the picture's width, for the sensor is fitted horizontally.
    """
    lens = bpy.data.cameras.new(name)
    lens.sensor_fit = "HORIZONTAL"
    lens.sensor_width = SENSOR_MM
    lens.sensor_height = SENSOR_MM * camera.height / camera.width
    lens.lens = SENSOR_MM * camera.focal_px / camera.width
    lens.shift_x = (0.5 * camera.width - float(camera.center_px[0])) / camera.width
    lens.shift_y = (float(camera.center_px[1]) - 0.5 * camera.height) / camera.width
    # Smallest distances in a portrait are centimetres; the default clips at 10 cm.
    lens.clip_start = 0.01
    lens.display_size = 0.1
    owner = bpy.data.objects.new(name, lens)
    owner.matrix_basis = Matrix(camera_to_blender(camera).tolist())
    owner["pixel3dmm_focal_source"] = camera.focal_source
    return owner


def fit_render(scene: bpy.types.Scene, camera: Camera, owner: bpy.types.Object) -> None:
    """Make the scene render what the footage shows: its camera and its size in square pixels."""
    scene.camera = owner
    scene.render.resolution_x, scene.render.resolution_y = camera.width, camera.height
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0


def add_plate(owner: bpy.types.Object, path: Path) -> None:
    """Put the footage behind the head in the camera's view: a photo packed, a clip linked."""
    image = load_upright(path)
    lens = owner.data
    lens.show_background_images = True
    plate = lens.background_images.new()
    plate.image = image
    plate.alpha = 1.0
    plate.display_depth = "BACK"
    plate.frame_method = "STRETCH"
    if image.source == "MOVIE":
        plate.image_user.frame_start = FIRST_FRAME
        plate.image_user.frame_duration = image.frame_duration
        plate.image_user.use_auto_refresh = True


def load_upright(path: Path) -> bpy.types.Image:
    """Load a photo as the engine sees it, EXIF turned, and pack it; a clip is loaded as it is.

    Raises FootageUnreadable where Blender cannot decode the file, though the engine may.
    """
    unreadable = FootageUnreadable(f"Blender cannot open {path.name}.", "Save it as PNG or JPEG.")
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError as error:
        raise unreadable from error
    if picture_size(image)[0] == 0:
        bpy.data.images.remove(image)
        raise unreadable
    if image.source == "MOVIE":
        return image
    orientation = read_orientation(path)
    if orientation > 1:
        return _replace_upright(image, orientation)
    image.pack()
    return image


def _replace_upright(image: bpy.types.Image, orientation: int) -> bpy.types.Image:
    """Blender shows a JPEG as it is stored; make a packed copy that stands upright instead."""
    width, height = picture_size(image)
    stored = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(stored)
    pixels = stored.reshape(height, width, image.channels)[::-1, :, :3]
    upright = turn_upright(np.rint(pixels * 255.0).astype(np.uint8), orientation)
    name = image.name
    bpy.data.images.remove(image)
    return pack_picture(encode_png(upright), name, upright.shape[1], upright.shape[0])


def picture_size(image: bpy.types.Image) -> tuple[int, int]:
    """Return width and height in pixels; 0 where the picture cannot be read."""
    width, height = cast("tuple[int, int]", image.size)
    return width, height


def pack_picture(png: bytes, name: str, width: int, height: int) -> bpy.types.Image:
    """Make an image datablock out of a PNG file's bytes, packed into the .blend."""
    image = bpy.data.images.new(name, 1, 1)
    image.source = "FILE"
    image.pack(data=png, data_len=len(png))
    return image
