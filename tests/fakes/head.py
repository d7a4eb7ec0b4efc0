# SPDX-License-Identifier: GPL-3.0-or-later
"""A synthetic HeadModel of about 200 vertices with five joints: an egg with two eyes, valid in every field.

It stands in for real heads where their files are missing and where a known, small answer is wanted. Same frame as every
head: metres, x to the subject's left, y up, z out of the face, origin at the head joint. Deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles, Floats, Ints, Material
from server.heads.model import Embedding, HeadModel, ViewCalibration

HALF_SIZE_M = np.array([0.075, 0.11, 0.095])
CENTRE_M = np.array([0.0, 0.045, 0.0])
EYE_CENTRE_M = np.array([0.031, 0.06, 0.078])
EYE_RADIUS_M = 0.0125
IDENTITY_NAMES = tuple(f"shape_{index:03d}" for index in range(6))
EXPRESSION_NAMES = (
    "jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight",
    "mouthPucker", "tongueOut",
)  # fmt: skip
EXPRESSION_MIRROR = (0, 2, 1, 3, 5, 4, 6, 7)
JOINT_NAMES = ("neck", "head", "jaw", "eye_L", "eye_R")
GROUP_NAMES = ("face", "neck", "eye_L", "eye_R", "scalp")


@dataclass(frozen=True)
class Shell:
    """A closed surface of latitude rings: quads, with a fan of triangles at both poles."""

    points: Doubles
    faces: tuple[tuple[int, ...], ...]
    uv: tuple[tuple[float, float], ...]


def make_fake_head() -> HeadModel:
    """Build the synthetic head: V = 196, S = 6, E = 8, J = 5, G = 5, two UV maps."""
    template, faces, uv, part = _geometry()
    return HeadModel(
        name="fake",
        licence="Made for tests, CC0.",
        provenance="tests/fakes/head.py",
        commercial_use=True,
        template=template.astype(np.float32),
        face_sizes=np.array([len(face) for face in faces], np.int32),
        face_vertices=np.array([corner for face in faces for corner in face], np.int32),
        face_materials=np.array([int(part[face[0]] > 0) for face in faces], np.int32),
        materials=(
            Material(name="skin", subsurface=0.1),
            Material(name="eye", roughness=0.1, color=np.array([0.8, 0.8, 0.8], np.float32)),
        ),
        uv_names=("head", "original"),
        uv=np.stack([uv, 0.5 * uv + 0.1]),
        identity_names=IDENTITY_NAMES,
        identity=_identity(template),
        identity_sigma=np.ones(len(IDENTITY_NAMES), np.float32),
        identity_bounds=np.tile(np.array([-3.0, 3.0], np.float32), (len(IDENTITY_NAMES), 1)),
        expression_names=EXPRESSION_NAMES,
        expression=_expression(template, part),
        expression_sigma=np.full(len(EXPRESSION_NAMES), 0.2, np.float32),
        expression_bounds=np.tile(np.array([0.0, 1.0], np.float32), (len(EXPRESSION_NAMES), 1)),
        expression_mirror=np.array(EXPRESSION_MIRROR, np.int32),
        expression_fitted=np.array([name != "tongueOut" for name in EXPRESSION_NAMES]),
        joint_names=JOINT_NAMES,
        joint_parents=np.array([-1, 0, 1, 1, 1], np.int32),
        joint_regressor=_joint_regressor(template, part),
        bone_tails=np.array(
            [[0, 0.06, 0], [0, 0.12, 0], [0, -0.02, 0.07], [0, 0, 0.02], [0, 0, 0.02]], np.float32
        ),
        skin_weights=_skin_weights(template, part),
        group_names=GROUP_NAMES,
        groups=_groups(template, part),
        mirror=_mirror(template, part),
        landmarks_478=_landmarks(template, faces, part, 468, iris=True),
        landmarks_68=_landmarks(template, faces, part, 68, iris=False),
        calibration_478=ViewCalibration(
            coefficients=np.random.default_rng(9).normal(0, 2e-4, (7, 478, 2)).astype(np.float32)
        ),
    )


def _geometry() -> tuple[Doubles, list[tuple[int, ...]], Floats, Ints]:
    egg = _shell(14, 11, (0.02, 0.02, 0.76, 0.96))
    eye_uvs = ((0.8, 0.02, 0.18, 0.4), (0.8, 0.52, 0.18, 0.4))
    eyes = [_shell(6, 3, window) for window in eye_uvs]
    mirrored = np.array([-1.0, 1.0, 1.0])
    points = [
        egg.points * HALF_SIZE_M + CENTRE_M,
        eyes[0].points * EYE_RADIUS_M + EYE_CENTRE_M,
        eyes[1].points * EYE_RADIUS_M + EYE_CENTRE_M * mirrored,
    ]
    starts = np.cumsum([0] + [len(block) for block in points])
    faces: list[tuple[int, ...]] = []
    uv: list[tuple[float, float]] = []
    for shell, start in zip((egg, *eyes), starts[:-1], strict=True):
        faces += [tuple(int(corner + start) for corner in face) for face in shell.faces]
        uv += shell.uv
    part = np.repeat([0, 1, 2], [len(block) for block in points]).astype(np.int32)
    return np.concatenate(points), faces, np.array(uv, np.float32), part


def _shell(columns: int, rings: int, window: tuple[float, float, float, float]) -> Shell:
    """Unit sphere with its poles on y; ``window`` is its UV rectangle (left, bottom, width, height)."""
    points = [np.array([0.0, -1.0, 0.0])]
    for ring in range(1, rings + 1):
        polar = np.pi * ring / (rings + 1)
        for column in range(columns):
            turn = 2 * np.pi * (column + 0.5) / columns
            across = np.sin(polar)
            points.append(np.array([across * np.sin(turn), -np.cos(polar), across * np.cos(turn)]))
    points.append(np.array([0.0, 1.0, 0.0]))
    last = len(points) - 1
    faces: list[tuple[int, ...]] = []
    uv: list[tuple[float, float]] = []
    for column in range(columns):
        here, after = column / columns, (column + 1) / columns
        following = (column + 1) % columns
        for ring in range(rings + 1):
            low, high = ring / (rings + 1), (ring + 1) / (rings + 1)
            below, above = 1 + (ring - 1) * columns, 1 + ring * columns
            if ring == 0:
                faces.append((0, above + following, above + column))
                uv += [((here + after) / 2, low), (after, high), (here, high)]
            elif ring == rings:
                faces.append((below + column, below + following, last))
                uv += [(here, low), (after, low), ((here + after) / 2, high)]
            else:
                faces.append((below + column, below + following, above + following, above + column))
                uv += [(here, low), (after, low), (after, high), (here, high)]
    left, bottom, width, height = window
    placed = tuple((left + width * u, bottom + height * v) for u, v in uv)
    return Shell(np.array(points), tuple(faces), placed)


def _identity(template: Doubles) -> Floats:
    """Smooth polynomial offsets, about 2 mm each; the last one is not symmetric."""
    x, y, z = ((template - CENTRE_M) / HALF_SIZE_M).T
    zero = np.zeros_like(x)
    modes = (
        (x, zero, zero),
        (zero, y, zero),
        (zero, zero, z * np.abs(z)),
        (x * y, zero, zero),
        (zero, y * y, y * z),
        (zero, x * z, x * y),
    )
    return np.stack([0.002 * np.stack(mode, axis=1) for mode in modes]).astype(np.float32)


def _expression(template: Doubles, part: Ints) -> Floats:
    """Gaussian bumps on the egg; names and sides as on a real head, eyes unmoved."""
    mouth = np.array([0.0, -0.01, 0.09])
    side = np.array([0.025, 0.0, 0.0])
    brow = np.array([0.0, 0.09, 0.08])
    eye = EYE_CENTRE_M + np.array([0.0, 0.004, 0.01])
    flip = np.array([-1.0, 1.0, 1.0])
    smile = np.array([0.006, 0.01, -0.003])
    bumps = (
        (mouth + np.array([0.0, -0.03, 0.0]), np.array([0.0, -0.025, -0.006])),
        (mouth + side, smile),
        (mouth - side, smile * flip),
        (brow, np.array([0.0, 0.008, 0.0])),
        (eye, np.array([0.0, -0.009, 0.003])),
        (eye * flip, np.array([0.0, -0.009, 0.003])),
        (mouth, np.array([0.0, 0.0, 0.012])),
        (mouth, np.array([0.0, -0.003, 0.02])),
    )
    on_egg = (part == 0)[:, None]
    keys = [on_egg * _near(template, centre, 0.03)[:, None] * motion for centre, motion in bumps]
    return np.stack(keys).astype(np.float32)


def _joint_regressor(template: Doubles, part: Ints) -> Floats:
    """Affine weights of least norm that reproduce each joint exactly; rows sum to 1."""
    wanted = np.array([[0.0, -0.06, -0.02], [0.0, 0.0, 0.0], [0.0, 0.015, 0.02]])
    rows = np.zeros((len(JOINT_NAMES), len(template)))
    egg = np.flatnonzero(part == 0)
    system = np.vstack([template[egg].T, np.ones(len(egg))])
    rows[:3, egg] = np.linalg.lstsq(system, np.vstack([wanted.T, np.ones(3)]), rcond=None)[0].T
    for row, eye in ((3, 1), (4, 2)):
        rows[row, part == eye] = 1.0 / np.count_nonzero(part == eye)
    return rows.astype(np.float32)


def _skin_weights(template: Doubles, part: Ints) -> Floats:
    weights = np.zeros((len(JOINT_NAMES), len(template)))
    below = np.clip((0.0 - template[:, 1]) / 0.06, 0.0, 1.0) * (template[:, 2] < 0.03)
    jaw = 0.9 * _near(template, np.array([0.0, -0.03, 0.08]), 0.04) * (1.0 - below)
    weights[0] = below
    weights[2] = jaw
    weights[1] = 1.0 - weights[0] - weights[2]
    for row, eye in ((3, 1), (4, 2)):
        weights[:, part == eye] = 0.0
        weights[row, part == eye] = 1.0
    return weights.astype(np.float32)


def _groups(template: Doubles, part: Ints) -> Floats:
    egg = part == 0
    face = egg & (template[:, 2] > 0.02) & (template[:, 1] > -0.045)
    regions = (
        face,
        egg & (template[:, 1] < -0.045),
        part == 1,
        part == 2,
        egg & (template[:, 1] > 0.11),
    )
    return np.stack(regions).astype(np.float32)


def _mirror(template: Doubles, part: Ints) -> Ints:
    flipped = template * np.array([-1.0, 1.0, 1.0])
    squared = ((flipped[:, None] - template[None]) ** 2).sum(axis=2)
    twin_part = np.array([0, 2, 1])[part]
    squared[twin_part[:, None] != part[None]] = np.inf
    return squared.argmin(axis=1).astype(np.int32)


def _landmarks(
    template: Doubles, faces: list[tuple[int, ...]], part: Ints, count: int, *, iris: bool
) -> Embedding:
    """Points inside random front faces of the egg; with ``iris``, five points on each eye, the right one first."""
    random = np.random.default_rng(count)
    normals_forward = [
        face for face in faces
        if part[face[0]] == 0 and template[list(face), 2].min() > 0.03
    ]  # fmt: skip
    vertices = np.zeros((count, 4), np.int32)
    weights = np.zeros((count, 4))
    for point in range(count):
        face = normals_forward[random.integers(len(normals_forward))]
        vertices[point, : len(face)] = face
        weights[point, : len(face)] = random.dirichlet(np.ones(len(face)))
    if iris:
        for eye in (2, 1):
            front = np.flatnonzero(part == eye)
            front = front[np.argsort(-template[front, 2])][:5]
            vertices = np.vstack([vertices, np.repeat(front[:, None], 4, axis=1)])
            weights = np.vstack([weights, np.tile([1.0, 0.0, 0.0, 0.0], (5, 1))])
    spread = random.uniform(0.001, 0.003, len(vertices))
    return Embedding(
        vertices=vertices.astype(np.int32),
        weights=weights.astype(np.float32),
        spread_m=spread.astype(np.float32),
    )


def _near(points: Doubles, centre: Doubles, width_m: float) -> Doubles:
    return np.exp(-0.5 * ((points - centre) ** 2).sum(axis=1) / width_m**2)
