# SPDX-License-Identifier: GPL-3.0-or-later
"""The hair cap: a thin shell over the scalp that fades out at the hairline.

Its quads are those of the scalp, lifted along the normals; the group ``hair`` holds how dense the hair is (1
on the scalp, falling to 0 over the hairline), and the texture turns that into alpha.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from .atlas import BODY_ISLANDS, HEAD_ISLANDS, stretch_face, upright
from .cage import Cage
from .parts import Part, bind_same

LIFT_MM = 5.0
SUNK_MM = -0.6
"""Below the skin at its edge, so that no rim is seen."""
SOFT_MM = 13.0
"""Width over which the density rises behind the hairline (the cage's quads are about 8 mm there)."""
MARGIN_MM = 14.0
"""How far the shell goes on, transparent, below the hairline."""
HAIRLINE = (
    (0.0, 806.0), (25.0, 805.0), (45.0, 797.0), (56.0, 782.0), (64.0, 760.0), (69.0, 738.0), (73.0, 724.0),
    (77.0, 736.0), (82.0, 745.0), (90.0, 750.0), (97.0, 749.0), (102.0, 743.0), (106.0, 724.0),
    (111.0, 700.0), (120.0, 684.0), (138.0, 672.0), (180.0, 664.0),
)  # fmt: skip
"""Height of the hairline in mm over the angle from straight ahead, in degrees, about the skull's axis."""
AXIS_Z_MM = 45.0


def hair_density(cage: Cage, ears: Doubles) -> Doubles:
    """How dense the hair is at each cage vertex, [V] in 0..1; ``ears`` [V] in 0..1 keeps it off them."""
    depth = _above_hairline(cage.points)
    rise = np.clip(depth / SOFT_MM, 0.0, 1.0)
    return rise * rise * (3.0 - 2.0 * rise) * (1.0 - np.clip(2.0 * ears, 0.0, 1.0))


def build_hair(cage: Cage, ears: Doubles) -> tuple[Part, Doubles]:
    """Build the shell, and the density at its points [M]."""
    density = hair_density(cage, ears)
    chosen = _scalp_quads(cage, ears)
    used, local = np.unique(cage.quads[chosen], return_inverse=True)
    quads = local.reshape(-1, 4).astype(np.int32)
    own = density[used]
    rim = np.isin(np.arange(len(used)), _border(quads))
    own[rim] = 0.0
    normals = _normals(cage)[used]
    lift = SUNK_MM + (LIFT_MM - SUNK_MM) * own
    unit = stretch_face(upright(BODY_ISLANDS["skin"].unit(cage.body_uv[chosen])))
    low, high = unit.min(axis=(0, 1)), unit.max(axis=(0, 1))
    part = Part(
        name="hair",
        points=cage.points[used] + lift[:, None] * normals,
        hm08=np.full(len(used), -1, np.int32),
        binding=bind_same(used),
        quads=quads,
        uv=HEAD_ISLANDS["hair"].place((unit - low) / (high - low)),
        body_uv=cage.body_uv[chosen],
        materials=("hair",) * len(quads),
    )
    return part, own


def _above_hairline(points: Doubles) -> Doubles:
    """Millimetres above the hairline, negative on the bare skin; steep parts of the line count by their distance."""
    angles, heights = np.array(HAIRLINE).T
    angle = np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] - AXIS_Z_MM))
    height = np.interp(angle, angles, heights)
    around = np.hypot(points[:, 0], points[:, 2] - AXIS_Z_MM)
    slope = (np.interp(angle + 2.0, angles, heights) - np.interp(angle - 2.0, angles, heights)) / (
        np.radians(4.0) * np.maximum(around, 20.0)
    )
    return (points[:, 1] - height) / np.sqrt(1.0 + slope**2)


def _scalp_quads(cage: Cage, ears: Doubles) -> Bools:
    skin = np.array([group == "body" for group in cage.groups])
    on_head = np.array([BODY_ISLANDS["skin"].holds(uv.mean(axis=0)) for uv in cage.body_uv])
    near = _above_hairline(cage.points) > -MARGIN_MM
    return skin & on_head & near[cage.quads].all(axis=1) & (ears[cage.quads].max(axis=1) < 0.3)


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
