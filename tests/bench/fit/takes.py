# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes: clips of one person as a network would describe them, frame by frame, with their truth.

A thing moves across the picture in some frames. Maps are drawn one at a time; only their pixels are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Doubles
from server.fit.clip import FaceClip
from server.fit.observation import Observation
from server.fit.variables import FitVariables
from tests.truth.clip import draw_clip, draw_windows
from tests.truth.damage import hide, window_mask
from tests.truth.measure import jitter, lag_frames, rotation_error_deg, scale_of, vertex_error_mm
from tests.truth.noise import NETWORK, degrade
from tests.truth.render import render_truth
from tests.truth.scene import Scene

from .cases import FOCAL_SIGMA, Studio, observe_maps
from .misses import scaled_error_mm, surface_points

FPS = 25.0
MOVING = 10
"""Lag and jitter of expressions are taken over the components that move most."""


@dataclass(frozen=True, eq=False)
class Take:
    """N frames of one person."""

    scenes: tuple[Scene, ...]
    clip: FaceClip
    vertices: Doubles
    """[N, V', 3] the face as it truly was, head frame."""


@dataclass(frozen=True)
class TakeMiss:
    """How far a solved take is from the truth."""

    error_mm: float
    """Mean over frames and vertices of the whole face, each frame aligned rigidly."""
    scaled_mm: float
    """The same, aligned with scale."""
    rotation_deg: float
    scale: float
    """Mean of found over true size."""
    jitter_mm: float
    """Of the translation across the picture, as it would show at the true depth."""
    jitter_deg: float
    """Of the rotation."""
    jitter_expression: float
    lag_expression: float
    """Frames."""
    lag_rotation: float


def draw_take(
    studio: Studio, seed: int, frames: int, *, strides: tuple[int, ...], size: int = 512
) -> tuple[Take, ...]:
    """Draw a take; one for each of the strides with which its maps are read."""
    rng = np.random.default_rng(seed)
    scenes = draw_clip(studio.model, rng, frames, FPS, size)
    focal = scenes[0].focal_px * float(np.exp(rng.normal(0.0, FOCAL_SIGMA)))
    windows = draw_windows(rng, frames, size)
    network = replace(
        NETWORK,
        length_px=NETWORK.length_px * size / 512,
        flatten_px=NETWORK.flatten_px * size / 512,
    )
    seen: list[list[Observation]] = [[] for _ in strides]
    surface = studio.head.surface
    assert surface is not None, "the studio's head is dense"
    vertices = np.empty((frames, surface.points.count, 3))
    for i, scene in enumerate(scenes):
        truth = render_truth(scene)
        vertices[i] = truth.vertices[surface.vertices]
        maps = degrade(truth.maps, network, rng, studio.model)
        shown = hide(maps, window_mask(windows[i], size))
        for kept, stride in zip(seen, strides, strict=True):
            kept.append(observe_maps(studio.head, shown, focal, stride=stride))
    numbers = np.arange(frames, dtype=np.int32)
    return tuple(Take(scenes, FaceClip(tuple(kept), numbers, FPS), vertices) for kept in seen)


def miss_of_take(studio: Studio, take: Take, found: FitVariables) -> TakeMiss:
    """Hold a solved take against the truth."""
    faces = [surface_points(studio.head, found, i) for i in range(len(found.views))]
    pairs = list(zip(faces, take.vertices, strict=True))
    views = list(zip(found.views, take.scenes, strict=True))
    turns = np.stack([view.rotation for view in found.views])
    true_turns = np.stack([scene.rotation for scene in take.scenes])
    shifts = np.stack([_at_true_depth(view.transl, scene) for view, scene in views])
    expressions = np.stack([view.expression for view in found.views])
    true_expressions = np.stack([scene.expression for scene in take.scenes]).astype(np.float64)
    moving = np.argsort(-true_expressions.std(axis=0))[:MOVING]
    sizes = true_expressions[:, moving].std(axis=0)
    return TakeMiss(
        error_mm=float(np.mean([vertex_error_mm(a, b).mean() for a, b in pairs])),
        scaled_mm=float(np.mean([scaled_error_mm(a, b) for a, b in pairs])),
        rotation_deg=float(np.mean([rotation_error_deg(v.rotation, s.rotation) for v, s in views])),
        scale=float(np.mean([scale_of(a, b) for a, b in pairs])),
        jitter_mm=1000 * jitter(shifts[:, :2], np.stack([s.transl[:2] for s in take.scenes])),
        # Of a small turn, the matrix moves by its angle in two of three rows and columns: rms sqrt(2 / 9) angle.
        jitter_deg=float(np.degrees(jitter(turns, true_turns) / np.sqrt(2 / 9))),
        jitter_expression=jitter(expressions[:, moving], true_expressions[:, moving]),
        lag_expression=lag_frames(
            expressions[:, moving] / sizes, true_expressions[:, moving] / sizes
        ),
        lag_rotation=lag_frames(turns, true_turns),
    )


def _at_true_depth(transl: Doubles, scene: Scene) -> Doubles:
    """[3] a translation brought to the true depth along its ray: size and distance trade, their ratio shows."""
    return transl * (scene.transl[2] / transl[2])
