# SPDX-License-Identifier: GPL-3.0-or-later
"""Teeth and gums: fourteen separate crowns per jaw and a gum, on the arch of MakeHuman's helper strip.

The helper teeth are two plain strips that end at the line of the lips, so a smile would show a black mouth.
The crowns here reach below that line (upper) or stand behind them (lower). They are bound to the helper
strip by an affine motion: they follow the identity, and the lower set follows the jaw, as rigid bodies should.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles, Ints

from .atlas import HEAD_ISLANDS, Window
from .parts import Part, bind_affinely, join

COLUMNS = 12
LEVELS = 6
STATIONS = 25
MIDLINE_OVERLAP_MM = 0.2
"""The two middle teeth stand on a curve: without it a gap would show between them."""
FOCUS_MM = 42.0
"""Where the arch is swept from: behind its front."""
BODY_WINDOWS = {
    "upper": Window(0.678, 0.876, 0.738, 0.898),
    "lower": Window(0.678, 0.898, 0.738, 0.920),
}


@dataclass(frozen=True)
class Row:
    """One jaw's teeth, from the middle to the back; mm, heights relative to the line of the lips."""

    name: str
    widths: tuple[float, ...]
    """Along the arch (mean human crowns)."""
    depths: tuple[float, ...]
    """Across the arch."""
    tips: tuple[float, ...]
    """Height of the biting edge."""
    root: float
    """Height at which the crowns leave the gum."""
    inset: float
    """How far the crowns stand behind the helper strip."""


UPPER = Row(
    name="upper",
    widths=(8.6, 6.8, 7.7, 7.0, 6.8, 9.8, 9.4),
    depths=(6.0, 5.6, 7.0, 8.0, 8.2, 9.6, 9.4),
    tips=(-7.2, -6.5, -6.9, -5.9, -5.4, -4.8, -4.2),
    root=6.4,
    inset=0.4,
)
LOWER = Row(
    name="lower",
    widths=(5.4, 6.0, 6.9, 7.0, 7.2, 10.6, 10.2),
    depths=(5.4, 5.6, 6.6, 7.4, 7.8, 9.4, 9.2),
    tips=(-2.2, -2.3, -1.9, -2.3, -2.5, -2.7, -2.5),
    root=-10.5,
    inset=3.2,
)


@dataclass(frozen=True)
class Arch:
    """A curve in the plane of the bite, from the right end over the middle to the left end."""

    points: Doubles
    """[N, 2] x and z, mm."""
    lengths: Doubles
    """[N] signed arc length from the middle."""

    def at(self, length: Doubles) -> tuple[Doubles, Doubles]:
        """Point [M, 2] and unit tangent [M, 2] (towards the subject's left) at signed arc lengths [M]."""
        point = np.stack([np.interp(length, self.lengths, axis) for axis in self.points.T], axis=1)
        ahead, behind = length + 1.0, length - 1.0
        step = [
            np.interp(ahead, self.lengths, axis) - np.interp(behind, self.lengths, axis)
            for axis in self.points.T
        ]
        tangent = np.stack(step, axis=1)
        return point, tangent / np.linalg.norm(tangent, axis=1, keepdims=True)


@dataclass(frozen=True)
class Shell:
    """A surface of F quads on M points."""

    points: Doubles
    """[M, 3] mm."""
    quads: Ints
    """[F, 4]"""
    uv: Doubles
    """[F, 4, 2] in the unit square."""


def build_teeth(row: Row, strip: Ints, lip_height: float, cage_points: Doubles) -> Part:
    """Build crowns and gum of one jaw.

    ``strip`` holds the cage indices of the helper teeth, ``lip_height`` is the y of the line of the lips.
    """
    arch = _arch(cage_points[strip], row.inset)
    scale = 0.985 * arch.lengths[-1] / (sum(row.widths) + 0.5)
    window = HEAD_ISLANDS[f"teeth_{row.name}"]
    parts = [
        _part(
            row,
            strip,
            cage_points,
            _gum(row, arch, lip_height),
            HEAD_ISLANDS[f"gum_{row.name}"],
            "tongue",
        )
    ]
    for side in (1.0, -1.0):
        start = -MIDLINE_OVERLAP_MM
        for place, width in enumerate(row.widths):
            middle = side * (start + 0.5 * width) * scale
            crown = _crown(row, place, arch, middle, 0.5 * width * scale, lip_height)
            slot = window.column(7 + place if side > 0 else 6 - place, 14)
            parts.append(_part(row, strip, cage_points, crown, slot, "teeth"))
            start += width
    return join(tuple(parts), f"teeth_{row.name}")


