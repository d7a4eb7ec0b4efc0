# SPDX-License-Identifier: GPL-3.0-or-later
"""The person in the scene: what Blender evaluates and projects is what the engine solved."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from pixel3dmm_blender.motion.axes import camera_from_blender, points_to_blender
from pixel3dmm_blender.motion.curves import FIRST_FRAME, bone_frames
from pixel3dmm_blender.motion.png import encode_png
from pixel3dmm_blender.motion.posing import pose_head
from pixel3dmm_blender.rig.find import Role, part_of, person_of
from pixel3dmm_blender.rig.head import UV
from pixel3dmm_blender.rig.materials import Skin
from pixel3dmm_blender.rig.person import Person, build_person
from pixel3dmm_blender.wire import Tracked
from tests.fakes.tracked import make_tracked


def build(tracked: Tracked, plate: Path, name: str = "ada") -> Person:
    skin = None
    if tracked.texture is not None:
        height, width = tracked.texture.pixels.shape[:2]
        skin = Skin(encode_png(tracked.texture.pixels), width, height)
    return build_person(bpy.context.scene, tracked, name, plate, skin)


def evaluated_vertices(person: Person) -> np.ndarray:
    """World positions [V, 3] of the cage as Blender deforms it."""
    person.head.modifiers["Subdivision"].show_viewport = False
    evaluated = person.head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    matrix = np.array(evaluated.matrix_world)
    evaluated.to_mesh_clear()
    return flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def projected_px(person: Person, vertices: np.ndarray) -> np.ndarray:
    render = bpy.context.scene.render
    view = [
        world_to_camera_view(bpy.context.scene, person.camera, Vector(each)) for each in vertices
    ]
    size = np.array([render.resolution_x, render.resolution_y])
    return (np.array(view)[:, :2] * [1, -1] + [0, 1]) * size


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1920, 1080), (101, 333)])
def test_vertices_fall_on_the_pixels_that_the_solver_said(size, photo) -> None:
    tracked = make_tracked(*size)

    person = build(tracked, photo("ada"))

    solved = tracked.track.camera.project(pose_head(tracked.rig, tracked.track, 0))
    found = projected_px(person, evaluated_vertices(person))
    assert np.ptp(solved, axis=0).min() > 0.1 * min(size)
    np.testing.assert_allclose(found, solved, atol=0.01)


def test_blender_poses_the_head_as_our_own_mathematics(photo) -> None:
    tracked = make_tracked()

    person = build(tracked, photo("ada"))

    posed = pose_head(tracked.rig, tracked.track, 0)
    assert np.linalg.norm(posed - tracked.rig.neutral, axis=1).max() > 0.01
    np.testing.assert_allclose(evaluated_vertices(person), points_to_blender(posed), atol=1e-6)


def test_a_clip_moves_as_our_own_mathematics_in_every_frame(photo) -> None:
    tracked = make_tracked(frame_count=12)

    person = build(tracked, photo("ada"))

    for i in (0, 5, 11):
        bpy.context.scene.frame_set(i + FIRST_FRAME)
        posed = pose_head(tracked.rig, tracked.track, i)
        np.testing.assert_allclose(evaluated_vertices(person), points_to_blender(posed), atol=1e-5)
        np.testing.assert_allclose(
            projected_px(person, evaluated_vertices(person)),
            tracked.track.camera.project(posed),
            atol=0.05,
        )


def test_a_clip_is_one_action_with_a_slot_for_bones_and_one_for_keys(photo) -> None:
    tracked = make_tracked(frame_count=12)

    person = build(tracked, photo("ada"))

    (action,) = bpy.data.actions
    keys = person.head.data.shape_keys
    assert person.rig.animation_data.action == keys.animation_data.action == action
    assert {slot.target_id_type for slot in action.slots} == {"OBJECT", "KEY"}
    bag = action.layers[0].strips[0].channelbag(keys.animation_data.action_slot)
    jaw = bag.fcurves.find('key_blocks["jawOpen"].value')
    assert len(jaw.keyframe_points) == 12
    assert jaw.evaluate(1 + FIRST_FRAME) == pytest.approx(0.32)
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end) == (1, 12)
    assert scene.render.fps / scene.render.fps_base == pytest.approx(25.0)


def test_no_uv_map_is_called_like_a_vertex_group(photo) -> None:
    tracked = make_tracked()
    namesakes = dataclasses.replace(tracked.rig, uv_names=("head", "neck"))

    head = build(dataclasses.replace(tracked, rig=namesakes), photo("ada")).head

    # One name for both, and a viewport draws the weights where the texture belongs.
    assert {"head", "neck"} <= {group.name for group in head.vertex_groups}
    assert not {layer.name for layer in head.data.uv_layers} & set(head.vertex_groups.keys())


def test_the_head_is_what_the_rig_says(photo) -> None:
    tracked = make_tracked()
    rig = tracked.rig

    person = build(tracked, photo("ada"))

    mesh = person.head.data
    assert not mesh.validate()
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", sizes)
    np.testing.assert_array_equal(sizes, rig.face_sizes)
    for name, uv in zip(rig.uv_names, rig.uv, strict=True):
        flat = np.empty(2 * len(mesh.loops), np.float32)
        mesh.uv_layers[UV + name].uv.foreach_get("vector", flat)
        np.testing.assert_array_equal(flat.reshape(-1, 2), uv)
    assert mesh.uv_layers.active.name == UV + rig.uv_names[0]
    assert [slot.material.name for slot in person.head.material_slots] == ["ada Skin", "ada Lashes"]
    assert [polygon.material_index for polygon in mesh.polygons] == rig.face_materials.tolist()
    assert all(polygon.use_smooth for polygon in mesh.polygons)


def test_weights_and_regions_are_vertex_groups_that_do_not_clash(photo) -> None:
    tracked = make_tracked()
    rig = tracked.rig

    person = build(tracked, photo("ada"))

    for names, prefix, weights in (
        (rig.bone_names, "", rig.skin_weights),
        (rig.group_names, "region_", rig.groups),
    ):
        for j, name in enumerate(names):
            index = person.head.vertex_groups[prefix + name].index
            found = [
                sum(each.weight for each in vertex.groups if each.group == index)
                for vertex in person.head.data.vertices
            ]
            np.testing.assert_allclose(found, weights[j], atol=2e-6)


def test_the_basis_is_the_neutral_face_and_keys_are_where_the_solver_left_them(photo) -> None:
    tracked = make_tracked()
    rig = tracked.rig

    person = build(tracked, photo("ada"))

    blocks = person.head.data.shape_keys.key_blocks
    assert [block.name for block in blocks] == ["Basis", *rig.key_names]
    assert all(block.relative_key == blocks["Basis"] for block in blocks)
    flat = np.empty(3 * len(rig.neutral), np.float32)
    blocks["Basis"].points.foreach_get("co", flat)
    np.testing.assert_array_equal(flat.reshape(-1, 3), points_to_blender(rig.neutral))
    values = [blocks[name].value for name in rig.key_names]
    np.testing.assert_allclose(values, [0.3, 0.6, 0.2, 0.5, 0.0], atol=1e-6)
    assert all((blocks[n].slider_min, blocks[n].slider_max) == (0.0, 1.0) for n in rig.key_names)


def test_a_slider_reaches_a_value_beyond_its_range(photo) -> None:
    tracked = make_tracked()
    far = tracked.track.expression.copy()
    far[0, 1] = -1.7
    tracked = dataclasses.replace(tracked, track=dataclasses.replace(tracked.track, expression=far))

    person = build(tracked, photo("ada"))

    key = person.head.data.shape_keys.key_blocks["mouthSmileLeft"]
    assert key.value == pytest.approx(-1.7)
    assert key.slider_min == pytest.approx(-1.7)


def test_bones_stand_where_the_rig_says_and_x_is_the_subjects_left(photo) -> None:
    tracked = make_tracked()
    rig = tracked.rig

    person = build(tracked, photo("ada"))

    bones = person.rig.data.bones
    assert [bone.name for bone in bones] == list(rig.bone_names)
    assert [bone.parent.name if bone.parent else "" for bone in bones] == [
        rig.bone_names[parent] if parent >= 0 else "" for parent in rig.bone_parents
    ]
    heads = np.array([bone.head_local for bone in bones])
    np.testing.assert_allclose(heads, points_to_blender(rig.bone_heads), atol=1e-6)
    frames = np.array([np.array(bone.matrix_local)[:3, :3] for bone in bones])
    np.testing.assert_allclose(frames, bone_frames(rig), atol=2e-6)


def test_the_nose_points_to_minus_y(photo) -> None:
    tracked = make_tracked()

    person = build(tracked, photo("ada"))

    vertices = np.array([vertex.co for vertex in person.head.data.vertices])
    nose = int(np.argmax(tracked.rig.neutral[:, 2]))
    bpy.context.view_layer.update()
    assert vertices[nose, 1] == vertices[:, 1].min() < -0.09
    assert person.camera.matrix_world.translation.y < vertices[nose, 1]


def test_the_camera_has_the_solved_lens_and_stands_where_it_was(photo) -> None:
    tracked = make_tracked(1920, 1080)
    solved = tracked.track.camera

    person = build(tracked, photo("wide"))

    bpy.context.view_layer.update()
    lens = person.camera.data
    assert lens.lens / lens.sensor_width * 1920 == pytest.approx(solved.focal_px, rel=1e-6)
    np.testing.assert_allclose(
        camera_from_blender(np.array(person.camera.matrix_world)), solved.world_to_camera, atol=1e-6
    )
    render = bpy.context.scene.render
    assert (render.resolution_x, render.resolution_y) == (1920, 1080)
    assert bpy.context.scene.camera == person.camera
    plate = lens.background_images[0]
    assert plate.image.packed_file is not None
    assert tuple(plate.image.size) == (1920, 1080)


def test_a_photo_on_its_side_stands_upright_behind_the_head(tmp_path: Path) -> None:
    Image = pytest.importorskip("PIL.Image", reason="Pillow writes the EXIF tag")
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:, :32] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "side.jpg"
    Image.fromarray(stored).save(path, exif=exif, quality=100, subsampling=0)

    person = build(make_tracked(48, 64), path)

    image = person.camera.data.background_images[0].image
    assert tuple(image.size) == (48, 64)
    rows = np.array(image.pixels[:]).reshape(64, 48, -1)
    assert rows[-1].mean() > 0.9  # Blender counts rows from below: white is at the top
    assert rows[0, :, :3].max() < 0.1


def test_a_plate_that_blender_cannot_open_leaves_the_head_standing(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(b"not a picture for Blender")

    person = build(make_tracked(), tmp_path / "photo.heic")

    assert len(person.camera.data.background_images) == 0
    assert person.head.name in bpy.context.scene.objects


def test_a_second_head_stands_beside_the_first_and_still_matches_its_photo(photo) -> None:
    tracked = make_tracked()
    first = build(tracked, photo("ada"))
    bpy.context.view_layer.update()

    second = build(tracked, photo("ada"))

    bpy.context.view_layer.update()
    assert first.rig.location.x == 0.0
    assert second.rig.location.x > 1.0
    assert second.collection.name == "ada.001"
    assert person_of(second.head) != person_of(first.head)
    np.testing.assert_allclose(
        projected_px(second, evaluated_vertices(second)),
        tracked.track.camera.project(pose_head(tracked.rig, tracked.track, 0)),
        atol=0.01,
    )


def test_a_head_stands_on_a_large_floor_not_beside_it(photo) -> None:
    bpy.ops.mesh.primitive_plane_add(size=1000.0)

    assert build(make_tracked(), photo("ada")).rig.location.x == 0.0


def test_parts_are_found_by_what_they_are_not_by_their_names(photo) -> None:
    person = build(make_tracked(), photo("ada"))
    person.head.name, person.rig.name = "something", "else"

    assert part_of(bpy.context.scene, person_of(person.head), Role.RIG) == person.rig
    assert part_of(bpy.context.scene, person_of(person.head), Role.CAMERA) == person.camera
    assert person_of(None) == ""


def test_a_renamed_person_is_not_mixed_up_with_the_next_of_its_name(photo) -> None:
    first = build(make_tracked(), photo("ada"))
    first.collection.name = "grace"

    second = build(make_tracked(), photo("ada"))

    assert second.collection.name == "ada"
    for person in (first, second):
        assert part_of(bpy.context.scene, person_of(person.head), Role.RIG) == person.rig


def test_a_person_that_cannot_be_finished_leaves_nothing_behind(photo, monkeypatch) -> None:
    def stumble(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr("pixel3dmm_blender.rig.person.store_solve", stumble)
    bpy.ops.mesh.primitive_cube_add()

    with pytest.raises(RuntimeError, match="no memory"):
        build(make_tracked(), photo("ada"))

    assert [each.name for each in bpy.data.objects] == ["Cube"]
    kept = (bpy.data.collections, bpy.data.armatures, bpy.data.materials, bpy.data.images)
    assert not any(len(kind) for kind in (*kept, bpy.data.shape_keys))


def test_everything_survives_saving_and_loading(photo, tmp_path: Path) -> None:
    build(make_tracked(), photo("ada"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    photo("ada").unlink()

    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))

    head, rig = bpy.data.objects["ada Head"], bpy.data.objects["ada Rig"]
    camera = bpy.data.objects["ada Camera"]
    blocks = head.data.shape_keys.key_blocks
    assert blocks["mouthSmileLeft"].value == pytest.approx(0.6)
    assert len(blocks) == 6
    assert rig.pose.bones["jaw"].rotation_quaternion.angle == pytest.approx(0.25, abs=2e-3)
    assert head.parent == rig
    image = bpy.data.images["ada Color"]
    assert image.packed_file is not None
    assert tuple(image.size) == (64, 64)
    np.testing.assert_allclose(image.pixels[0:3], np.array([200, 90, 130]) / 255, atol=0.01)
    plate = camera.data.background_images[0].image
    assert plate.packed_file is not None
    assert tuple(plate.size) == (640, 480)
    assert plate.has_data or len(plate.pixels)
    solve = rig["pixel3dmm_solve"]
    assert solve["identity"]["identity_001"] == -1.25
    assert solve["expression"]["jawOpen"][0] == pytest.approx(0.3)
    assert list(solve["camera"]["center_px"]) == pytest.approx([352.0, 196.8])
    assert rig["pixel3dmm_error_percent"] == pytest.approx(0.75)
    assert rig["pixel3dmm_stages"]["Fitting the head"] == pytest.approx(0.2)
    assert rig["pixel3dmm_engine_bytes"] == 300 * 1024**2
    assert "commercial use" in head["pixel3dmm_licence"]
    assert head["pixel3dmm_provenance"]


def test_lashes_are_see_through_where_the_texture_says_and_skin_is_not(photo) -> None:
    person = build(make_tracked(), photo("ada"))

    skin, lashes = (slot.material for slot in person.head.material_slots)
    alpha = {
        material.name: next(
            node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED"
        ).inputs["Alpha"].is_linked
        for material in (skin, lashes)
    }  # fmt: skip
    assert alpha == {"ada Skin": False, "ada Lashes": True}


def test_a_head_without_a_texture_has_its_plain_colours(photo) -> None:
    person = build(make_tracked(has_texture=False), photo("ada"))

    assert "ada Color" not in bpy.data.images
    assert len(person.head.material_slots) == 2
