# SPDX-License-Identifier: GPL-3.0-or-later
"""Files written without Blender, read back by readers of their own."""

from __future__ import annotations

import errno
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixel3dmm_blender.wire import Camera, DiskFull, FaceTrack, Texture, Tracked
from server import export
from server.heads.rig import make_rig
from tests.fakes.head import make_fake_head


@pytest.fixture(scope="module")
def model():
    return make_fake_head()


def make_tracked(model, frames=1, texture=True):
    random = np.random.default_rng(4)
    look = np.diag([1.0, -1.0, -1.0, 1.0])
    look[:3, 3] = [0.01, 0.02, 0.7]
    camera = Camera(
        width=640,
        height=480,
        focal_px=900.0,
        center_px=np.array([322.0, 237.5]),
        world_to_camera=look,
        focal_source="exif",
    )
    count = len(model.expression_names)
    moving = 0.0 if frames == 1 else 1.0
    error = random.uniform(0.5, 2, frames).astype(np.float32)
    error[-1] = np.nan if frames > 1 else error[-1]
    track = FaceTrack(
        head="fake",
        frames=np.arange(10, 10 + frames, dtype=np.int32),
        camera=camera,
        identity_names=model.identity_names,
        identity=random.normal(size=len(model.identity_names)).astype(np.float32),
        expression_names=model.expression_names,
        expression=random.uniform(0, 1, (frames, count)).astype(np.float32),
        joint_names=model.joint_names,
        joint_rotation=np.zeros((frames, len(model.joint_names), 3), np.float32),
        rotation=(moving * random.normal(0, 0.3, (frames, 3))).astype(np.float32),
        transl=(moving * random.normal(0, 0.02, (frames, 3))).astype(np.float32),
        valid=np.ones(frames, bool),
        error_px=error,
        raw_error_px=error,
        face_height_px=np.full(frames, 200, np.float32),
        confidence=np.ones(frames, np.float32),
        fps=25.0 if frames > 1 else 0.0,
        scale_source="user",
        focal_std=0.125,
        identity_std=random.uniform(0, 1, len(model.identity_names)).astype(np.float32),
        expression_std=random.uniform(0, 0.2, (frames, count)).astype(np.float32),
        rotation_std=np.full((frames, 3), 0.02, np.float32),
        transl_std=np.full((frames, 3), 0.01, np.float32),
    )
    pixels = random.integers(0, 255, (8, 8, 4)).astype(np.uint8)
    return Tracked(
        track=track,
        rig=make_rig(model, track.identity),
        texture=Texture(pixels=pixels, observed=np.ones((8, 8), bool)) if texture else None,
        landmarks_px=random.uniform(0, 400, (frames, 478, 2)).astype(np.float32),
        fitted_px=random.uniform(0, 400, (frames, 478, 2)).astype(np.float32),
        notes=("The focal length is assumed.",),
        stages=("Fitting the head",),
        stage_s=np.array([0.1], np.float32),
        memory_bytes=1,
    )


def read_obj(path):
    """Read a Wavefront OBJ by its specification, sharing nothing with the writer."""
    points, uv, faces, materials = [], [], [], []
    for line in path.read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            points.append([float(part) for part in rest])
        elif word == "vt":
            uv.append([float(part) for part in rest])
        elif word == "usemtl":
            materials.append(rest[0])
        elif word == "f":
            pairs = [[int(number) - 1 for number in part.split("/")] for part in rest]
            faces.append((materials[-1], pairs))
    return np.array(points), np.array(uv), faces


OVERLAY = np.full((6, 7, 3), 128, np.uint8)


def test_a_posed_mesh_projects_to_the_pixels_of_its_camera(model, tmp_path):
    tracked = make_tracked(model)
    posed = tracked.rig.neutral

    export.write_photo(tmp_path, tracked, posed, OVERLAY)

    camera = json.loads((tmp_path / "track.json").read_text())["camera"]
    points, _, _ = read_obj(tmp_path / "posed.obj")
    pixels = camera["focal_px"] * points[:, :2] / points[:, 2:] + camera["center_px"]
    assert np.abs(pixels - tracked.track.camera.project(posed)).max() < 1e-3


def test_a_mesh_keeps_its_faces_uvs_and_materials(model, tmp_path):
    tracked = make_tracked(model)

    export.write_photo(tmp_path, tracked, tracked.rig.neutral, OVERLAY)

    points, uv, faces = read_obj(tmp_path / "neutral.obj")
    assert np.abs(points - tracked.rig.neutral).max() < 1e-6
    assert len(faces) == len(model.face_sizes)
    starts = np.cumsum(model.face_sizes) - model.face_sizes
    expected = {
        (
            tuple(model.face_vertices[start : start + size].tolist()),
            tuple(np.round(model.uv[0][start : start + size].ravel(), 5).tolist()),
            model.materials[slot].name,
        )
        for start, size, slot in zip(starts, model.face_sizes, model.face_materials, strict=True)
    }
    written = {
        (
            tuple(vertex for vertex, _ in pairs),
            tuple(np.round(uv[[at for _, at in pairs]].astype(np.float32).ravel(), 5).tolist()),
            name,
        )
        for name, pairs in faces
    }
    assert {face[0::2] for face in written} == {face[0::2] for face in expected}
    corners = {face[0]: face[1] for face in expected}
    assert all(np.allclose(corners[face[0]], face[1], atol=2e-5) for face in written)