def _arch(strip: Doubles, inset: float) -> Arch:
    """Fit a symmetric curve to the outer edge of the helper strip, and shrink it by the inset."""
    centre = strip[:, 2].max() - FOCUS_MM
    x, z = np.abs(strip[:, 0]), strip[:, 2] - centre
    turn, reach = np.arctan2(x, z), np.hypot(x, z)
    grid = np.linspace(0.0, 1.75, 29)
    outer = np.array([reach[np.abs(turn - angle) < 0.13].max(initial=0.0) for angle in grid])
    seen = outer > 0.0
    radius = np.polyval(np.polyfit(grid[seen] ** 2, outer[seen], 3), grid**2)
    half = np.stack([radius * np.sin(grid), centre + radius * np.cos(grid)], axis=1)
    half[0, 0] = 0.0
    tangent = np.gradient(half, axis=0)
    tangent[0, 1] = 0.0
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.linalg.norm(
        tangent, axis=1, keepdims=True
    )
    half = half - inset * normal
    half[0, 0] = 0.0
    points = np.concatenate([half[:0:-1] * [-1.0, 1.0], half])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    lengths = np.concatenate([[0.0], np.cumsum(steps)])
    return Arch(points, lengths - lengths[-1] / 2.0)


def _crown(
    row: Row, place: int, arch: Arch, middle: float, half_width: float, lip_height: float
) -> Shell:
    """One crown: rounded rings from the root to the biting edge, closed by a fan of quads; open in the gum."""
    (point,), (tangent,) = arch.at(np.array([middle]))
    outward = np.array([-tangent[1], tangent[0]])
    tip, root = row.tips[place], row.root
    rings: list[Doubles] = []
    for level in np.linspace(0.0, 1.0, LEVELS):
        along, across = _outline(row.depths[place], half_width, level, front=place < 3)
        ground = point + along[:, None] * tangent + across[:, None] * outward
        height = lip_height + root + (tip - root) * level
        rings.append(np.column_stack([ground[:, 0], np.full(COLUMNS, height), ground[:, 1]]))
    cap = rings[-1].mean(axis=0, keepdims=True)
    return _close(np.concatenate([*rings, cap]), flip=tip > root)


def _outline(
    depth: float, half_width: float, level: float, *, front: bool
) -> tuple[Doubles, Doubles]:
    """Cross-section of a crown, offsets along and across the arch [COLUMNS] each: a rectangle with round corners.

    ``level`` runs from 0 at the root to 1 at the biting edge, where front teeth are thin and stand forward.
    """
    turns = 2.0 * np.pi * np.arange(COLUMNS) / COLUMNS
    along = np.sign(np.cos(turns)) * np.abs(np.cos(turns)) ** 0.55
    across = np.sign(np.sin(turns)) * np.abs(np.sin(turns)) ** 0.75
    wide = half_width * (0.87 + 0.165 * np.sin(np.pi * (0.15 + 0.62 * level)))
    thin = 1.0 - 0.62 * level**1.5 if front else 1.0 - 0.18 * level**3
    lean = 0.35 * depth * (1.0 - thin) if front else 0.0
    at_edge = level == 1.0
    return (
        along * wide * (0.93 if at_edge else 1.0),
        across * 0.5 * depth * thin * (0.8 if at_edge else 1.0) + lean,
    )


