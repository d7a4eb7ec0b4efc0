# SPDX-License-Identifier: GPL-3.0-or-later
"""A head with as many statistical components as one likes, on the geometry of another head.

Identity fields are a Gaussian process over the template with a kernel of three lengths, expanded into its
strongest modes, free of rigid motions of the face; expression fields are local and smooth. Nothing is
learnt from people: such a head is as large and as smooth as FLAME, and means nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pixel3dmm_blender.wire import Doubles, Floats
from server.heads.deform import surface_points
from server.heads.model import HeadModel

from .surface import face_triangles

LENGTHS_M = (0.07, 0.035, 0.018)
SHARES = (0.55, 0.33, 0.12)
"""Variance that varies over each of these lengths."""
IDENTITY_M = 0.006
"""How far a random person's face lies off the mean's, rms over people and vertices."""
EXPRESSION_M = 0.003
"""The same of a random expression, off the neutral face."""
BOUND = 5.0
JAW_RAD = ((-0.05, 0.5), (-0.15, 0.15), (-0.1, 0.1))
EYE_RAD = ((-0.5, 0.5), (-0.6, 0.6), (0.0, 0.0))
"""Least and most of each joint's axis-angle vector: no expression does their work."""
GROUND_POINTS = 600
"""Points that carry the kernel (Nystroem); their modes are continued to all vertices."""
EXPRESSIVE = (*range(48, 68), *range(36, 48), *range(17, 27), *range(31, 36), 6, 8, 10)
"""iBUG points about which expressions move: mouth, eyes, brows, nostrils, chin."""
LIDS_AT = 2
"""The components expression_002 and expression_003 close the subject's left and right eye."""
LID_RAD = 0.25
"""Turn of the upper lid about its eye at value 1; it closes at about 3."""


def make_sized_head(
    base: HeadModel, identity: int = 300, expression: int = 100, seed: int = 0
) -> HeadModel:
    """Give a head's geometry, maps, joints, groups and landmarks new identity and expression bases."""
    rng = np.random.default_rng(seed)
    fields = _identity_fields(base, identity, rng)
    motions = _expression_fields(base, expression, rng)
    return replace(
        base,
        name=f"{base.name}-{identity}-{expression}",
        identity_names=tuple(f"shape_{i:03d}" for i in range(identity)),
        identity=fields.astype(np.float32),
        identity_sigma=np.ones(identity, np.float32),
        identity_bounds=_bounds(identity),
        expression_names=tuple(f"expression_{i:03d}" for i in range(expression)),
        expression=motions.astype(np.float32),
        expression_sigma=np.ones(expression, np.float32),
        expression_bounds=_bounds(expression),
        expression_mirror=np.arange(expression, dtype=np.int32),
        expression_fitted=np.ones(expression, bool),
        joint_limits=_joint_limits(base),
    )


