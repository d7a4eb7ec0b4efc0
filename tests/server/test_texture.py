# SPDX-License-Identifier: GPL-3.0-or-later
"""The texture against a head that was painted, photographed and is to be recovered."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pixel3dmm_blender.wire import Camera, Material
from server.detect import topology
from server.heads.model import HeadModel
from server.heads.view import view_rotation
from server.raster import rasterise_camera, split_quads
from server.texture import Shot, bake_texture, load_atlas
from server.texture.atlas import make_atlas
from server.texture.colors import to_linear, to_srgb
from server.texture.fill import fill_harmonic, mesh_edges, mesh_laplacian
from server.texture.shading import fit_light
from server.texture.shot import crop_shot, shrink_shot
from server.texture.skin import find_skin
from tests.fakes.head import CENTRE_M, EYE_CENTRE_M, HALF_SIZE_M, make_fake_head

SIZE = 256
SKIN = np.array([0.62, 0.38, 0.28])
BACKGROUND = np.array([0.05, 0.12, 0.30])
OVAL_M = (0.052, 0.075)
"""Half axes of the face oval on the front of the egg."""


@dataclass(frozen=True)
class Painted:
    """A head whose true colours are known, and a photo of it."""

    model: HeadModel
    shot: Shot

    def truth(self, points):
        return paint(self.model, points)


def paint(model, points):
    """True linear colours of points of the template: skin with broad and fine variation, symmetric."""
    x, y = np.abs(points[:, 0]), points[:, 1]
    broad = 1.0 + 0.12 * np.sin(40 * y) * np.cos(40 * x)
    color = SKIN * broad[:, None]
    color[:, 0] *= 1.0 + 0.05 * np.cos(300 * y + 200 * x)
    return color


def photograph(model, yaw=0.0, size=420, fine=3):
    """Render the painted head without light, and put landmarks where they would be found."""
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = view_rotation(yaw, 0.0)
    world_to_camera[:3, 3] = [0.0, 0.03, 0.75]

    camera = Camera(
        width=size,
        height=size,
        focal_px=1.9 * size,
        center_px=np.array([size / 2, size / 2]),
        world_to_camera=world_to_camera,
    )
    big = replace(
        camera,
        width=fine * size,
        height=fine * size,
        focal_px=fine * camera.focal_px,
        center_px=fine * camera.center_px,
    )
    triangles = split_quads(model.face_sizes, model.face_vertices)
    raster = rasterise_camera(model.template, triangles, big)
    seen = raster.triangle >= 0
    weights = raster.barycentric[seen]
    weights = np.concatenate([1 - weights.sum(axis=1, keepdims=True), weights], axis=1)
    points = (model.template[triangles[raster.triangle[seen]]] * weights[..., None]).sum(axis=1)
    picture = np.tile(BACKGROUND, (*seen.shape, 1))
    picture[seen] = paint(model, points)
    picture = picture.reshape(size, fine, size, fine, 3).mean(axis=(1, 3))
    landmarks = camera.project(landmarks_on_egg()).astype(np.float32)
    pixels = to_srgb(picture.astype(np.float32))
    shot = Shot(posed=model.template, camera=camera, pixels=pixels, landmarks_px=landmarks)
    return Painted(model, shot)


def landmarks_on_egg():
    """478 points on the front of the egg, the outlines where a face has them."""
    random = np.random.default_rng(2)
    flat = random.uniform(-0.7, 0.7, (478, 2)) * OVAL_M
    flat[:, 1] += 0.02
    place_ellipse(flat, topology.FACE_OVAL, (0.0, 0.03), OVAL_M, np.pi / 2)
    for eye, iris, side in (
        (topology.RIGHT_EYE, range(468, 473), -1),
        (topology.LEFT_EYE, range(473, 478), 1),
    ):
        centre = (side * EYE_CENTRE_M[0], EYE_CENTRE_M[1])
        place_ellipse(flat, eye, centre, (0.014, 0.009), 0.0)
        place_ellipse(flat, tuple(iris), centre, (0.005, 0.005), 0.0)
        flat[next(iter(iris))] = centre
    for brow, side in ((topology.RIGHT_BROW_UPPER, -1), (topology.LEFT_BROW_UPPER, 1)):
        flat[list(brow)] = np.stack(
            [side * np.linspace(0.045, 0.012, 5), np.full(5, 0.082)], axis=1
        )
    for brow, side in ((topology.RIGHT_BROW_LOWER, -1), (topology.LEFT_BROW_LOWER, 1)):
        flat[list(brow)] = np.stack(
            [side * np.linspace(0.045, 0.012, 5), np.full(5, 0.078)], axis=1
        )
    place_ellipse(flat, topology.LIPS_OUTER, (0.0, 0.0), (0.018, 0.006), np.pi)
    place_ellipse(flat, topology.LIPS_INNER, (0.0, 0.0), (0.014, 0.001), np.pi)
    flat[0], flat[1] = (0.0, 0.006), (0.0, 0.03)
    unit = (flat - CENTRE_M[:2]) / HALF_SIZE_M[:2]
    depth = np.sqrt(np.maximum(1.0 - (unit**2).sum(axis=1), 0.0)) * HALF_SIZE_M[2]
    return np.column_stack([flat, depth])


def place_ellipse(flat, indices, centre, half, start):
    turn = start - 2 * np.pi * np.arange(len(indices)) / len(indices)
    flat[list(indices)] = np.stack(
        [centre[0] + half[0] * np.cos(turn), centre[1] + half[1] * np.sin(turn)], axis=1
    )


@pytest.fixture(scope="module")
def model():
    return make_fake_head()


@pytest.fixture(scope="module")
def atlas(model):
    return make_atlas(model, SIZE)


@pytest.fixture(scope="module")
def frontal(model):
    return photograph(model)


@pytest.fixture(scope="module")
def baked(model, atlas, frontal):
    return bake_texture(model, atlas, frontal.shot)


def colors_of(texture, atlas):
    return to_linear(texture.pixels.reshape(-1, 4)[atlas.covered][:, :3])


def test_what_the_photo_shows_is_recovered(model, atlas, frontal, baked):
    seen = baked.observed.ravel()[atlas.covered]
    points = atlas.spread(model.template)

    error = np.abs(colors_of(baked, atlas) - frontal.truth(points))[seen] / SKIN

    assert np.count_nonzero(seen) > 1500
    assert np.median(error) < 0.02
    assert np.percentile(error, 95) < 0.05


def test_observed_texels_are_skin_that_faces_the_camera(model, atlas, baked):
    seen = baked.observed.ravel()[atlas.covered]
    points = atlas.spread(model.template)

    assert (points[seen, 2] > 0.0).all()
    assert set(atlas.material[seen].tolist()) == {0}


def test_unseen_skin_stays_within_the_colours_that_were_seen(atlas, baked):
    skin = atlas.material == 0
    seen = baked.observed.ravel()[atlas.covered]
    colors = colors_of(baked, atlas)

    low, high = colors[seen].min(axis=0), colors[seen].max(axis=0)

    # The grain of unseen skin may go 4 % beyond.
    assert (colors[skin & ~seen] >= 0.93 * low).all()
    assert (colors[skin & ~seen] <= 1.07 * high).all()


def test_no_background_gets_onto_the_head(model, atlas, baked):
    colors = colors_of(baked, atlas)[atlas.material == 0]

    ratio = colors[:, 2] / colors[:, 0]

    assert ratio.max() < 0.7


def test_the_hidden_side_of_a_turned_head_mirrors_the_seen_one(model, atlas):
    turned = photograph(model, yaw=0.55)
    truth = turned.truth(atlas.spread(model.template))

    texture = bake_texture(model, atlas, turned.shot)

    points = atlas.spread(model.template)
    eyes = EYE_CENTRE_M * np.where(points[:, :1] > 0, 1.0, -1.0) ** np.array([1, 0, 0])
    clear = np.linalg.norm(points - eyes, axis=1) > 0.03
    seen = texture.observed.ravel()[atlas.covered]
    twin = np.isin(np.round(np.abs(points[:, 0]), 3), np.round(np.abs(points[seen, 0]), 3))
    cheek = (points[:, 1] > 0.0) & (points[:, 1] < 0.05) & (points[:, 2] > 0.07)
    hidden = ~seen & twin & cheek & clear & (np.abs(points[:, 0]) > 0.02)
    assert np.count_nonzero(hidden) > 50
    error = np.abs(colors_of(texture, atlas) - truth)[hidden] / SKIN
    assert np.median(error) < 0.08


def test_only_slots_with_alpha_are_transparent(model, frontal):
    scalp = model.groups[model.group_names.index("scalp")] > 0.5
    starts = np.cumsum(model.face_sizes) - model.face_sizes
    on_scalp = np.array(
        [
            scalp[model.face_vertices[start : start + size]].all()
            for start, size in zip(starts, model.face_sizes, strict=True)
        ]
    )
    haired = replace(
        model,
        materials=(*model.materials, Material(name="hair", alpha=True)),
        face_materials=np.where(on_scalp, 2, model.face_materials).astype(np.int32),
    )
    atlas = make_atlas(haired, SIZE)

    texture = bake_texture(haired, atlas, frontal.shot)

    alpha = texture.pixels[..., 3].ravel()[atlas.covered]
    assert (alpha[atlas.material != 2] == 255).all()
    assert (alpha[atlas.material == 2] < 255).any()


def test_eyes_are_painted_with_pupil_iris_and_white(model, atlas, baked):
    eye = atlas.material == 1
    rest = atlas.spread(model.template)[eye]
    brightness = colors_of(baked, atlas)[eye].mean(axis=1)
    left = rest[:, 0] > 0

    side = rest[left] - EYE_CENTRE_M
    far = side[:, 2] < -0.004

    assert brightness[left][far].min() > 0.2
    assert brightness.min() < 0.2


def test_empty_texels_copy_their_island(atlas, baked):
    pixels = baked.pixels.reshape(-1, 4)
    covered = np.zeros(SIZE * SIZE, bool)
    covered[atlas.covered] = True

    known = {tuple(pixel) for pixel in pixels[covered].tolist()}

    assert {tuple(pixel) for pixel in pixels[~covered].tolist()} <= known
    assert (pixels[covered] == pixels.reshape(-1, 4)[atlas.covered][: covered.sum()]).all()


@pytest.mark.parametrize("picture", ["black", "white", "cut", "tiny"])
def test_a_poor_photo_still_makes_a_texture(model, atlas, frontal, picture):
    shot = frontal.shot
    if picture in ("black", "white"):
        pixels = np.full_like(shot.pixels, 0 if picture == "black" else 255)
        shot = replace(shot, pixels=pixels)
    elif picture == "cut":
        moved = shot.landmarks_px - np.array([230, 0], np.float32)
        camera = replace(shot.camera, center_px=shot.camera.center_px - [230, 0])
        shot = replace(shot, landmarks_px=moved, camera=camera)
    else:
        shot = shrink_shot(shot, 12.0)

    texture = bake_texture(model, atlas, shot)

    assert texture.pixels.shape == (SIZE, SIZE, 4)


def test_a_large_photo_gives_the_texture_of_a_small_one(model, atlas, baked):
    large = photograph(model, size=1260, fine=1)

    texture = bake_texture(model, atlas, large.shot)

    both = (texture.observed & baked.observed).ravel()[atlas.covered]
    difference = np.abs(colors_of(texture, atlas) - colors_of(baked, atlas))[both]
    assert np.median(difference) < 0.02


def test_a_fill_stays_between_what_is_known(model):
    random = np.random.default_rng(3)
    count = len(model.template)
    laplacian = mesh_laplacian(mesh_edges(model), count)
    known = random.uniform(0.2, 0.8, (count, 3)).astype(np.float32)
    weight = np.where(random.uniform(size=count) < 0.1, 30.0, 0.0)
    target = np.array([0.5, 0.4, 0.3], np.float32)

    filled = fill_harmonic(laplacian, known, weight, target, np.full(count, 0.01))

    corners = np.concatenate([known[weight > 0], target[None]])
    for direction in random.normal(size=(50, 3)):
        reach = corners @ direction
        assert (filled @ direction <= reach.max() + 1e-5).all()
        assert (filled @ direction >= reach.min() - 1e-5).all()
    assert np.isfinite(filled).all()


def test_edges_are_listed_once(model):
    edges = mesh_edges(model)

    assert len(np.unique(edges, axis=0)) == len(edges)
    assert (edges[:, 0] < edges[:, 1]).all()
    parts = 3
    assert len(model.template) - len(edges) + len(model.face_sizes) == 2 * parts


def test_a_smooth_light_is_found(model):
    rng = np.random.default_rng(5)
    normals = rng.normal(size=(3000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    light = np.exp(0.3 * normals[:, 1])

    fitted = fit_light(0.4 * light, normals, np.ones(3000))

    assert np.corrcoef(np.log(fitted), np.log(light))[0, 1] > 0.99
    assert 0.3 < np.std(np.log(fitted)) / np.std(np.log(light)) <= 1.0


def test_cropping_and_shrinking_keep_points_on_their_pixels(frontal):
    shot = frontal.shot

    small = shrink_shot(crop_shot(shot), 60.0)

    factor = small.face_height_px() / shot.face_height_px()
    points = small.camera.project(landmarks_on_egg())
    assert small.face_height_px() == pytest.approx(60.0, rel=0.02)
    assert np.abs(points - small.landmarks_px).max() < 1.0
    assert small.camera.width < shot.camera.width * factor + 2


def test_eyes_mouth_and_background_are_no_skin(frontal):
    skin = find_skin(frontal.shot)
    points = frontal.shot.landmarks_px

    def weight_at(point):
        return skin.weight[int(point[1]), int(point[0])]

    assert weight_at(points[468]) == 0.0
    assert weight_at(points[473]) == 0.0
    assert skin.weight[0].max() == 0.0
    assert weight_at(points[1]) > 0.9
    assert np.abs(skin.color / SKIN - 1).max() < 0.15


def test_linear_and_srgb_round_trip():
    values = np.arange(256, dtype=np.uint8)

    assert np.array_equal(to_srgb(to_linear(values)), values)


def test_an_atlas_comes_back_from_its_cache(model, tmp_path):
    made = load_atlas(model, 64, tmp_path)

    again = load_atlas(model, 64, tmp_path)

    assert len(list(tmp_path.iterdir())) == 1
    assert np.array_equal(made.source, again.source)
    assert np.array_equal(made.weights, again.weights)


def test_a_damaged_atlas_is_made_anew(model, tmp_path):
    made = load_atlas(model, 64, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])

    again = load_atlas(model, 64, tmp_path)

    assert np.array_equal(made.source, again.source)
