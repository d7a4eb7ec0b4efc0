# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a found head, pose or track is from the true one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Floats, Ints

from .surface import vertex_normals

MM = 1000.0


@dataclass(frozen=True)
class Alignment:
    """found = scale rotation . true + shift, the best in least squares."""

    rotation: Doubles
    """[3, 3]"""
    scale: float
    shift: Doubles
    """[3]"""


def vertex_error_mm(
    found: Doubles | Floats, true: Doubles | Floats, mask: Bools | None = None
) -> Doubles:
    """Return distances [N] mm of found from true vertices [V, 3] m, both moved onto each other without scale.

    The mask [V] chooses the vertices that are aligned and measured. For one number take
    `rms` or the mean.
    """
    moved, target = _aligned(found, true, mask)
    return MM * np.linalg.norm(moved - target, axis=1)


def plane_error_mm(
    found: Doubles | Floats, true: Doubles | Floats, triangles: Ints, mask: Bools | None = None
) -> Doubles:
    """Return distances [N] mm along the true surface's normals, after the same alignment.

    What remains is a difference in form: sliding along the surface counts nothing.
    """
    moved, target = _aligned(found, true, mask)
    normals = vertex_normals(true, triangles)[_chosen(len(true), mask)]
    return MM * np.abs(((moved - target) * normals).sum(axis=1))


def scale_of(found: Doubles | Floats, true: Doubles | Floats, mask: Bools | None = None) -> float:
    """Return how many times larger the found head is than the true one."""
    chosen = _chosen(len(true), mask)
    return align(found[chosen], true[chosen]).scale


def align(found: Doubles | Floats, true: Doubles | Floats) -> Alignment:
    """Find the similarity that brings the true points [N, 3] onto the found ones (Umeyama 1991)."""
    a, b = np.asarray(true, np.float64), np.asarray(found, np.float64)
    middle_a, middle_b = a.mean(axis=0), b.mean(axis=0)
    left, values, right = np.linalg.svd((b - middle_b).T @ (a - middle_a))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ np.diag(signs) @ right
    scale = float((values * signs).sum() / ((a - middle_a) ** 2).sum())
    return Alignment(rotation, scale, middle_b - scale * rotation @ middle_a)


def rotation_error_deg(found: Doubles, true: Doubles) -> float:
    """Return the angle between two rotations [3, 3]."""
    # From the chord, not from the trace: exact for small angles too.
    chord = np.linalg.norm(found - true) / np.sqrt(8.0)
    return float(np.degrees(2.0 * np.arcsin(min(chord, 1.0))))


def angle_deg(a: Doubles | Floats, b: Doubles | Floats) -> Doubles:
    """Return the angles [...] between unit vectors [..., 3]."""
    chord = np.linalg.norm(np.asarray(a, np.float64) - np.asarray(b, np.float64), axis=-1)
    return np.degrees(2.0 * np.arcsin(np.minimum(0.5 * chord, 1.0)))


def rms(values: Doubles | Floats) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))


def jitter(found: Doubles, true: Doubles, order: int = 3) -> float:
    """Return the rms of the differences of this order over time of found minus true, tracks [T, ...].

    Divided by the root of binomial(2 order, order), so that independent noise of rms s in each frame
    has jitter s; a constant offset has none, and a slow drift hardly any.
    """
    differences = np.diff(np.asarray(found, np.float64) - np.asarray(true, np.float64), order, 0)
    return rms(differences) / math.sqrt(math.comb(2 * order, order))


def lag_frames(found: Doubles, true: Doubles, most: int = 8) -> float:
    """Return how many frames a found track [T, ...] comes after the true one, with fractions.

    Both are taken as velocities without their means; the normalised cross-correlation is summed over the
    channels and its peak refined by a parabola.
    """
    a, b = (_velocity(np.asarray(track, np.float64)) for track in (true, found))
    shifts = np.arange(-most, most + 1)
    scores = np.array([_correlation(a, b, int(shift)) for shift in shifts])
    peak = int(np.clip(scores.argmax(), 1, len(scores) - 2))
    before, at, after = scores[peak - 1 : peak + 2]
    return float(shifts[peak] + 0.5 * (before - after) / (before - 2.0 * at + after))


def _aligned(
    found: Doubles | Floats, true: Doubles | Floats, mask: Bools | None
) -> tuple[Doubles, Doubles]:
    """The chosen vertices: the found ones brought into the true ones' frame, and the true ones."""
    chosen = _chosen(len(true), mask)
    a, b = np.asarray(true, np.float64)[chosen], np.asarray(found, np.float64)[chosen]
    rotation = align(b, a).rotation
    return (b - b.mean(axis=0)) @ rotation + a.mean(axis=0), a


def _chosen(count: int, mask: Bools | None) -> Bools:
    return np.ones(count, bool) if mask is None else mask


def _velocity(track: Doubles) -> Doubles:
    steps = np.diff(track.reshape(len(track), -1), axis=0)
    return steps - steps.mean(axis=0)


def _correlation(true: Doubles, found: Doubles, shift: int) -> float:
    """Normalised correlation of true(t) with found(t + shift) where both exist."""
    first = true[max(0, -shift) : len(true) - max(0, shift)]
    second = found[max(0, shift) : len(found) - max(0, -shift)]
    size = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / max(size, 1e-30))