def _identity_fields(base: HeadModel, count: int, rng: np.random.Generator) -> Doubles:
    """Return fields [S, V, 3], strongest first: each scalar mode of the kernel along three random axes."""
    points = base.template.astype(np.float64)
    modes = _kernel_modes(points, _ground(base, rng), -(-count // 3))
    axes = np.linalg.qr(rng.normal(size=(len(modes), 3, 3)))[0]
    fields = np.einsum("mv,mac->mavc", modes, axes).reshape(-1, len(points), 3)[:count]
    rigid_free = _without_rigid(fields, points, np.unique(face_triangles(base)))
    strength = (rigid_free**2).sum(axis=(1, 2))
    return _scaled(base, rigid_free[np.argsort(-strength, kind="stable")], IDENTITY_M)


def _ground(base: HeadModel, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Choose the vertices that carry the kernel: half of them on the face."""
    face = np.unique(face_triangles(base))
    half = min(GROUND_POINTS // 2, len(face))
    everywhere = rng.permutation(len(base.template))[: GROUND_POINTS - half]
    return np.unique(np.concatenate([rng.permutation(face)[:half], everywhere]))


def _kernel_modes(points: Doubles, ground: npt.NDArray[np.intp], count: int) -> Doubles:
    """Return modes [M, V] of the process on the ground points, each times the root of its variance."""
    values, vectors = np.linalg.eigh(_kernel(points[ground], points[ground]))
    strongest = np.argsort(-values)[:count]
    kept = np.maximum(values[strongest], 1e-9 * values.max())
    across = _kernel(points, points[ground])
    modes = (across @ vectors[:, strongest] / np.sqrt(kept)).T
    missing = np.zeros((count - len(modes), len(points)))
    return np.concatenate([modes, missing])


def _kernel(a: Doubles, b: Doubles) -> Doubles:
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * a @ b.T
    parts = (
        share * np.exp(-0.5 * np.maximum(squared, 0.0) / length**2)
        for share, length in zip(SHARES, LENGTHS_M, strict=True)
    )
    return np.sum(list(parts), axis=0)


def _without_rigid(fields: Doubles, points: Doubles, face: npt.NDArray[np.integer]) -> Doubles:
    """Take from each field [N, V, 3] the small rigid motion that explains most of it on the face."""
    centred = points - points[face].mean(axis=0)
    shifts = np.broadcast_to(np.eye(3)[:, None], (3, *points.shape))
    motions = np.concatenate([shifts, [np.cross(axis, centred) for axis in np.eye(3)]])
    on_face = motions[:, face].reshape(6, -1).T
    moved = fields[:, face].reshape(len(fields), -1)
    amounts = np.linalg.solve(on_face.T @ on_face, on_face.T @ moved.T).T
    explained = amounts @ motions.reshape(6, -1)
    return np.asarray(fields - explained.reshape(fields.shape), np.float64)


def _expression_fields(base: HeadModel, count: int, rng: np.random.Generator) -> Doubles:
    """Return fields [E, V, 3]: bumps about expressive landmarks, ever weaker and narrower, and two lids."""
    points = base.template.astype(np.float64)
    places = surface_points(base.landmarks_68, base.template)[list(EXPRESSIVE)].astype(np.float64)
    order = np.concatenate([rng.permutation(len(places)) for _ in range(count // len(places) + 1)])
    rank = np.arange(count)
    centres = places[order[:count]] + rng.normal(0.0, 0.004, (count, 3))
    width = 0.012 + 0.016 * np.exp(-rank / 15.0)
    strength = 1.0 / np.sqrt(1.0 + rank / 4.0)
    away = (points[None] - centres[:, None]) / width[:, None, None]
    bump = np.exp(-0.5 * (away**2).sum(axis=2)) * strength[:, None]
    turning = np.einsum("evc,ecd->evd", away, rng.normal(0.0, 0.4, (count, 3, 3)))
    fields = bump[:, :, None] * (rng.normal(size=(count, 1, 3)) + turning)
    fields = _scaled(base, fields, EXPRESSION_M)
    for component, eye in enumerate(("eye_L", "eye_R"), start=LIDS_AT):
        if component < count and eye in base.joint_names:
            fields[component] = _lid(base, points, eye)
    return fields


def _lid(base: HeadModel, points: Doubles, eye: str) -> Doubles:
    """Return the field [V, 3] m that lowers the upper lid of one eye: a turn about the eye that fades out."""
    joint = base.joint_names.index(eye)
    away = points - base.joint_regressor[joint].astype(np.float64) @ points
    x, y, z = away.T
    near = np.exp(-0.5 * ((x / 0.011) ** 2 + (y / 0.009) ** 2))
    upper = 0.5 + 0.5 * np.tanh(y / 0.0015)
    front = 0.5 + 0.5 * np.tanh((z - 0.004) / 0.003)
    skin = base.skin_weights[joint] < 0.5
    return LID_RAD * (near * upper * front * skin)[:, None] * np.cross([1.0, 0.0, 0.0], away)


def _scaled(base: HeadModel, fields: Doubles, rms_m: float) -> Doubles:
    """Scale fields [N, V, 3] together, so that sigma 1 of all of them moves the face by this much."""
    face = np.unique(face_triangles(base))
    present = np.sqrt((fields[:, face] ** 2).sum(axis=(0, 2)).mean())
    return fields * (rms_m / present)


def _joint_limits(base: HeadModel) -> Floats:
    still = ((0.0, 0.0),) * 3
    of_joint = {"jaw": JAW_RAD, "eye_L": EYE_RAD, "eye_R": EYE_RAD}
    return np.array([of_joint.get(name, still) for name in base.joint_names], np.float32)


def _bounds(count: int) -> Floats:
    return np.tile(np.array([-BOUND, BOUND], np.float32), (count, 1))
