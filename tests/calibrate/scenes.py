# SPDX-License-Identifier: GPL-3.0-or-later
"""Which heads, expressions and views are rendered. Everything is drawn with fixed seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Doubles
from server.heads.view import view_rotation
from tests.calibrate.paint import COMPLEXIONS

SIZE_PX = 512
PX_PER_M = 1430.0
"""Scale of the pictures at the middle of the face: a face of 190 mm covers 270 px."""
DISTANCE_M = 1.0
"""From the camera to the middle of the face; random heads stand at other distances too."""
NEAREST_M, FARTHEST_M = 0.6, 1.8
TARGET_M = (0.0, -0.0212, 0.0)
"""What the camera looks at, from the middle between the eyes."""

RANDOM_HEADS = 20
GRID_YAWS = (-45.0, -22.5, 0.0, 22.5, 45.0)
GRID_PITCHES = (-20.0, -10.0, 0.0, 10.0, 20.0)
EXPRESSIONS: tuple[tuple[tuple[str, float], ...], ...] = (
    (("mouthSmileLeft", 0.7), ("mouthSmileRight", 0.7), ("cheekSquintLeft", 0.4), ("cheekSquintRight", 0.4)),
    (("jawOpen", 0.3),),
    (("browDownLeft", 0.7), ("browDownRight", 0.7), ("eyeSquintLeft", 0.5), ("eyeSquintRight", 0.5)),
    (("browInnerUp", 0.7), ("browOuterUpLeft", 0.6), ("browOuterUpRight", 0.6)),
    (("mouthPucker", 0.7),),
    (("eyeBlinkLeft", 0.6), ("eyeBlinkRight", 0.6)),
)  # fmt: skip
EXPRESSION_YAWS = (0.0, 25.0)


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture: who, with which expression, painted how, seen and lit from where."""

    head: int
    """0 is the neutral head, then the random heads."""
    expression: int | None
    complexion: int
    yaw: float
    pitch: float
    """Radians, as in `server.heads.view`."""
    distance_m: float
    seed: int

    @property
    def focal_px(self) -> float:
        """Focal length, px: nearer cameras have wider lenses, so faces are equally large."""
        return PX_PER_M * self.distance_m

    @property
    def rotation(self) -> Doubles:
        """Head to camera, [3, 3]."""
        return view_rotation(self.yaw, self.pitch)

    @property
    def translation(self) -> Doubles:
        """Head to camera, [3] metres: the target lies on the optical axis."""
        return np.array([0.0, 0.0, self.distance_m]) - self.rotation @ np.array(TARGET_M)

    def project(self, points: Doubles) -> tuple[Doubles, Doubles]:
        """Return pixels [N, 2] (first pixel's centre at 0.5) and depths [N] of points [N, 3]."""
        seen = points @ self.rotation.T + self.translation
        return seen[:, :2] / seen[:, 2:] * self.focal_px + 0.5 * SIZE_PX, seen[:, 2]


def all_shots() -> tuple[Shot, ...]:
    """List every picture, in the order of their numbers: neutral, random heads, expressions."""
    return _neutral_shots() + _random_head_shots() + _expression_shots()


def lamps(shot: Shot) -> Doubles:
    """Return the places of two soft lamps around the camera, [2, 3] metres in the head's frame."""
    random = np.random.default_rng(1000 + shot.seed)
    sideways = random.uniform(0.35, 1.0) * random.choice([-1.0, 1.0])
    in_camera = np.array(
        [[sideways, -random.uniform(0.3, 0.8), -1.0], [-1.2 * sideways, 0.1, -0.9]]
    )
    return in_camera @ shot.rotation + np.array(TARGET_M)


def background(shot: Shot) -> Doubles:
    """Return the linear colour of the surroundings, [3]."""
    random = np.random.default_rng(2000 + shot.seed)
    return random.uniform(0.15, 0.5) * random.uniform(0.85, 1.15, 3)


def _neutral_shots() -> tuple[Shot, ...]:
    views = [(yaw, pitch) for pitch in GRID_PITCHES for yaw in GRID_YAWS]
    return tuple(_shot(0, None, yaw, pitch, i) for i, (yaw, pitch) in enumerate(views))


def _random_head_shots() -> tuple[Shot, ...]:
    random = np.random.default_rng(42)
    shots: list[Shot] = []
    for head in range(1, RANDOM_HEADS + 1):
        yaws = np.array([-35.0, -12.0, 12.0, 35.0]) + random.uniform(-10.0, 10.0, 4)
        pitches = random.uniform(-20.0, 20.0, 4)
        distance = float(np.exp(random.uniform(np.log(NEAREST_M), np.log(FARTHEST_M))))
        for yaw, pitch in zip(yaws, pitches, strict=True):
            shot = _shot(head, None, float(yaw), float(pitch), 100 + len(shots))
            shots.append(replace(shot, distance_m=distance))
    return tuple(shots)


def _expression_shots() -> tuple[Shot, ...]:
    views = [(i, yaw) for i in range(len(EXPRESSIONS)) for yaw in EXPRESSION_YAWS]
    return tuple(
        _shot(0, expression, yaw if expression % 2 else -yaw, 0.0, 200 + i)
        for i, (expression, yaw) in enumerate(views)
    )


def _shot(head: int, expression: int | None, yaw: float, pitch: float, seed: int) -> Shot:
    yaw, pitch = float(np.radians(yaw)), float(np.radians(pitch))
    complexion = (seed if head == 0 else head) % len(COMPLEXIONS)
    return Shot(
        head=head,
        expression=expression,
        complexion=complexion,
        yaw=yaw,
        pitch=pitch,
        distance_m=DISTANCE_M,
        seed=seed,
    )
