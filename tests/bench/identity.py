# SPDX-License-Identifier: GPL-3.0-or-later
"""How well identity and expression are kept apart: print a table, keep out/bench/identity.json.

Run with the engine's Python: python -m tests.bench.identity (two minutes; --seeds 20 for a report). Seeds 0 to 19 are
for tuning, 1000 to 1019 for reporting. People, expressions, yaws of up to 40 degrees and cameras are drawn; what is
seen are 478 landmarks as a network would see them: with errors that are independent from point to point
(`tests.truth.noise`), or smooth over the face (correlation length 20 mm), which is what an expression looks like.

identity: mean distance over the face, mm, after similarity alignment (size is not observable and is told apart);
leak: sum of the weights found on neutral faces; expression: rms over the face of found minus true expression, mm;
correlation: of found and true weights, over the components that are truly at work (> 0.05).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from pixel3dmm_blender.wire import Bools, Doubles
from server.detect.topology import FACE_OVAL
from server.fit.energy import ViewTerm
from server.fit.head import make_fit_head
from server.fit.neutral import make_guess
from server.fit.observation import Focal, Observation, landmark_weights
from server.fit.problem import Problem, nobody_cancels
from server.fit.solver import EVERYTHING, POSE_ONLY, solve
from server.fit.stages import Fitter, doubted
from server.fit.steady import hopeful_shares, paid_in_part, steady_shares
from server.fit.terms.expression import ExpressionPrior
from server.fit.variables import FitVariables
from server.fit.weights import DEFAULT_WEIGHTS
from server.heads.catalogue import load_head
from server.heads.deform import neutral, surface_points
from server.heads.model import HeadModel
from server.heads.view import view_angles, view_roll
from tests.bench.table import FOLDER, Figure
from tests.truth.measure import rms, scale_of, vertex_error_mm
from tests.truth.noise import NETWORK, degrade_landmarks
from tests.truth.scene import Scene, draw_identity, draw_scene, frame_face
from tests.truth.surface import face_triangles

ANSWERS = FOLDER / "identity.json"
ERRORS = ("independent", "smooth")
ROUNDS = 2
FOCAL_SIGMA = 0.25
WIDEST_RAD = np.radians(40.0)
SMOOTH_M = 0.02
GUESS_M = 0.002
"""How far an outside estimate of identity is off, mean over the face."""
SMILE = (
    ("mouthSmile", 0.7),
    ("cheekSquint", 0.4),
    ("eyeSquint", 0.3),
    ("mouthUpperUp", 0.25),
)
SETS = (
    ("neutral", 1), ("neutral", 5), ("smiling", 1), ("smiling", 2), ("smiling", 5), ("smiling", 10),
    ("mixed", 2), ("mixed", 5), ("mixed", 10),
)  # fmt: skip
"""Mixed: random expressions, and one neutral picture among them."""


@dataclass(frozen=True)
class Way:
    """One way to tell expression from identity."""

    name: str
    l1: float
    square: float
    steady: bool = False
    """Whether what all pictures show is paid for once."""
    guess: bool = False
    """Whether somebody else has an estimate of the person."""


WAYS = (
    Way("before", 10.0, 1.0),
    Way("weaker", 6.0, 0.3),
    Way("adopted", 6.0, 0.3, steady=True),
    Way("+ guess", 6.0, 0.3, steady=True, guess=True),
)


@dataclass(frozen=True, eq=False)
class Case:
    """Pictures of one person, and what was seen of them."""

    scenes: tuple[Scene, ...]
    seen: tuple[Observation, ...]


@dataclass(frozen=True, eq=False)
class Bench:
    """A head, its solver, and its face [V]."""

    model: HeadModel
    fitter: Fitter
    face: Bools


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6, help="how many; 20 for a report")
    parser.add_argument("--first", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    model = load_head("makehuman", Path(os.environ["PIXEL3DMM_MODELS"]))
    face = np.zeros(len(model.template), bool)
    face[np.unique(face_triangles(model))] = True
    bench = Bench(model, Fitter(make_fit_head(model)), face)
    seeds = range(options.first, options.first + options.seeds)
    print(f"Seeds {seeds[0]} to {seeds[-1]}; means.")
    records: dict[str, dict[str, object]] = {}
    print(f"{'set':<16}{'errors':<13}{'way':<10}identity  size %  leak  expression  correlation")
    for kind, count in SETS:
        drawn = [_draw(bench, seed, kind, count) for seed in seeds]
        for errors in ERRORS:
            cases = [_look(scenes, seed, errors) for scenes, seed in zip(drawn, seeds, strict=True)]
            for way in WAYS:
                _report(bench, cases, way, (f"{kind} x {count}", errors, way.name), records)
    ANSWERS.parent.mkdir(parents=True, exist_ok=True)
    ANSWERS.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    print(f"\n{time.perf_counter() - began:.0f} s; {ANSWERS}")


def _draw(bench: Bench, seed: int, kind: str, count: int) -> tuple[Scene, ...]:
    """Draw a person in so many pictures."""
    rng = np.random.default_rng([seed, count])
    identity = draw_identity(bench.model, rng)
    yaws = np.linspace(-WIDEST_RAD, WIDEST_RAD, count) if count > 1 else rng.uniform(-0.5, 0.5, 1)
    calm = int(rng.integers(count))
    scenes: list[Scene] = []
    for i, yaw in enumerate(yaws + rng.normal(0.0, 0.08, count)):
        scene = draw_scene(bench.model, rng, float(yaw), rng.uniform(-0.2, 0.2))
        expression = scene.expression
        if kind == "smiling":
            expression = (_smile(bench.model) * rng.uniform(0.8, 1.2)).astype(np.float32)
        if kind == "neutral" or (kind == "mixed" and i == calm):
            expression = 0 * expression
        scene = replace(scene, identity=identity, expression=expression)
        scenes.append(frame_face(scene, 0.62, np.full(2, scene.size / 2)))
    return tuple(scenes)


def _look(scenes: tuple[Scene, ...], seed: int, errors: str) -> Case:
    """See the pictures with a network of this seed."""
    rng = np.random.default_rng([seed, len(scenes), 1])
    look = _smooth if errors == "smooth" else _independent
    seen = tuple(_observe(scene, look(scene, seed, rng), rng) for scene in scenes)
    return Case(scenes, seen)


def _smile(model: HeadModel) -> Doubles:
    amounts = {name + side: amount for name, amount in SMILE for side in ("Left", "Right")}
    return np.array([amounts.get(name, 0.0) for name in model.expression_names])


def _independent(scene: Scene, seed: int, rng: np.random.Generator) -> Doubles:
    return degrade_landmarks(_exact(scene), scene, replace(NETWORK, network=seed), rng)


def _smooth(scene: Scene, seed: int, rng: np.random.Generator) -> Doubles:
    """The same amounts, but bias and its dependence on the view are smooth over the face."""
    places = surface_points(scene.model.landmarks_478, scene.model.template).astype(np.float64)
    away = ((places[:, None] - places) ** 2).sum(axis=2)
    spread = np.exp(-0.5 * away / SMOOTH_M**2) + 1e-6 * np.eye(len(places))
    drawn = np.random.default_rng([seed, 77]).normal(size=(len(places), 6))
    bias, by_yaw, by_pitch = np.moveaxis(
        (np.linalg.cholesky(spread) @ drawn).reshape(-1, 3, 2), 1, 0
    )
    yaw, pitch = np.sin(view_angles(scene.rotation)) / np.sin(np.pi / 4)
    upright = NETWORK.landmark_bias * bias
    upright += NETWORK.landmark_view * (yaw * by_yaw + pitch * by_pitch)
    cos, sin = np.cos(roll := view_roll(scene.rotation)), np.sin(roll)
    turned = upright @ np.array([[cos, sin], [-sin, cos]])
    white = NETWORK.landmark_white * rng.normal(size=turned.shape)
    return _exact(scene) + scene.face_height_px * (turned + white)


def _exact(scene: Scene) -> Doubles:
    points = surface_points(scene.model.landmarks_478, scene.vertices().astype(np.float32))
    return scene.camera.project(points.astype(np.float64))


def _observe(scene: Scene, points_px: Doubles, rng: np.random.Generator) -> Observation:
    focal = scene.focal_px * float(np.exp(rng.normal(0.0, FOCAL_SIGMA)))
    return Observation(
        points_px=points_px,
        weights=landmark_weights(scene.model.landmarks_478, FACE_OVAL, DEFAULT_WEIGHTS),
        width=scene.size,
        height=scene.size,
        focal=Focal(focal, FOCAL_SIGMA, "prior"),
        bias_px=np.zeros_like(points_px),
    )


def _solve(bench: Bench, case: Case, way: Way) -> FitVariables:
    """As `Fitter.fit_photos`, with the expression prior that this way has."""
    fitter, head = bench.fitter, bench.fitter.head
    views = tuple(fitter.start(seen) for seen in case.seen)
    found = FitVariables(np.zeros(head.columns.identity_count), views)
    person = fitter.person_terms()
    if way.guess:
        guess = make_guess(head, _estimate(bench, case.scenes[0]), GUESS_M)
        person = (*person, guess.prior(fitter.weights.identity))
    shares = hopeful_shares(head, len(views)) if way.steady else None

    def problem() -> Problem:
        terms = fitter.views_terms(doubted(case.seen, found), shared_camera=False)
        paid = tuple(tuple(_told(term, way, shares) for term in view) for view in terms)
        return Problem(head, paid, person, check=nobody_cancels)

    found = solve(problem(), found, POSE_ONLY, fitter.schedule.for_pose()).variables
    for _ in range(ROUNDS):
        found = solve(problem(), found, EVERYTHING, fitter.schedule).variables
        shares = steady_shares(head, found.views, len(views)) if way.steady else None
    return found


def _told(term: ViewTerm, way: Way, shares: Doubles | None) -> ViewTerm:
    if not isinstance(term, ExpressionPrior):
        return term
    weight = np.full(len(term.sigma), way.square)
    return paid_in_part(replace(term, l1=way.l1, weight=weight), shares)


def _estimate(bench: Bench, scene: Scene) -> Doubles:
    """The truth, wrong by GUESS_M."""
    true = scene.identity.astype(np.float64)
    rng = np.random.default_rng(round(1e6 * abs(float(true[0]))))
    wrong = rng.normal(size=len(true)) * bench.fitter.head.identity_sigma
    per_step = _identity_error(bench, true + 0.1 * wrong, scene)[0] / 0.1
    return true + 1000 * GUESS_M / per_step * wrong


def _report(
    bench: Bench,
    cases: Sequence[Case],
    way: Way,
    title: tuple[str, str, str],
    records: dict[str, dict[str, object]],
) -> None:
    found = [_solve(bench, case, way) for case in cases]
    pairs = list(zip(found, cases, strict=True))
    errors = [_identity_error(bench, one.identity, case.scenes[0]) for one, case in pairs]
    told = np.array([view.expression for one in found for view in one.views])
    true = np.array([scene.expression for case in cases for scene in case.scenes], np.float64)
    calm, active = true.sum(axis=1) == 0, true > 0.05
    fields = bench.model.expression[:, bench.face].astype(np.float64)
    away = [
        1000 * rms(np.linalg.norm(np.tensordot(miss, fields, 1), axis=1)) for miss in told - true
    ]
    values: dict[str, Callable[[], float]] = {
        "identity": lambda: float(np.mean([error for error, _ in errors])),
        "size": lambda: float(np.mean([100 * abs(scale - 1) for _, scale in errors])),
        "leak": lambda: float(told[calm].sum(axis=1).mean()) if calm.any() else np.nan,
        "expression": lambda: float(np.mean(away)),
        "correlation": lambda: (
            float(np.corrcoef(told[active], true[active])[0, 1]) if active.any() else np.nan
        ),
    }
    units = {"identity": "mm", "size": "%", "expression": "mm"}
    line = "".join(f"{word:<{width}}" for word, width in zip(title, (16, 13, 10), strict=True))
    for name, value in values.items():
        number = value()
        line += " " * 9 if np.isnan(number) else f"{number:9.3f}"
        if not np.isnan(number):
            figure = Figure(value=number, unit=units.get(name, ""), cases=len(cases))
            records[f"{', '.join(title)}: {name}"] = figure.record()
    print(line, flush=True)


def _identity_error(bench: Bench, identity: Doubles, scene: Scene) -> tuple[float, float]:
    """Mean distance of the faces, mm, and how many times too large the found one is."""
    found, true = (
        neutral(bench.model, np.asarray(one, np.float32))[bench.face].astype(np.float64)
        for one in (identity, scene.identity)
    )
    scale = scale_of(found, true)
    return float(vertex_error_mm(found / scale, true).mean()), scale


if __name__ == "__main__":
    main()
