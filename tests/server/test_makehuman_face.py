# SPDX-License-Identifier: GPL-3.0-or-later
"""The default head's face: eyes and lids, teeth and lips, landmarks, texture maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import KDTree

from pixel3dmm_blender.wire import Camera
from server.heads.catalogue import load_head
from server.heads.deform import neutral, surface_points
from server.heads.model import HeadModel
from server.heads.view import view_rotation
from server.raster import rasterise_camera
from tests.fakes.parts import express, group, quads

FLIP = np.array([-1.0, 1.0, 1.0])
ATLAS = 1024


@pytest.fixture(scope="module")
def head(models: Path) -> HeadModel:
    return load_head("makehuman", models)


def test_a_blink_closes_the_lids(head: HeadModel):
    opened, closed = (
        _aperture(head, head.template),
        _aperture(head, express(head, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)),
    )

    assert opened > 0.006
    assert closed < 0.5 * opened


def _aperture(head: HeadModel, vertices) -> float:
    points = surface_points(head.landmarks_478, vertices)
    return float(np.linalg.norm(points[[159, 386]] - points[[145, 374]], axis=1).mean())


def test_eyeballs_stay_between_their_lids_in_any_face(head: HeadModel):
    """The gap between the lids' landmarks and the ball changes by less than the lids are thick."""
    lids = [33, 133, 159, 145, 362, 263, 386, 374]
    eyes = [4, 4, 4, 4, 3, 3, 3, 3]
    random = np.random.default_rng(6)

    def gaps(vertices):
        centres = head.joints(vertices)[eyes]
        radius = np.linalg.norm(
            vertices[group(head, "eye_L")] - head.joints(vertices)[3], axis=1
        ).mean()
        return (
            np.linalg.norm(surface_points(head.landmarks_478, vertices)[lids] - centres, axis=1)
            - radius
        )

    rest = gaps(head.template)
    for _ in range(10):
        person = neutral(head, random.normal(0, 1, len(head.identity)).astype(np.float32))
        assert np.abs(gaps(person) - rest).max() < 2.5e-3


def test_gaze_keys_turn_the_eyeball_about_its_centre(head: HeadModel):
    looking = express(head, eyeLookOutLeft=1.0)
    ball = group(head, "eye_L")
    centre = head.joints(head.template)[3]

    pupil = np.flatnonzero(ball)[head.template[ball, 2].argmax()]

    assert looking[pupil, 0] - head.template[pupil, 0] > 0.003
    np.testing.assert_allclose(np.linalg.norm(looking[ball] - centre, axis=1), 0.0156, atol=2e-4)


def test_upper_teeth_show_between_the_lips_of_an_open_smile(head: HeadModel):
    smiling = express(head, mouthSmileLeft=0.8, mouthSmileRight=0.8, jawOpen=0.15)
    lips = surface_points(head.landmarks_478, smiling)
    upper, lower = lips[13, 1], lips[14, 1]

    front = smiling[group(head, "teeth_upper") & (np.abs(head.template[:, 0]) < 0.008)]

    assert upper - lower > 0.003
    covered = min(upper, front[:, 1].max()) - max(lower, front[:, 1].min())
    assert covered > 0.5 * (upper - lower)
    assert front[:, 2].max() < lips[[13, 14], 2].min() + 0.002


def test_teeth_stay_behind_closed_lips(head: HeadModel):
    lips = surface_points(head.landmarks_478, head.template)[[0, 13, 14, 17], 2]

    teeth = head.template[group(head, "teeth_upper") | group(head, "teeth_lower")]

    assert teeth[:, 2].max() < lips.min() - 0.001


def test_no_tooth_shows_through_a_closed_mouth_and_many_in_a_smile(head: HeadModel):
    smile = {"mouthSmileLeft": 0.85, "mouthSmileRight": 0.85}
    closed = [_teeth_in_view(head, head.template, yaw) for yaw in (-0.6, 0.0, 0.6)]

    assert max(closed) < 0.01
    assert _teeth_in_view(head, express(head, **smile, jawOpen=0.3), 0.0) > 0.25


def _teeth_in_view(head: HeadModel, vertices, yaw: float) -> float:
    """How much of the picture of the upper teeth alone is seen of them on the whole head."""
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = view_rotation(yaw, 0.0)
    world_to_camera[:3, 3] = world_to_camera[:3, :3] @ -vertices[group(head, "teeth_upper")].mean(
        axis=0
    ) + [0.0, 0.0, 1.0]
    camera = Camera(
        width=160,
        height=160,
        focal_px=2000.0,
        center_px=np.array([80.0, 80.0]),
        world_to_camera=world_to_camera,
    )
    faces = quads(head)
    solid = ~np.isin(head.face_materials, [i for i, m in enumerate(head.materials) if m.alpha])
    teeth = group(head, "teeth_upper")[faces].all(axis=1)
    corners = [[0, 1, 2], [0, 2, 3]]
    alone = rasterise_camera(vertices, np.concatenate(faces[teeth][:, corners]), camera)
    shown = rasterise_camera(vertices, np.concatenate(faces[solid][:, corners]), camera)
    pixels = shown.triangle[shown.triangle >= 0] // 2
    return teeth[solid][pixels].sum() / (alone.triangle >= 0).sum()


