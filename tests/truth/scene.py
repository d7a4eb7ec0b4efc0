# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene: one person with one expression before one camera; and drawing random, plausible ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from pixel3dmm_blender.wire import Camera, Doubles, Floats, Record
from server.heads import deform
from server.heads.model import HeadModel
from server.heads.view import view_rotation

from .surface import face_triangles


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene(Record):
    """Everything that decides what a picture of a head shows. Pixels and camera as in `Camera`."""

    model: HeadModel
    identity: Annotated[Floats, "S"]
    expression: Annotated[Floats, "E"]
    joint_rotation: Annotated[Doubles, "J 3"]
    """Axis-angle, radians."""
    rotation: Annotated[Doubles, "3 3"]
    """Head to camera."""
    transl: Annotated[Doubles, "3"]
    """Head to camera, metres: camera = rotation . head + transl."""
    size: int
    """Side of the square crop, px."""
    focal_px: float
    center_px: Annotated[Doubles, "2"]
    """Principal point."""

    @property
    def camera(self) -> Camera:
        """The camera in the frame of the head, which is its world."""
        move = np.eye(4)
        move[:3, :3], move[:3, 3] = self.rotation, self.transl
        return Camera(
            width=self.size,
            height=self.size,
            focal_px=self.focal_px,
            center_px=self.center_px,
            world_to_camera=move,
        )

    @property
    def face_height_px(self) -> float:
        """Height of the template's face at the head's distance: the same for every view."""
        height = np.ptp(self.model.template[np.unique(face_triangles(self.model)), 1])
        return float(height) * self.focal_px / float(self.transl[2])

    def vertices(self) -> Doubles:
        """Return the posed head [V, 3], metres in the frame of the head."""
        neutral = deform.neutral(self.model, self.identity)
        expressed = deform.expressed(self.model, neutral, self.expression)
        joints = self.model.joints(neutral)
        posed = deform.pose(self.model, joints, expressed, self.joint_rotation.astype(np.float32))
        return posed.astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How widely scenes are drawn."""

    identity: float = 1.0
    """Times the population's sigma; 0 is the mean person."""
    expression: float = 1.0
    """Times the usual strength; 0 is the neutral face."""
    joints: float = 1.0
    """Times the usual turns of jaw and eyes, within `HeadModel.joint_limits`; 0 leaves them at rest."""
    focal: tuple[float, float] = (1.2, 4.0)
    """Shortest and longest focal length, in sides of the crop."""
    face_share: tuple[float, float] = (0.55, 0.70)
    """Least and largest long side of the face's box, in sides of the crop."""
    shift: float = 0.02
    """How far the middle of the face's box lies off the crop's, rms in sides of the crop."""


def draw_scene(
    model: HeadModel,
    rng: np.random.Generator,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    size: int = 512,
    spread: Spread = Spread(),
) -> Scene:
    """Draw a person, an expression and a camera; angles in radians as in `server.heads.view`."""
    scene = Scene(
        model=model,
        identity=draw_identity(model, rng, spread.identity),
        expression=draw_expression(model, rng, spread.expression),
        joint_rotation=_draw_joints(model, rng, spread.joints),
        rotation=view_rotation(yaw, pitch, roll),
        transl=np.array([0.0, 0.0, 1.0]),
        size=size,
        focal_px=size * float(np.exp(rng.uniform(*np.log(spread.focal)))),
        center_px=np.full(2, size / 2),
    )
    share = float(rng.uniform(*spread.face_share))
    return frame_face(scene, share, size * (0.5 + rng.normal(0.0, spread.shift, 2)))


def draw_identity(model: HeadModel, rng: np.random.Generator, strength: float = 1.0) -> Floats:
    """Draw coefficients [S] from N(0, sigma), cut at the bounds."""
    drawn = strength * rng.normal(0.0, model.identity_sigma)
    return np.clip(drawn, *model.identity_bounds.T).astype(np.float32)


def draw_expression(model: HeadModel, rng: np.random.Generator, strength: float = 1.0) -> Floats:
    """Draw coefficients [E] within the bounds; 0 where the solver leaves a component alone.

    Components that go both ways (PCA) are N(0, sigma) times one strength of 0.4 to 1. Of those that
    go one way (ARKit), about 15 % are active at |N(0, 2 sigma)|, mostly with their mirror image.
    """
    sigma, (low, high) = model.expression_sigma, model.expression_bounds.T
    count = len(sigma)
    both_ways = rng.normal(0.0, sigma) * rng.uniform(0.4, 1.0)
    one_way = np.abs(rng.normal(0.0, 2.0 * sigma)) * (rng.random(count) < 0.1)
    twins = one_way[model.expression_mirror] * rng.uniform(0.8, 1.0, count)
    mirrored = np.where(rng.random(count) < 0.8, np.maximum(one_way, twins), one_way)
    drawn = strength * np.where(low < 0, both_ways, mirrored)
    return np.where(model.expression_fitted, np.clip(drawn, low, high), 0.0).astype(np.float32)


def frame_face(scene: Scene, share: float, middle_px: Doubles) -> Scene:
    """Move the head so that the face's box has this long side, in sides of the crop, about this middle."""
    face = np.unique(face_triangles(scene.model))
    points = scene.vertices()[face] @ scene.rotation.T
    transl = np.array([0.0, 0.0, np.ptp(points, axis=0).max() * scene.focal_px / scene.size])
    transl[:2] = -points[:, :2].mean(axis=0)
    for _ in range(8):
        seen = points + transl
        pixels = scene.focal_px * seen[:, :2] / seen[:, 2:] + scene.center_px
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        off = middle_px - 0.5 * (low + high)
        distance = seen[:, 2].mean()
        nearer = (high - low).max() / (share * scene.size)
        transl = transl + np.append(off * distance / scene.focal_px, distance * (nearer - 1.0))
    return replace(scene, transl=transl)


def within_limits(model: HeadModel, turns: Doubles) -> Doubles:
    """Cut axis-angle turns [..., J, 3] at the joints' limits; joints without limits stay at rest."""
    if model.joint_limits is None:
        return np.zeros_like(turns)
    limits = model.joint_limits.astype(np.float64)
    return np.clip(turns, limits[..., 0], limits[..., 1])


def _draw_joints(model: HeadModel, rng: np.random.Generator, strength: float) -> Doubles:
    """Draw axis-angle turns [J, 3] within the limits: both eyes alike, the jaw open; neck and head stay."""
    turns = np.zeros((len(model.joint_names), 3))
    look = rng.normal(0.0, np.radians([4.0, 8.0]))
    jaw = np.array([abs(rng.normal(0.0, 0.1)), rng.normal(0.0, 0.015), 0.0])
    for joint, name in enumerate(model.joint_names):
        if name in ("eye_L", "eye_R"):
            turns[joint, :2] = strength * look
        elif name == "jaw":
            turns[joint] = strength * jaw
    return within_limits(model, turns)
