# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyeballs: round spheres in place of MakeHuman's coarse helper eyes, and identity that keeps them inside the lids.

The helper eye is a 72-vertex ball that loses 1 to 2 mm under subdivision and does not follow the lids when the face
changes. Ours has its pole at the pupil, rings at the rims of pupil and iris, and is bound to the helper by
an affine motion: gaze stays in the ``eyeLook*`` keys (an exporter without bones then still moves the eyes as
ARKit does), and the eye bones turn the same ball for whoever animates by bones.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Doubles, Ints

from .atlas import HEAD_ISLANDS, Window
from .parts import Part, bind_affinely

RADIUS_MM = 14.75
"""The helper's is 15.45; the difference is what the lids sink under subdivision."""
PUPIL_MM, IRIS_MM = 2.3, 6.2
COLUMNS = 24
RING_DEGREES = (
    4.5,
    9.0,
    14.0,
    19.0,
    24.8,
    28.5,
    34.0,
    42.0,
    51.0,
    61.0,
    72.0,
    85.0,
    100.0,
    120.0,
    145.0,
)
"""Angles of the rings from the pupil; 9.0 is the rim of the pupil, 24.8 that of the iris."""
FRONT_RINGS = 12
LID_REACH_MM = 2.5
PUPIL_DEPTH = 0.95
"""The helper's vertices this far forward (in radii) carry the pupil."""
STILL_MM = 0.3
BODY_WINDOWS = {
    "eye_L_front": Window(0.760, 0.944, 0.773, 0.957),
    "eye_L_back": Window(0.773, 0.932, 0.785, 0.944),
    "eye_R_front": Window(0.801, 0.944, 0.813, 0.957),
    "eye_R_back": Window(0.788, 0.932, 0.801, 0.944),
}


def fit_sphere(points: Doubles) -> tuple[Doubles, float]:
    """Fit centre [3] and radius to points [N, 3] by least squares (|p|^2 = 2 c.p + r^2 - c^2)."""
    system = np.column_stack([2.0 * points, np.ones(len(points))])
    solved = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    centre = solved[:3]
    return centre, float(np.sqrt(solved[3] + centre @ centre))


def build_eye(name: str, helper: Ints, cage_points: Doubles) -> Part:
    """Build one eyeball ("eye_L" or "eye_R") in place of its helper (cage indices), looking straight ahead."""
    centre, _ = fit_sphere(cage_points[helper])
    points = [centre + RADIUS_MM * _direction(0.0, 0.0)]
    for polar in RING_DEGREES:
        points += [
            centre + RADIUS_MM * _direction(np.radians(polar), 2 * np.pi * column / COLUMNS)
            for column in range(COLUMNS)
        ]
    points.append(centre - RADIUS_MM * _direction(0.0, 0.0))
    placed = np.array(points)
    quads, front = _sphere_quads()
    flat = {
        side: _flatten(placed - centre, towards)
        for side, towards in (("front", 1.0), ("back", -1.0))
    }
    uv, body_uv = np.zeros((len(quads), 4, 2)), np.zeros((len(quads), 4, 2))
    for side, chosen in (("front", front), ("back", ~front)):
        corners = flat[side][quads[chosen]]
        reach = np.abs(corners - 0.5).max() * 2.0
        unit = 0.5 + (corners - 0.5) / reach
        uv[chosen] = HEAD_ISLANDS[f"{name}_{side}"].place(unit)
        body_uv[chosen] = BODY_WINDOWS[f"{name}_{side}"].place(unit)
    return Part(
        name=name,
        points=placed,
        hm08=np.full(len(placed), -1, np.int32),
        binding=bind_affinely(placed, helper, cage_points),
        quads=quads,
        uv=uv,
        body_uv=body_uv,
        materials=("eye",) * len(quads),
    )


def lid_ring(helper: Ints, skin: Ints, cage_points: Doubles) -> Ints:
    """Find the skin vertices (cage indices) that touch the front of the eyeball: its lids."""
    centre, radius = fit_sphere(cage_points[helper])
    away = cage_points[skin] - centre
    near = np.abs(np.linalg.norm(away, axis=1) - radius) < LID_REACH_MM
    return skin[near & (away[:, 2] > 0.35 * radius)]