def test_materials_name_the_texture_that_lies_beside_them(model, tmp_path):
    tracked = make_tracked(model)

    export.write_photo(tmp_path, tracked, tracked.rig.neutral, OVERLAY)

    text = (tmp_path / "head.mtl").read_text()
    assert text.count("newmtl") == len(model.materials)
    assert "map_Kd texture.png" in text
    with Image.open(tmp_path / "texture.png") as picture:
        assert np.array_equal(np.asarray(picture), tracked.texture.pixels)
    with Image.open(tmp_path / "overlay.png") as picture:
        assert np.array_equal(np.asarray(picture), OVERLAY)


def test_without_a_texture_no_material_asks_for_one(model, tmp_path):
    tracked = make_tracked(model, texture=False)

    export.write_photo(tmp_path, tracked, tracked.rig.neutral, OVERLAY)

    assert "map_" not in (tmp_path / "head.mtl").read_text()
    assert not (tmp_path / "texture.png").exists()


def test_the_json_says_its_units_and_names_every_weight(model, tmp_path):
    tracked = make_tracked(model)

    export.write_photo(tmp_path, tracked, tracked.rig.neutral, OVERLAY)

    story = json.loads((tmp_path / "track.json").read_text())
    assert story["units"]["length"] == "metres"
    assert tuple(story["identity"]) == model.identity_names
    assert tuple(story["frames"][0]["expression"]) == model.expression_names
    assert story["frames"][0]["error_px"] == pytest.approx(float(tracked.track.error_px[0]))
    assert story["notes"] == ["The focal length is assumed."]


def test_the_json_says_how_sure_it_is_or_nothing(model, tmp_path):
    tracked = make_tracked(model)
    track = tracked.track
    silent = replace(tracked, track=replace(track, focal_std=None, expression_std=None))

    for name, said in (("sure", tracked), ("silent", silent)):
        export.write_photo(tmp_path / name, said, tracked.rig.neutral, OVERLAY)

    sure, silent = (
        json.loads((tmp_path / name / "track.json").read_text()) for name in ("sure", "silent")
    )
    assert sure["scale_source"] == "user"
    assert sure["camera"]["focal_std"] == 0.125
    assert list(sure["identity_std"].values()) == pytest.approx(track.identity_std.tolist())
    assert sure["frames"][0]["rotation_std"] == pytest.approx([0.02] * 3)
    assert tuple(sure["frames"][0]["expression_std"]) == model.expression_names
    assert silent["camera"]["focal_std"] is None
    assert silent["frames"][0]["expression_std"] is None


def test_a_clip_comes_back_from_its_npz_without_pickle(model, tmp_path):
    tracked = make_tracked(model, frames=3)

    export.write_clip(tmp_path, tracked)

    with np.load(tmp_path / "track.npz", allow_pickle=False) as file:
        track = tracked.track
        for name in ("frames", "identity", "expression", "rotation", "transl", "error_px", "valid"):
            assert np.array_equal(file[name], getattr(track, name), equal_nan=name == "error_px")
        assert tuple(file["expression_names"].tolist()) == track.expression_names
        assert np.array_equal(file["world_to_camera"], track.camera.world_to_camera)
        assert np.array_equal(file["landmarks_px"], tracked.landmarks_px)
        assert np.array_equal(file["rotation_std"], track.rotation_std)
        assert float(file["focal_std"]) == track.focal_std
    assert not (tmp_path / "meshes").exists()


def test_a_number_that_is_none_is_null_in_the_json(model, tmp_path):
    tracked = make_tracked(model, frames=3)

    export.write_clip(tmp_path, tracked)

    frames = json.loads((tmp_path / "track.json").read_text())["frames"]
    assert frames[2]["error_px"] is None


def test_the_meshes_of_a_clip_move_with_the_head(model, tmp_path):
    tracked = make_tracked(model, frames=3)
    heads = [tracked.rig.neutral] * 3

    export.write_clip(tmp_path, tracked, iter(heads))

    names = sorted(path.name for path in (tmp_path / "meshes").iterdir())
    assert names == ["000010.obj", "000011.obj", "000012.obj"]
    points, _, _ = read_obj(tmp_path / "meshes" / "000011.obj")
    placed = rotate(tracked.track.rotation[1], tracked.rig.neutral) + tracked.track.transl[1]
    assert np.abs(points - tracked.track.camera.to_camera(placed)).max() < 1e-6
    assert "mtllib ../head.mtl" in (tmp_path / "meshes" / "000011.obj").read_text()


def rotate(axis_angle, points):
    angle = np.linalg.norm(axis_angle.astype(np.float64))
    axis = axis_angle / angle
    across = np.cross(axis, points)
    along = (points @ axis)[:, None] * axis
    return points * np.cos(angle) + across * np.sin(angle) + along * (1 - np.cos(angle))


def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path, monkeypatch):
    path = tmp_path / "track.json"
    export.write_file(path, b"old")

    class FullFile(io.BytesIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export.os, "fdopen", lambda handle, _: _closing(handle, FullFile()))
    with pytest.raises(DiskFull, match="disk is full"):
        export.write_file(path, b"new")

    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["track.json"]


def _closing(handle, file):
    export.os.close(handle)
    return file


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    blocking = tmp_path / "results"
    blocking.write_text("a file")

    with pytest.raises(DiskFull, match="cannot be written"):
        export.write_file(Path(blocking) / "track.json", b"{}")
