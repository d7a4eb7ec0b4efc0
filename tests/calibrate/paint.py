# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of the fine surface, so that the network sees lips, brows, lid edges and hair where they belong.

Everything is placed on the neutral head, in MakeHuman's millimetres from the middle between the eyes, and
follows the surface into every other shape. Colours are linear RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Floats

BROW_MM = np.array([[11.5, 19.0], [20.0, 21.3], [31.0, 23.8], [41.0, 24.3], [52.0, 19.0]])
"""Centre line of the left brow; drawn 18-24 mm above the eye centre, where photos have it."""
BROW_HALF_WIDTH_MM = np.array([3.2, 3.8, 3.4, 2.7, 1.0])
HAIRLINE_MM = np.array(
    [[-140.0, -62.0], [-80.0, -50.0], [-66.0, 0.0], [-52.0, -12.0], [-32.0, 12.0], [-12.0, 40.0],
     [6.0, 52.0], [20.0, 62.0], [60.0, 64.0]]
)  # fmt: skip
"""Hair begins above this height (second column) at this depth (first column), from nape to brow."""


@dataclass(frozen=True, kw_only=True)
class Complexion:
    """The colours of one person."""

    skin: tuple[float, float, float]
    lips: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]


COMPLEXIONS = (
    Complexion(
        skin=(0.57, 0.34, 0.25), lips=(0.38, 0.13, 0.12), hair=(0.07, 0.04, 0.025),
        iris=(0.10, 0.16, 0.20),
    ),
    Complexion(
        skin=(0.40, 0.22, 0.14), lips=(0.26, 0.09, 0.08), hair=(0.02, 0.013, 0.01),
        iris=(0.09, 0.045, 0.02),
    ),
    Complexion(
        skin=(0.16, 0.078, 0.045), lips=(0.13, 0.045, 0.04), hair=(0.008, 0.006, 0.005),
        iris=(0.035, 0.018, 0.01),
    ),
)  # fmt: skip
"""Light, medium and dark."""


@dataclass(frozen=True, kw_only=True)
class Regions:
    """What the paint needs to know of each fine vertex."""

    points_mm: Doubles
    """[W, 3] on the neutral, from the middle between the eyes."""
    lips: Doubles
    """[W] 0..1."""
    ears: Doubles
    """[W] 0..1."""
    skin: Bools
    teeth: Bools
    tongue: Bools
    cavity: Bools
    """Inside the mouth."""
    lashes: Doubles
    """[W] 0..1 on the edge of the upper lids."""


def paint(regions: Regions, complexion: Complexion, seed: int) -> Floats:
    """Return the colour of each fine vertex, [W, 3] float32; the eyes are left to the shader."""
    random = np.random.default_rng(seed)
    colours = np.full_like(regions.points_mm, 0.65)
    skin = np.array(complexion.skin)
    colours[regions.skin] = skin
    mottled = 1.0 + 0.06 * _smooth_noise(regions.points_mm, random)
    colours[regions.skin] *= mottled[regions.skin, None]
    flush = np.exp(-(_distance_to_cheeks(regions.points_mm) ** 2) / (2 * 14.0**2))
    _blend(colours, skin * np.array([1.05, 0.82, 0.80]), 0.6 * flush * regions.skin)
    _blend(colours, np.array(complexion.lips), regions.lips * regions.skin)
    strands = 1.0 + 0.5 * _smooth_noise(regions.points_mm * 4.0, random)[:, None]
    hair = np.array(complexion.hair) * strands
    _blend(colours, hair, _brow(regions.points_mm) * 0.9 * regions.skin)
    _blend(colours, hair, _hair(regions.points_mm) * (1 - regions.ears) * regions.skin)
    _blend(colours, 0.2 * colours, regions.lashes)
    colours[regions.cavity] = (0.10, 0.02, 0.02)
    colours[regions.tongue] = (0.35, 0.10, 0.09)
    colours[regions.teeth] = (0.70, 0.66, 0.56)
    return np.clip(colours, 0.0, 1.0).astype(np.float32)


def _blend(colours: Doubles, over: Doubles, amount: Doubles) -> None:
    colours += amount[:, None] * (over - colours)


def _brow(points_mm: Doubles) -> Doubles:
    """Cover 0..1 of the brows, mirror-symmetric."""
    across = np.stack([np.abs(points_mm[:, 0]), points_mm[:, 1]], axis=1)
    cover = np.zeros(len(across))
    strokes = zip(pairwise(BROW_MM), pairwise(BROW_HALF_WIDTH_MM), strict=True)
    for (start, end), widths in strokes:
        along = np.clip((across - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
        distance = np.linalg.norm(across - start - along[:, None] * (end - start), axis=1)
        width = widths[0] + along * (widths[1] - widths[0])
        cover = np.maximum(cover, smooth_step(width + 0.8 - distance, 1.6))
    return cover * (points_mm[:, 2] > -30.0)


def _hair(points_mm: Doubles) -> Doubles:
    line = np.interp(points_mm[:, 2], HAIRLINE_MM[:, 0], HAIRLINE_MM[:, 1])
    fringe = 1.5 * np.sin(points_mm[:, 0] * 0.31) + np.cos(points_mm[:, 0] * 0.83)
    return smooth_step(points_mm[:, 1] - line + fringe, 9.0)


def _distance_to_cheeks(points_mm: Doubles) -> Doubles:
    cheek = np.array([38.0, -28.0])
    across = np.stack([np.abs(points_mm[:, 0]), points_mm[:, 1]], axis=1)
    return np.linalg.norm(across - cheek, axis=1)


def _smooth_noise(points_mm: Doubles, random: np.random.Generator) -> Doubles:
    """Sum of plane waves with wavelengths of 4 to 40 mm, standard deviation about 1."""
    waves = random.normal(0, 0.5, (24, 3)) * random.uniform(0.2, 1.5, (24, 1))
    phases = random.uniform(0, 2 * np.pi, 24)
    return np.sin(points_mm @ waves.T + phases).sum(axis=1) / np.sqrt(12.0)


def smooth_step(value: Doubles, width: float) -> Doubles:
    """Rise smoothly from 0 at value 0 to 1 at value `width`."""
    t = np.clip(value / width, 0.0, 1.0)
    return t * t * (3 - 2 * t)
