# SPDX-License-Identifier: GPL-3.0-or-later
"""Prior maps in, a known head out: photos, clips, precision, devices, and maps that say nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pixel3dmm_blender.wire import NoFaceFound
from server.fit.clip import FaceClip, fit_clip
from server.fit.head import FitHead, make_fit_head
from server.fit.observation import Focal, Observation
from server.fit.pixels import make_pixels
from server.fit.stages import Fitted, Fitter
from server.fit.weights import DENSE_SCHEDULE, TermWeights
from server.heads.model import HeadModel
from server.priors.maps import PriorMaps
from tests.fakes.head import make_fake_head
from tests.truth.measure import rotation_error_deg, vertex_error_mm
from tests.truth.noise import CLEAN, HARD, degrade
from tests.truth.render import render_truth
from tests.truth.scene import Scene, Spread, draw_scene
from tests.truth.sized import make_sized_head

SIZE = 192
PLAIN = TermWeights(identity=1.0, expression_l1=0.0, coupling=0.0)
AT_REST = Spread(joints=0.0)


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return make_sized_head(make_fake_head(), identity=20, expression=6)


@pytest.fixture(scope="module")
def head(model: HeadModel) -> FitHead:
    return make_fit_head(model, dense=True)


def no_check() -> None:
    """Nobody cancels."""


def scene_of(model: HeadModel, seed: int, yaw: float = 0.0) -> Scene:
    rng = np.random.default_rng(seed)
    return draw_scene(model, rng, yaw, 0.1, 0.05, size=SIZE, spread=AT_REST)


def observe(head: FitHead, scene: Scene, maps: PriorMaps) -> Observation:
    assert head.uv_table is not None
    assert head.surface is not None
    return Observation(
        points_px=np.full((478, 2), np.nan),
        weights=np.zeros(478),
        width=scene.size,
        height=scene.size,
        focal=Focal(scene.focal_px, 0.05, "user"),
        bias_px=np.zeros((478, 2)),
        pixels=make_pixels(maps, head.uv_table, head.surface),
    )


def solve(head: FitHead, seen: Observation) -> Fitted:
    fitter = Fitter(head, schedule=DENSE_SCHEDULE, weights=PLAIN)
    return fitter.fit_photos((seen,), no_check)


def error_mm(head: FitHead, scene: Scene, found: Fitted) -> float:
    assert head.surface is not None
    placed = head.placed(found.variables.identity, found.variables.views[0])
    points = placed.surface.posed.head.cpu().double().numpy()
    return float(vertex_error_mm(points, scene.vertices()[head.surface.vertices]).mean())


@pytest.mark.parametrize("yaw_deg", [-90, -60, 0, 45, 90])
def test_a_head_comes_back_from_clean_maps_of_any_side(
    model: HeadModel, head: FitHead, yaw_deg: float
) -> None:
    scene = scene_of(model, 5, np.radians(yaw_deg))

    found = solve(head, observe(head, scene, render_truth(scene).maps))

    assert rotation_error_deg(found.variables.views[0].rotation, scene.rotation) < 3.0
    assert error_mm(head, scene, found) < 4.0


def test_garbage_and_an_occluder_cost_little(model: HeadModel, head: FitHead) -> None:
    rng = np.random.default_rng(1)
    scene = scene_of(model, 7, 0.3)
    maps = render_truth(scene).maps

    clean = solve(head, observe(head, scene, degrade(maps, CLEAN, rng, model)))
    hard = solve(head, observe(head, scene, degrade(maps, HARD, rng, model)))

    assert error_mm(head, scene, hard) < error_mm(head, scene, clean) + 2.5


def test_single_and_double_precision_agree_to_a_ten_thousandth(model: HeadModel) -> None:
    scene = scene_of(model, 9, 0.2)
    maps = render_truth(scene).maps
    costs = []
    for dtype in (torch.float32, torch.float64):
        head = make_fit_head(model, dense=True, dtype=dtype)
        costs.append(settled(head, observe(head, scene, maps)))

    assert costs[0] == pytest.approx(costs[1], rel=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT TESTED: this machine has no CUDA")
def test_the_gpu_agrees_with_the_cpu_to_a_ten_thousandth(model: HeadModel) -> None:
    scene = scene_of(model, 9, 0.2)
    maps = render_truth(scene).maps
    costs = []
    for device in ("cpu", "cuda"):
        head = make_fit_head(model, dense=True, device=torch.device(device))
        costs.append(settled(head, observe(head, scene, maps)))

    assert costs[0] == pytest.approx(costs[1], rel=1e-4)


def settled(head: FitHead, seen: Observation) -> float:
    """Cost where the solver no longer finds a lower one."""
    schedule = replace(DENSE_SCHEDULE, tolerance=1e-9, steps=80)
    solution = Fitter(head, schedule=schedule, weights=PLAIN).fit_photos((seen,), no_check).solution
    assert solution is not None
    return solution.state.cost


def test_a_clip_that_jumps_is_found_again_from_the_maps_alone(
    model: HeadModel, head: FitHead
) -> None:
    person = scene_of(model, 3)
    turns = [scene_of(model, 3, yaw) for yaw in (0.0, 0.05, 0.1, -1.2, -1.15)]
    scenes = [
        replace(turn, identity=person.identity, expression=person.expression) for turn in turns
    ]
    seen = tuple(observe(head, scene, render_truth(scene).maps) for scene in scenes)
    fitter = Fitter(head, schedule=DENSE_SCHEDULE, weights=PLAIN)

    clip = FaceClip(seen, np.array([0, 1, 2, 40, 41], np.int32), 25.0)
    found = fit_clip(fitter, clip, no_check, lambda _: None)

    assert found.kept.tolist() == [0, 1, 2, 3, 4]
    for view, scene in zip(found.fitted.variables.views, scenes, strict=True):
        assert rotation_error_deg(view.rotation, scene.rotation) < 5.0


def nothing(scene: Scene, side: int) -> PriorMaps:
    """Maps of a crop that say nothing, or of no crop at all."""
    return PriorMaps(
        uv=np.full((side, side, 2), np.nan, np.float32),
        normals=np.full((side, side, 3), np.nan, np.float32),
        confidence=np.ones((side, side), np.float32),
        regions=np.ones((side, side), np.uint8),
        to_source=np.eye(3)[:2],
    )


@pytest.mark.parametrize("side", [0, 1, 64])
def test_maps_that_say_nothing_are_refused_in_a_sentence(
    model: HeadModel, head: FitHead, side: int
) -> None:
    scene = scene_of(model, 3)

    with pytest.raises(NoFaceFound, match="Too little of the face"):
        solve(head, observe(head, scene, nothing(scene, side)))


def test_holes_in_the_maps_are_left_out(model: HeadModel, head: FitHead) -> None:
    scene = scene_of(model, 5)
    maps = render_truth(scene).maps
    uv, normals = maps.uv.copy(), maps.normals.copy()
    uv[::3] = np.nan
    normals[:, ::4] = np.nan

    found = solve(head, observe(head, scene, replace(maps, uv=uv, normals=normals)))

    assert rotation_error_deg(found.variables.views[0].rotation, scene.rotation) < 3.0
