# SPDX-License-Identifier: GPL-3.0-or-later
"""A synthetic Tracked reply: a head of about a hundred vertices with keys, bones, texture, camera.

The head is an ellipsoid of quads with a nose, two eyeball patches and one strip of lashes. What a
landmark is does not matter here: the error is made up, the geometry is exact.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pixel3dmm_blender.wire import (
    Bytes,
    Camera,
    FaceTrack,
    Floats,
    HeadRig,
    Material,
    Texture,
    Tracked,
)

RINGS, SEGMENTS = 8, 12
KEYS = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "tongueOut")
BONES = ("neck", "head", "jaw", "eye_L", "eye_R")
PARENTS = (-1, 0, 1, 1, 1)


def make_tracked(
    width: int = 640,
    height: int = 480,
    frame_count: int = 1,
    texture_size: int = 64,
    has_texture: bool = True,
) -> Tracked:
    """Make a reply with non-zero keys and bone turns, and an off-centre principal point."""
    rig = make_rig()
    return Tracked(
        track=with_doubts(make_track(width, height, frame_count)),
        rig=rig,
        texture=make_texture(texture_size) if has_texture else None,
        landmarks_px=np.full((frame_count, 3, 2), 100.0, np.float32),
        fitted_px=np.full((frame_count, 3, 2), 101.0, np.float32),
        notes=("The focal length is assumed.",),
        stages=("Finding the face", "Fitting the head"),
        stage_s=np.array([0.1, 0.2], np.float32),
        memory_bytes=300 * 1024**2,
        vertex_std_m=np.linspace(0.001, 0.003, len(rig.neutral), dtype=np.float32),
        vertex_confidence=np.linspace(0.9, 0.1, len(rig.neutral), dtype=np.float32),
    )


def make_rig(rings: int = RINGS, segments: int = SEGMENTS, key_count: int = len(KEYS)) -> HeadRig:
    """Make the head; more rings, segments and keys make one to measure speed with."""
    vertices, faces, uv = _make_shell(rings, segments)
    materials = np.zeros(len(faces), np.int32)
    materials[-3:] = 1
    return HeadRig(
        head="synthetic",
        licence="Made by a test; commercial use: yes.",
        provenance="tests/fakes/tracked.py",
        neutral=vertices,
        face_sizes=np.array([len(face) for face in faces], np.int32),
        face_vertices=np.concatenate(faces).astype(np.int32),
        face_materials=materials,
        materials=(
            Material(name="skin", subsurface=0.1),
            Material(name="lashes", alpha=True, roughness=0.8),
        ),
        uv_names=("UVMap", "original"),
        uv=np.stack((uv, uv * 0.5)).astype(np.float32),
        key_names=(*KEYS, *(f"key_{i:03d}" for i in range(key_count)))[:key_count],
        keys=_make_keys(vertices, key_count),
        key_min=np.zeros(key_count, np.float32),
        key_max=np.ones(key_count, np.float32),
        bone_names=BONES,
        bone_parents=np.array(PARENTS, np.int32),
        bone_heads=_bone_heads(),
        bone_tails=_bone_heads()
        + np.array(
            [[0, 0.1, 0.01], [0, 0.08, 0], [0, -0.03, 0.08], [0, 0, 0.02], [0, 0, 0.02]], np.float32
        ),
        skin_weights=_make_weights(vertices),
        group_names=("face", "eye_L"),
        groups=np.stack((vertices[:, 2] > 0, vertices[:, 0] > 0.05)).astype(np.float32),
        mirror=np.arange(len(vertices), dtype=np.int32),
    )


def make_track(width: int, height: int, frame_count: int) -> FaceTrack:
    """Make the motion: frame 0 of a photo has no rotation, frames of a clip move in the world."""
    time = np.arange(frame_count, dtype=np.float32)
    expression = np.stack(
        (0.3 + 0.02 * time, 0.6 + 0 * time, 0.2 + 0 * time, 0.5 + 0 * time), axis=1
    )
    turns = np.array(
        [
            [0.05, -0.1, 0.02],
            [0.1, 0.2, -0.05],
            [0.25, 0.01, 0.0],
            [0.1, 0.2, 0.0],
            [0.1, 0.15, 0.0],
        ]
    )
    moving = 0.0 if frame_count == 1 else 1.0
    return FaceTrack(
        head="synthetic",
        frames=np.arange(frame_count, dtype=np.int32),
        camera=make_camera(width, height),
        identity_names=("identity_000", "identity_001"),
        identity=np.array([0.5, -1.25], np.float32),
        expression_names=KEYS[:4],
        expression=expression,
        joint_names=BONES,
        joint_rotation=turns[None] * (1.0 + 0.05 * time[:, None, None]),
        rotation=moving * np.stack((0.1 + 0.01 * time, 0.05 * time, 0.2 + 0 * time), axis=1),
        transl=moving * np.stack((0.01 * time, 0.02 + 0 * time, -0.01 * time), axis=1),
        valid=np.ones(frame_count, np.bool_),
        error_px=np.full(frame_count, 1.5, np.float32),
        raw_error_px=np.full(frame_count, 2.5, np.float32),
        face_height_px=np.full(frame_count, 200.0, np.float32),
        confidence=np.ones(frame_count, np.float32),
        fps=25.0 if frame_count > 1 else 0.0,
    )


def with_doubts(track: FaceTrack) -> FaceTrack:
    """Say how sure the same track is."""
    return replace(
        track,
        focal_std=0.12,
        identity_std=np.full(track.identity.shape, 0.5, np.float32),
        expression_std=np.full(track.expression.shape, 0.1, np.float32),
        rotation_std=np.full(track.rotation.shape, 0.02, np.float32),
        transl_std=np.full(track.transl.shape, 0.004, np.float32),
    )


def make_camera(width: int, height: int) -> Camera:
    """Make a camera before the face, a little turned, that looks past the centre of its picture."""
    placed = np.eye(4)
    yaw, roll = 0.2, 0.1
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    placed[:3, :3] = tilt @ turn @ np.diag([1.0, -1.0, -1.0])
    placed[:3, 3] = [0.02, -0.03, 0.7]
    center = np.array([0.55 * width, 0.41 * height])
    return Camera(
        width=width,
        height=height,
        focal_px=1.3 * max(width, height),
        center_px=center,
        world_to_camera=placed,
    )


def make_texture(size: int) -> Texture:
    """Make a skin-coloured picture that is brighter to the right, whose top row is see-through."""
    pixels: Bytes = np.full((size, size, 4), (200, 150, 130, 255), np.uint8)
    pixels[:, :, 1] = np.linspace(90, 170, size).astype(np.uint8)
    pixels[0, :, 3] = 0
    return Texture(pixels=pixels, observed=np.ones((size, size), np.bool_))


def _make_shell(rings: int, segments: int) -> tuple[Floats, list[npt.NDArray[np.int32]], Floats]:
    latitude = np.linspace(-1.4, 1.4, rings)
    longitude = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    up, around = (grid.ravel() for grid in np.meshgrid(latitude, longitude, indexing="ij"))
    radius = np.cos(up) * (
        1.0 + 0.25 * np.exp(-8.0 * (up**2 + np.minimum(around, 2 * np.pi - around) ** 2))
    )
    # Longitude 0 is the nose, in front; it grows to the subject's left.
    vertices = np.stack(
        (0.075 * radius * np.sin(around), 0.11 * np.sin(up), 0.095 * radius * np.cos(around)),
        axis=1,
    )
    faces: list[npt.NDArray[np.int32]] = []
    uv: list[Floats] = []
    for row in range(rings - 1):
        for column in range(segments):
            after = (column + 1) % segments
            low, high = row * segments, (row + 1) * segments
            faces.append(
                np.array([low + column, low + after, high + after, high + column], np.int32)
            )
            corners = np.array(
                [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]]
            )
            uv.append((corners / (segments, rings - 1)).astype(np.float32))
    top = (rings - 1) * segments
    faces.append(np.array([top, top + 1, top + 2], np.int32))
    uv.append(np.array([[0.0, 1.0], [0.1, 1.0], [0.2, 1.0]], np.float32))
    return vertices.astype(np.float32), faces, np.concatenate(uv)


def _make_keys(vertices: Floats, count: int) -> Floats:
    chance = np.random.default_rng(7)
    bumps = chance.normal(0.0, 0.05, (count, 1, 3)) + np.array([0.0, -0.03, 0.08])
    near = np.exp(-np.sum((vertices[None] - bumps) ** 2, axis=2) / 0.002)
    return (near[..., None] * chance.normal(0.0, 0.01, (count, 1, 3))).astype(np.float32)


def _make_weights(vertices: Floats) -> Floats:
    jaw = 0.8 * np.clip((-vertices[:, 1] - 0.02) / 0.04, 0, 1) * (vertices[:, 2] > 0)
    neck = np.clip((-vertices[:, 1] - 0.08) / 0.03, 0, 1) * (1 - jaw)
    eye_left = 0.7 * ((vertices[:, 0] > 0.05) & (vertices[:, 1] > 0.0)) * (1 - jaw - neck)
    eye_right = 0.7 * ((vertices[:, 0] < -0.05) & (vertices[:, 1] > 0.0)) * (1 - jaw - neck)
    return np.stack((neck, 1 - jaw - neck - eye_left - eye_right, jaw, eye_left, eye_right)).astype(
        np.float32
    )


def _bone_heads() -> Floats:
    return np.array(
        [[0, -0.1, -0.02], [0, 0, 0], [0, -0.02, 0.01], [0.03, 0.03, 0.07], [-0.03, 0.03, 0.07]],
        np.float32,
    )
