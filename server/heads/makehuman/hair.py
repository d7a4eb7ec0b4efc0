# SPDX-License-Identifier: GPL-3.0-or-later
"""The hair: a shell of short hair over the scalp, and over the forehead as far as a fringe may fall.

Its quads are those of the scalp, lifted along smoothed normals. The group ``hair`` holds how dense hair is on
an average head (1 on the scalp, falling to 0 over the hairline), and the texture turns that into alpha. Below
the hairline the shell lies close to the skin and carries no hair unless the photo shows some there.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from .atlas import BODY_ISLANDS, HEAD_ISLANDS, stretch_face, upright
from .cage import Cage
from .parts import Part, bind_same

LIFT_MM = 14.0
"""Volume at the crown and the sides."""
FRINGE_MM = 1.3
"""Volume at the hairline and over the forehead."""
FLAT_MM = 5.0
"""How far behind the hairline it still lies flat, or the edge would float over the skin."""
RISE_MM = 34.0
"""How far behind the hairline the full volume is reached."""
SUNK_MM = -0.6
"""Below the skin at its edge, so that no rim is seen."""
SLOPE = 0.8
"""How steeply the shell rises from its edge, most of all behind the ears."""
SOFT_MM = 12.0
"""Width over which the density rises behind the hairline (the cage's quads are about 8 mm there)."""
SMOOTHING_STEPS = 5
HAIRLINE = (
    (0.0, 795.0), (25.0, 794.0), (45.0, 787.0), (56.0, 772.0), (64.0, 748.0), (69.0, 724.0), (73.0, 712.0),
    (77.0, 730.0), (82.0, 743.0), (90.0, 749.0), (97.0, 748.0), (102.0, 742.0), (106.0, 723.0),
    (111.0, 698.0), (120.0, 680.0), (138.0, 667.0), (180.0, 659.0),
)  # fmt: skip
"""Height of the hairline in mm over the angle from straight ahead, in degrees, about the skull's axis."""
EDGE = (
    (0.0, 753.0), (30.0, 751.0), (42.0, 742.0), (50.0, 732.0), (58.0, 716.0), (66.0, 696.0), (73.0, 688.0),
    (77.0, 712.0),
    (82.0, 726.0), (97.0, 732.0), (106.0, 706.0), (111.0, 682.0), (120.0, 664.0), (138.0, 651.0),
    (180.0, 644.0),
)  # fmt: skip
"""Height of the shell's lower edge: at the brows, in front of the ears, on the nape."""
AXIS_Z_MM = 45.0
NEAR_AXIS_MM = 60.0
"""Nearer to the axis than any hairline, the lines' steep parts would dent the crown."""


def hair_density(cage: Cage, ears: Doubles) -> Doubles:
    """How dense the hair is at each cage vertex, [V] in 0..1; ``ears`` [V] in 0..1 keeps it off them."""
    rise = _smooth(_above(HAIRLINE, cage.points) / SOFT_MM)
    return rise * (1.0 - np.clip(2.0 * ears, 0.0, 1.0))


def build_hair(cage: Cage, ears: Doubles) -> tuple[Part, Doubles]:
    """Build the shell, and the density at its points [M]."""
    density = hair_density(cage, ears)
    chosen = _scalp_quads(cage, ears)
    used, local = np.unique(cage.quads[chosen], return_inverse=True)
    quads = local.reshape(-1, 4).astype(np.int32)
    own = density[used]
    rim = _border(quads)
    own[rim] = 0.0
    ring = _neighbours(quads, len(used))
    normals = _normals(cage)[used]
    for _ in range(SMOOTHING_STEPS):
        normals = 0.5 * normals + 0.5 * ring @ normals
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = cage.points[used]
    unit = stretch_face(upright(BODY_ISLANDS["skin"].unit(cage.body_uv[chosen])))
    low, high = unit.min(axis=(0, 1)), unit.max(axis=(0, 1))
    part = Part(
        name="hair",
        points=points + _lift(points, rim, ring)[:, None] * normals,
        hm08=np.full(len(used), -1, np.int32),
        binding=bind_same(used),
        quads=quads,
        uv=HEAD_ISLANDS["hair"].place((unit - low) / (high - low)),
        body_uv=cage.body_uv[chosen],
        materials=("hair",) * len(quads),
    )
    return part, own


def _lift(points: Doubles, rim: Ints, ring: Doubles) -> Doubles:
    """How far the shell stands off the skin at each of its points, [M] mm."""
    full = _smooth((_above(HAIRLINE, points) - FLAT_MM) / RISE_MM)
    lift = FRINGE_MM + (LIFT_MM - FRINGE_MM) * full
    for _ in range(SMOOTHING_STEPS // 2):
        lift = 0.5 * lift + 0.5 * ring @ lift
    away = KDTree(points[rim]).query(points)[0]
    lift = np.minimum(lift, SUNK_MM + SLOPE * away)
    lift[rim] = SUNK_MM
    return lift


def _above(line: tuple[tuple[float, float], ...], points: Doubles) -> Doubles:
    """Millimetres above a line around the head, negative below; its steep parts count by their distance."""
    angles, heights = np.array(line).T
    angle = np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] - AXIS_Z_MM))
    height = np.interp(angle, angles, heights)
    around = np.hypot(points[:, 0], points[:, 2] - AXIS_Z_MM)
    slope = (np.interp(angle + 2.0, angles, heights) - np.interp(angle - 2.0, angles, heights)) / (
        np.radians(4.0) * np.maximum(around, NEAR_AXIS_MM)
    )
    return (points[:, 1] - height) / np.sqrt(1.0 + slope**2)


def _scalp_quads(cage: Cage, ears: Doubles) -> Bools:
    skin = np.array([group == "body" for group in cage.groups])
    on_head = np.array([BODY_ISLANDS["skin"].holds(uv.mean(axis=0)) for uv in cage.body_uv])
    near = _above(EDGE, cage.points) > 0.0
    return skin & on_head & near[cage.quads].all(axis=1) & (ears[cage.quads].max(axis=1) < 0.3)


def _neighbours(quads: Ints, count: int) -> Doubles:
    """Averages over the neighbours along edges, [M, M]."""
    matrix = np.zeros((count, count))
    for step in (1, 3):
        matrix[quads, np.roll(quads, step, axis=1)] = 1.0
    return matrix / matrix.sum(axis=1, keepdims=True)


def _smooth(share: Doubles) -> Doubles:
    t = np.clip(share, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _border(quads: Ints) -> Ints:
    edges = np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    pairs, counts = np.unique(edges, axis=0, return_counts=True)
    return np.unique(pairs[counts == 1])


def _normals(cage: Cage) -> Doubles:
    skin = np.array([group == "body" for group in cage.groups])
    corners = cage.points[cage.quads[skin]]
    face = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    total = np.zeros_like(cage.points)
    np.add.at(total, cage.quads[skin], face[:, None, :])
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