def _close(points: Doubles, *, flip: bool) -> Shell:
    """Join a crown's points, LEVELS rings and one cap point, by quads with unrolled UVs."""
    quads: list[tuple[int, int, int, int]] = []
    uv: list[list[tuple[float, float]]] = []
    for level in range(LEVELS - 1):
        for column in range(COLUMNS):
            following = (column + 1) % COLUMNS
            low, high = level * COLUMNS, (level + 1) * COLUMNS
            quads.append((low + column, low + following, high + following, high + column))
            left, right = column / COLUMNS, (column + 1) / COLUMNS
            bottom, top = 0.8 * level / (LEVELS - 1), 0.8 * (level + 1) / (LEVELS - 1)
            uv.append([(left, bottom), (right, bottom), (right, top), (left, top)])
    last, cap = (LEVELS - 1) * COLUMNS, LEVELS * COLUMNS
    turns = 2.0 * np.pi * np.arange(COLUMNS + 1) / COLUMNS
    disc = np.column_stack([0.5 + 0.45 * np.cos(turns), 0.905 + 0.09 * np.sin(turns)])
    for column in range(0, COLUMNS, 2):
        one, two = (column + 1) % COLUMNS, (column + 2) % COLUMNS
        quads.append((cap, last + column, last + one, last + two))
        uv.append([(0.5, 0.905), *(tuple(disc[k]) for k in (column, column + 1, column + 2))])
    # Rings run the same way round whichever way the crown points, so one jaw's quads must be turned.
    return _shell(points, quads, uv, flip=flip)


def _gum(row: Row, arch: Arch, lip_height: float) -> Shell:
    """A band swept along the arch: outer foot, outer rim, inner rim, inner foot."""
    up = 1.0 if row.tips[0] < row.root else -1.0
    profile = np.array(
        [
            [5.2, 9.0],
            [4.6, 4.0],
            [3.9, 0.4],
            [2.0, -1.1],
            [-2.5, -1.1],
            [-4.6, 0.6],
            [-5.6, 4.0],
            [-7.5, 9.0],
        ]
    )
    lengths = np.linspace(arch.lengths[0], arch.lengths[-1], STATIONS)
    point, tangent = arch.at(lengths)
    outward = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    rows = [
        np.column_stack([
            point[:, 0] + out * outward[:, 0],
            np.full(STATIONS, lip_height + row.root + up * (height - 1.2)),
            point[:, 1] + out * outward[:, 1],
        ])
        for out, height in profile
    ]  # fmt: skip
    points = np.stack(rows, axis=1).reshape(-1, 3)  # [STATIONS * profile, 3]
    count = len(profile)
    quads: list[tuple[int, int, int, int]] = []
    uv: list[list[tuple[float, float]]] = []
    for station in range(STATIONS - 1):
        for step in range(count - 1):
            here = station * count + step
            quads.append((here, here + count, here + count + 1, here + 1))
            left, right = station / (STATIONS - 1), (station + 1) / (STATIONS - 1)
            low, high = step / (count - 1), (step + 1) / (count - 1)
            uv.append([(left, low), (right, low), (right, high), (left, high)])
    return _shell(points, quads, uv, flip=up > 0)


def _shell(
    points: Doubles,
    quads: list[tuple[int, int, int, int]],
    uv: list[list[tuple[float, float]]],
    *,
    flip: bool,
) -> Shell:
    """Make a shell; with ``flip`` its quads run the other way round, and its UVs are mirrored with them."""
    faces, corners = np.array(quads, np.int32), np.array(uv)
    if flip:
        faces, corners = faces[:, ::-1], corners[:, ::-1] * [-1.0, 1.0] + [1.0, 0.0]
    return Shell(points, faces, corners)


def _part(
    row: Row, strip: Ints, cage_points: Doubles, shell: Shell, window: Window, material: str
) -> Part:
    return Part(
        name=material,
        points=shell.points,
        hm08=np.full(len(shell.points), -1, np.int32),
        binding=bind_affinely(shell.points, strip, cage_points),
        quads=shell.quads,
        uv=window.place(shell.uv),
        body_uv=BODY_WINDOWS[row.name].place(shell.uv),
        materials=(material,) * len(shell.quads),
    )
