# SPDX-License-Identifier: GPL-3.0-or-later
"""The person leaves Blender as glTF with all that makes it a rig."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from pixel3dmm_blender.motion.png import encode_png
from pixel3dmm_blender.rig.materials import Skin
from pixel3dmm_blender.rig.person import build_person
from tests.fakes.tracked import make_tracked


def exported(path: Path, **settings: Any) -> dict[str, Any]:
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLB", **settings)
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + length])


def build(photo: Path, frame_count: int = 1) -> None:
    tracked = make_tracked(frame_count=frame_count)
    assert tracked.texture is not None
    skin = Skin(encode_png(tracked.texture.pixels), 64, 64)
    build_person(bpy.context.scene, tracked, "ada", photo, skin)


def test_keys_bones_picture_and_see_through_lashes_reach_gltf(photo, tmp_path) -> None:
    build(photo("ada"))

    scene = exported(tmp_path / "ada.glb")

    (mesh,) = scene["meshes"]
    names = ["jawOpen", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "tongueOut"]
    assert mesh["extras"]["targetNames"] == names
    np.testing.assert_allclose(mesh["weights"], [0.3, 0.6, 0.2, 0.5, 0.0], atol=1e-6)
    (skin,) = scene["skins"]
    joints = {scene["nodes"][joint]["name"] for joint in skin["joints"]}
    assert joints == {"neck", "head", "jaw", "eye_L", "eye_R"}
    modes = {each["name"]: each.get("alphaMode", "OPAQUE") for each in scene["materials"]}
    assert modes == {"ada Skin": "OPAQUE", "ada Lashes": "BLEND"}
    assert len(scene["images"]) == 1


def test_the_licence_travels_with_the_mesh(photo, tmp_path) -> None:
    build(photo("ada"))

    scene = exported(tmp_path / "ada.glb", export_extras=True)

    assert "commercial use" in scene["meshes"][0]["extras"]["pixel3dmm_licence"]


def test_a_performance_reaches_gltf(photo, tmp_path) -> None:
    build(photo("clip"), frame_count=8)

    scene = exported(tmp_path / "clip.glb")

    paths = {
        channel["target"]["path"]
        for animation in scene["animations"]
        for channel in animation["channels"]
    }
    assert {"weights", "rotation"} <= paths
