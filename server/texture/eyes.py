# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes of our own: painted by the distance from the axis of each eyeball at rest, never copied from the photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from server.detect.topology import CHIN, FOREHEAD, LEFT_EYE, RIGHT_EYE
from server.heads.model import HeadModel
from server.raster import Indices, Reals
from server.texture.atlas import Atlas
from server.texture.blend import mix, smoothstep
from server.texture.colors import LUMA, to_linear
from server.texture.outlines import IRIS_LEFT, IRIS_RIGHT, outline, polygon_mask
from server.texture.shot import Shot

PUPIL_M = 0.0023
"""Radius of the pupil in a lit room, metres."""
IRIS_M = 0.0059
"""Radius of the iris, as in life; the network's iris points lie as far from their middle on this head."""
_SCLERA = np.array([0.66, 0.63, 0.59], np.float32)
"""Linear; whiter than this stares."""
_BLOOD = np.array([0.55, 0.30, 0.25], np.float32)
_PUPIL = np.array([0.004, 0.004, 0.005], np.float32)
_SIDES = (("eye_L", IRIS_LEFT), ("eye_R", IRIS_RIGHT))


@dataclass(frozen=True)
class Eye:
    """One eyeball at rest: where it is and where it looks."""

    centre: Reals
    axis: Reals
    """Unit."""


def paint_eyes(model: HeadModel, atlas: Atlas, shot: Shot) -> tuple[Indices, Reals]:
    """Colour the texels of the eye slots: (texels, linear [n, 3])."""
    texels = atlas.of_slot(model, "eye")
    lash = atlas.of_slot(model, "lash", "brow")
    texels = np.setdiff1d(texels, lash).astype(np.int32)
    if not len(texels):
        return texels, np.zeros((0, 3), np.float32)
    rest = atlas.spread(model.template, texels)
    joints = model.joints(model.template)
    eyes = [
        _eye(model, joints, name, centre[0]) for name, centre in _SIDES if name in model.joint_names
    ]
    iris, white = iris_color(shot), white_level(shot)
    if not eyes:
        return texels, np.tile(white * _SCLERA, (len(texels), 1)).astype(np.float32)
    distance = np.stack([np.linalg.norm(rest - eye.centre, axis=1) for eye in eyes])
    nearest = distance.argmin(axis=0)
    color = np.zeros((len(texels), 3), np.float32)
    for index, eye in enumerate(eyes):
        chosen = nearest == index
        color[chosen] = _paint(rest[chosen] - eye.centre, eye.axis, iris, white)
    return texels, color


def iris_color(shot: Shot) -> Reals:
    """Typical linear colour of the lower iris halves (the upper ones lie in the lids' shadow), [3]."""
    linear = to_linear(shot.pixels)
    rows, columns = np.mgrid[: shot.camera.height, : shot.camera.width]
    down = shot.landmarks_px[CHIN] - shot.landmarks_px[FOREHEAD]
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    samples: list[Reals] = []
    for iris in (IRIS_LEFT, IRIS_RIGHT):
        centre = shot.landmarks_px[iris[0]]
        radius = float(np.linalg.norm(shot.landmarks_px[list(iris[1:])] - centre, axis=1).mean())
        away = np.stack([columns + 0.5 - centre[0], rows + 0.5 - centre[1]], axis=-1)
        size = np.linalg.norm(away, axis=-1)
        samples.append(
            linear[(size < 0.85 * radius) & (size > 0.45 * radius) & (away @ down > 0.1 * radius)]
        )
    found = np.concatenate(samples)
    if len(found) < 4:
        return np.array([0.09, 0.05, 0.03], np.float32)
    # The pupil darkens some, the window's reflection brightens others.
    color = np.percentile(found, 25, axis=0)
    # A small photo mixes pupil, lashes and iris: keep the hue, lift the light to what an iris can be.
    luminance = float(color @ LUMA)
    return (color * np.clip(luminance, 0.016, 0.16) / max(luminance, 1e-4)).astype(np.float32)


def white_level(shot: Shot) -> float:
    """How bright white things are in this photo, 0.5..1: painted eyes and teeth must not outshine its skin.

    Measured between the lids, where a fifth is brighter; 1 where that cannot be told.
    """
    shape = (shot.camera.height, shot.camera.width)
    left = polygon_mask(outline(shot.landmarks_px, LEFT_EYE), shape)
    mask = left | polygon_mask(outline(shot.landmarks_px, RIGHT_EYE), shape)
    if np.count_nonzero(mask) < 20:
        return 1.0
    bright = float(np.percentile(to_linear(shot.pixels)[mask] @ LUMA, 80))
    return float(np.clip(bright / float(_SCLERA @ LUMA), 0.5, 1.0))


def _eye(model: HeadModel, joints: Reals, name: str, iris_landmark: int) -> Eye:
    """The axis goes through the iris landmark of the head, which is where the fit puts the iris of the photo."""
    centre = joints[model.joint_names.index(name)]
    axis = np.array([0.0, 0.0, 1.0])
    embedding = model.landmarks_478
    if len(embedding.vertices) > iris_landmark:
        iris = embedding.weights[iris_landmark] @ model.template[embedding.vertices[iris_landmark]]
        toward = iris - centre
        if toward[2] > 0.5 * np.linalg.norm(toward):
            axis = toward
    return Eye(centre, (axis / np.linalg.norm(axis)).astype(np.float32))


def _paint(away: Reals, axis: Reals, iris: Reals, exposure: float) -> Reals:
    """Colour points relative to the eye's centre."""
    along = away @ axis
    side = away - along[:, None] * axis
    radius = np.linalg.norm(side, axis=1)
    angle = np.arctan2(side[:, 1], side[:, 0])
    back = along < 0.0
    fibres = (
        0.5 + 0.25 * np.sin(23 * angle + 3 * np.sin(5 * angle)) + 0.25 * np.sin(41 * angle + 1.7)
    )
    depth = np.clip((radius - PUPIL_M) / (IRIS_M - PUPIL_M), 0.0, 1.0)
    bright = 0.75 + 0.45 * fibres * np.sin(np.pi * np.clip(depth, 0, 1)) + 0.25 * (1 - depth)
    bright *= 1.0 - 0.72 * smoothstep(0.80, 1.0, depth)
    color = iris * bright[:, None]
    color = mix(color, _PUPIL, 1.0 - smoothstep(PUPIL_M - 0.0003, PUPIL_M + 0.0002, radius))
    blood = 0.5 * smoothstep(1.15 * IRIS_M, 2.1 * IRIS_M, np.where(back, 1.0, radius))
    white = exposure * mix(np.broadcast_to(_SCLERA, color.shape), _BLOOD, blood)
    outside = np.where(back, 1.0, smoothstep(IRIS_M - 0.0004, IRIS_M + 0.0005, radius))
    # The upper lid and its lashes shade the ball below them, the lower lid hardly.
    lid = 0.55 * smoothstep(0.0010, 0.0062, side[:, 1]) + 0.2 * smoothstep(
        0.003, 0.0075, -side[:, 1]
    )
    lid = lid * smoothstep(0.2, 0.7, along / np.maximum(np.hypot(along, radius), 1e-6))
    return (mix(color, white, outside) * (1.0 - lid)[:, None]).astype(np.float32)
