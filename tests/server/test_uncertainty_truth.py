# SPDX-License-Identifier: GPL-3.0-or-later
"""What the solver believes of its errors, against its errors on drawn scenes seen by a drawn network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pixel3dmm_blender.wire import Doubles
from server.detect.topology import FACE_OVAL
from server.fit.head import make_fit_head
from server.fit.observation import Focal, Observation, landmark_weights
from server.fit.pixels import make_pixels
from server.fit.project import project
from server.fit.stages import Fitter
from server.fit.uncertainty import Belief, find_deviation, vertex_std
from server.fit.weights import DENSE_SCHEDULE
from server.heads.catalogue import load_head
from server.heads.deform import neutral, surface_points
from server.heads.model import HeadModel
from server.rotation import vector_from_rotation
from tests.truth.measure import MM, rms
from tests.truth.noise import NETWORK, degrade, degrade_landmarks
from tests.truth.render import render_truth
from tests.truth.scene import Scene, Spread, draw_scene

FOCAL_SIGMA = 0.25


@dataclass(frozen=True, eq=False)
class Shares:
    """Errors over what was believed of them."""

    identity: Doubles
    rotation: Doubles
    focal: Doubles
    vertices_mm: tuple[float, float]
    """Of the face: true and believed."""


def draw(model: HeadModel, seed: int, size: int) -> tuple[Scene, np.random.Generator]:
    rng = np.random.default_rng(seed)
    yaw, pitch, roll = rng.uniform(-0.7, 0.7), *rng.normal(0.0, 0.1, 2)
    return draw_scene(model, rng, yaw, pitch, roll, size, Spread(joints=0.0)), rng


def assumed(scene: Scene, rng: np.random.Generator) -> Focal:
    return Focal(scene.focal_px * float(np.exp(FOCAL_SIGMA * rng.normal())), FOCAL_SIGMA, "prior")


def compare(fitter: Fitter, scene: Scene, seen: Observation) -> Shares:
    model = scene.model
    fitted = fitter.fit_photos((seen,), lambda: None)
    assert fitted.solution is not None
    believed = find_deviation(fitted.solution.state, Belief())
    identity, (view,) = fitted.variables.identity, fitted.variables.views
    free = believed.identity > 0
    face = model.groups[model.group_names.index("face")] > 0.5
    away = neutral(model, identity.astype(np.float32)) - neutral(model, scene.identity)
    doubt = vertex_std(model.identity, believed.identity_covariance)
    return Shares(
        ((identity - scene.identity)[free] / believed.identity[free]),
        vector_from_rotation(view.rotation @ scene.rotation.T) / believed.rotation[0],
        np.log(view.focal_px / scene.focal_px) / believed.focal,
        (MM * rms(np.linalg.norm(away[face], axis=1)), MM * rms(doubt[face])),
    )


def test_landmarks_err_no_more_than_is_said_and_not_much_less(models: Path) -> None:
    model = load_head("makehuman", models)
    fitter = Fitter(make_fit_head(model))
    weights = landmark_weights(model.landmarks_478, FACE_OVAL, fitter.weights)
    shares = []
    for seed in range(20):
        scene, rng = draw(model, seed, 512)
        points = surface_points(model.landmarks_478, scene.vertices().astype(np.float32))
        px = project(
            points @ scene.rotation.T + scene.transl, scene.focal_px, scene.center_px
        ).astype(np.float64)
        px = degrade_landmarks(px, scene, replace(NETWORK, network=seed), rng)
        seen = Observation(px, weights, 512, 512, assumed(scene, rng), np.zeros((478, 2)))
        shares.append(compare(fitter, scene, seen))

    true_mm, said_mm = (rms(mm) for mm in zip(*(it.vertices_mm for it in shares), strict=True))
    assert 0.6 < true_mm / said_mm < 1.2
    assert 0.7 < rms(np.concatenate([it.identity for it in shares])) < 1.2
    assert 0.5 < rms(np.concatenate([it.rotation for it in shares])) < 1.2
    assert 0.4 < rms(np.concatenate([it.focal for it in shares])) < 1.2


def test_dense_maps_err_about_as_is_said(models: Path) -> None:
    model = load_head("makehuman", models)
    head = make_fit_head(model, dense=True)
    assert head.uv_table is not None
    assert head.surface is not None
    fitter = Fitter(head, schedule=DENSE_SCHEDULE)
    shares = []
    for seed in range(10):
        scene, rng = draw(model, seed, 256)
        noise = replace(NETWORK, network=seed, length_px=12.0, flatten_px=12.0)
        maps = degrade(render_truth(scene).maps, noise, rng, model)
        pixels = make_pixels(maps, head.uv_table, head.surface)
        none = np.full((478, 2), np.nan)
        focal = assumed(scene, rng)
        seen = Observation(none, np.zeros(478), 256, 256, focal, np.zeros((478, 2)), pixels)
        shares.append(compare(fitter, scene, seen))

    true_mm, said_mm = (rms(mm) for mm in zip(*(it.vertices_mm for it in shares), strict=True))
    assert 0.7 < true_mm / said_mm < 1.4
    assert 0.6 < rms(np.concatenate([it.rotation for it in shares])) < 1.4
    assert 0.6 < rms(np.concatenate([it.focal for it in shares])) < 1.4