def refit_eye(fields: Doubles, helper: Ints, ring: Ints, cage_points: Doubles) -> None:
    """Replace, in place, the helper eye's offsets in fields [N, V, 3] by what its lids do.

    The uniform scale and translation that best follow the ring are linear in the ring's offsets, so the refit needs no
    step of its own when a face is fitted: it is part of the identity basis.
    """
    middle = cage_points[ring].mean(axis=0)
    spokes = cage_points[ring] - middle
    shift = fields[:, ring].mean(axis=1)  # [N, 3]
    growth = np.einsum("nvc,vc->n", fields[:, ring], spokes) / (spokes**2).sum()
    around = cage_points[helper] - middle
    fields[:, helper] = shift[:, None] + growth[:, None, None] * around


def turn_eye(fields: Doubles, helper: Ints, cage_points: Doubles) -> None:
    """Replace, in place, the helper eye's offsets in fields [N, V, 3] by a turn about its centre.

    The ``eyeLook*`` targets shift the whole ball sideways by up to 3.9 mm while they turn it, which would
    lift the sclera out of its lids. The turn that carries the pupil equally far is kept; other keys do not
    move the eyes.
    """
    centre, radius = fit_sphere(cage_points[helper])
    away = cage_points[helper] - centre
    front = away[:, 2] > PUPIL_DEPTH * radius
    pupil = fields[:, helper[front]].mean(axis=1)  # [N, 3]
    for field, moved in zip(fields, pupil, strict=True):
        across = np.hypot(moved[0], moved[1])
        if across < STILL_MM:
            field[helper] = 0.0
            continue
        angle = np.arcsin(min(across / radius, 0.5))
        x, y = moved[:2] / across
        # The turn takes straight ahead z to cos z + sin (x, y, 0): Rodrigues about (-y, x, 0).
        cross = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])
        field[helper] = away @ (np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross).T


def _direction(polar: float, turn: float) -> Doubles:
    """Unit vector ``polar`` radians away from straight ahead, ``turn`` counter-clockwise as seen from the front."""
    across = np.sin(polar)
    return np.array([across * np.cos(turn), across * np.sin(turn), np.cos(polar)])


def _sphere_quads() -> tuple[Ints, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Quads [F, 4] of the ball, and which of them are of the front island; the poles are fans of wide quads."""
    quads: list[tuple[int, int, int, int]] = []
    front: list[bool] = []
    rings = len(RING_DEGREES)
    last = 1 + rings * COLUMNS

    def at(ring: int, column: int) -> int:
        return 1 + ring * COLUMNS + column % COLUMNS

    for column in range(0, COLUMNS, 2):
        quads.append((0, at(0, column), at(0, column + 1), at(0, column + 2)))
        front.append(True)
    for ring in range(rings - 1):
        for column in range(COLUMNS):
            quads.append(
                (
                    at(ring, column),
                    at(ring + 1, column),
                    at(ring + 1, column + 1),
                    at(ring, column + 1),
                )
            )
            front.append(ring + 1 < FRONT_RINGS)
    for column in range(0, COLUMNS, 2):
        outer = rings - 1
        quads.append((last, at(outer, column + 2), at(outer, column + 1), at(outer, column)))
        front.append(False)
    return np.array(quads, np.int32), np.array(front)


def _flatten(away: Doubles, towards: float) -> Doubles:
    """Project points about the centre to a disc by their angle from the pole (azimuthal equidistant), in 0..1."""
    radius = np.linalg.norm(away, axis=1)
    angle = np.arccos(np.clip(towards * away[:, 2] / radius, -1.0, 1.0))
    flat = away[:, :2] * np.array([towards, 1.0])
    length = np.maximum(np.linalg.norm(flat, axis=1), 1e-12)
    return 0.5 + 0.5 * flat * (angle / np.pi / length)[:, None]