def test_the_usual_hairline_leaves_a_third_of_the_face_to_the_forehead(head: HeadModel):
    hair = head.groups[head.group_names.index("hair")]
    middle = (np.abs(head.template[:, 0]) < 0.01) & (head.template[:, 2] > 0.06)
    points = surface_points(head.landmarks_478, head.template)
    chin, brow = points[152, 1], points[[107, 336], 1].mean()

    bare, grown = (
        head.template[middle & chosen, 1] for chosen in ((hair > 0.0) & (hair < 0.5), hair > 0.95)
    )
    hairline = grown.min()

    assert 0.25 < (hairline - brow) / (hairline - chin) < 0.37
    assert len(bare) == 0 or bare.min() < hairline


def test_the_hair_can_fall_to_the_brows_and_has_volume(head: HeadModel):
    faces = quads(head)
    slot = [material.name for material in head.materials].index("hair")
    shell = np.unique(faces[head.face_materials == slot])
    skin = head.template[np.unique(faces[head.face_materials == 0])]
    points = surface_points(head.landmarks_478, head.template)
    front = head.template[shell][np.abs(head.template[shell, 0]) < 0.02]

    lift = KDTree(skin).query(head.template[shell])[0]

    assert front[front[:, 2] > 0.05, 1].min() < points[[107, 336], 1].mean() + 0.006
    assert 0.010 < np.percentile(lift, 90) < 0.018
    assert lift.min() < 0.002


def test_irises_and_lips_lie_on_irises_and_lips(head: HeadModel):
    points = surface_points(head.landmarks_478, head.template)
    joints = head.joints(head.template)

    for iris, eye in ((468, 4), (473, 3)):
        ahead = points[iris] - joints[eye]
        assert np.linalg.norm(ahead[:2]) < 2e-3 and ahead[2] > 0.013
        rims = np.linalg.norm(points[iris + 1 : iris + 5] - points[iris], axis=1)
        assert np.all((rims > 0.004) & (rims < 0.009))
    assert np.linalg.norm(points[13] - points[14]) < 2.5e-3
    assert points[0, 1] > points[13, 1] > points[17, 1]


def test_the_68_points_are_symmetric(head: HeadModel):
    points = surface_points(head.landmarks_68, head.template)
    jaw, brows = points[:17], points[17:27]

    np.testing.assert_allclose(jaw[::-1] * FLIP, jaw, atol=4e-3)
    np.testing.assert_allclose(brows[::-1] * FLIP, brows, atol=1e-3)
    assert points[0, 0] < 0 < points[16, 0]
    assert points[8, 1] < points[33, 1] < points[27, 1]


def test_no_two_faces_share_a_texel(head: HeadModel):
    uv = head.uv[0].reshape(-1, 4, 2).astype(np.float64)
    assert uv.min() >= 0.0 and uv.max() <= 1.0
    triangles = np.concatenate([uv[:, [0, 1, 2]], uv[:, [0, 2, 3]]]) * ATLAS

    taken = np.zeros((ATLAS, ATLAS), np.int32)
    for triangle in triangles:
        _count_texels(taken, triangle)

    assert taken.max() == 1
    assert (taken > 0).mean() > 0.6


def _count_texels(taken, triangle) -> None:
    low = np.floor(triangle.min(axis=0)).astype(int)
    high = np.ceil(triangle.max(axis=0)).astype(int)
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    sides = [
        (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
        for a, b in zip(triangle, np.roll(triangle, -1, axis=0), strict=True)
    ]
    inside = np.all([side > 1e-6 for side in sides], axis=0)
    taken[low[1] : high[1], low[0] : high[0]] += inside


def test_faces_are_not_mirrored_in_the_texture(head: HeadModel):
    uv = head.uv[0].reshape(-1, 4, 2).astype(np.float64)
    along, across = uv[:, 2] - uv[:, 0], uv[:, 3] - uv[:, 1]
    assert np.all(along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0] > 0.0)


def test_the_face_has_at_least_three_times_the_density_of_the_body_atlas(head: HeadModel):
    face = group(head, "face")[quads(head)].all(axis=1) & (head.face_materials == 0)

    def area(index: int) -> float:
        a, b, c, d = np.moveaxis(head.uv[index].reshape(-1, 4, 2)[face].astype(np.float64), 1, 0)
        return float(
            np.abs((c - a)[:, 0] * (d - b)[:, 1] - (c - a)[:, 1] * (d - b)[:, 0]).sum() / 2
        )

    assert area(0) > 3.0 * area(1)
    assert head.uv_names == ("head", "makehuman")
