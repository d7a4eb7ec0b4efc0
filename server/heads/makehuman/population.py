# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity basis: principal components of a population of adults drawn from sculpt sliders and macro targets.

A person is ``sum w_k odd_k + |w_k| even_k`` with independent w, so mean and covariance of the population
follow from the moments of w without drawing anybody: w ~ N(0, s) gives var |w| = s^2 (1 - 2/pi), mean |w| =
s sqrt(2/pi), and no covariance between w and |w|. Every field first loses what a similarity of the face
could explain (many sliders, and nearly all of age, sex and origin, mostly carry or scale the whole head).
Symmetric and antisymmetric parts are diagonalised apart, so every component is one or the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from .sliders import Fields, Macros

SLIDER_SIGMA = 0.18
"""Spread of a local slider: gives the landmark spread of a scanned population (measured, 0.15 to 0.2)."""
ASYMMETRIC_SIGMA = 0.35 * SLIDER_SIGMA
"""Real faces are less crooked than the sliders allow, and yaw would leak into a crooked nose."""
RACE_CONCENTRATION = 0.6
OLD_MEAN, OLD_SIGMA = 0.1, 0.35
BODY_SIGMA = 0.5
COMPONENTS_TRIED = 120
"""Of each symmetry: more than are ever kept."""


@dataclass(frozen=True)
class Ground:
    """What the population is spanned on: V vertices of the average head, mm."""

    points: Doubles
    """[V, 3]"""
    face: Bools
    """[V] the vertices that define the pose of a head."""
    weights: Doubles
    """[V] how much each vertex counts in the variance."""
    fade: Doubles
    """[V] how much of its identity each vertex keeps: 0 at the edge of the bust."""
    mirror: Ints
    """[V] the twin of each vertex across x = 0."""


@dataclass(frozen=True)
class Population:
    """Mean offset from the start, and N unit-variance components, mm."""

    mean: Doubles
    """[V, 3]"""
    components: Doubles
    """[N, V, 3], by falling variance."""
    energy: Doubles
    """[N] share of the population's variance in each component, by vertex weight."""


def span_population(sliders: Fields, macros: Macros, ground: Ground, count: int) -> Population:
    """Compute mean and ``count`` whitened components."""
    mean, fields = _moments(sliders, macros)
    free = ground.fade[:, None] * remove_similarity(
        np.concatenate([mean[None], fields]), ground.points, ground.face
    )
    mean, factors = free[0], free[1:]
    mirror, weights = ground.mirror, ground.weights
    twins = factors[:, mirror] * np.array([-1.0, 1.0, 1.0])
    parts = [_principal(0.5 * (factors + sign * twins), weights) for sign in (1.0, -1.0)]
    components = np.concatenate([part[0] for part in parts])
    variance = np.concatenate([part[1] for part in parts])
    order = np.argsort(-variance, kind="stable")[:count]
    symmetric_mean = 0.5 * (mean + mean[mirror] * np.array([-1.0, 1.0, 1.0]))
    return Population(symmetric_mean, components[order], variance[order] / variance.sum())


def remove_similarity(fields: Doubles, points: Doubles, face: Bools) -> Doubles:
    """Take from each field [N, V, 3] the small similarity that explains most of it on the face (least squares)."""
    centred = points - points[face].mean(axis=0)
    x, y, z = centred.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    motions = np.stack(
        [
            np.stack(motion, axis=1)
            for motion in (
                (one, zero, zero), (zero, one, zero), (zero, zero, one),
                (zero, -z, y), (z, zero, -x), (-y, x, zero), (x, y, z),
            )
        ]
    )  # fmt: skip
    on_face = motions[:, face].reshape(7, -1)  # [7, 3 face]
    amounts = fields[:, face].reshape(len(fields), -1) @ np.linalg.pinv(on_face)  # [N, 7]
    return fields - np.tensordot(amounts, motions, axes=1)


def _moments(sliders: Fields, macros: Macros) -> tuple[Doubles, Doubles]:
    """Mean [V, 3] and factors [N, V, 3] whose outer products sum to the covariance."""
    antisymmetric = np.array([name.endswith("-") or "asym-" in name for name in sliders.names])
    sigma = np.where(antisymmetric, ASYMMETRIC_SIGMA, SLIDER_SIGMA)[:, None, None]
    mean_abs, spread_abs = sigma * math.sqrt(2 / math.pi), sigma * math.sqrt(1 - 2 / math.pi)
    up_only = sliders.one_sided[:, None, None]
    signed = np.where(up_only, 0.0, sigma * sliders.odd)
    growing = np.where(up_only, sliders.odd + sliders.even, sliders.even)
    old_mean, old_spread = _clipped_moments(OLD_MEAN, OLD_SIGMA)
    body_mean, body_spread = (
        BODY_SIGMA * math.sqrt(2 / math.pi),
        BODY_SIGMA * math.sqrt(1 - 2 / math.pi),
    )
    race_spread = math.sqrt(
        1.0 / (9.0 * RACE_CONCENTRATION + 3.0)
    )  # of Dirichlet(a, a, a), fields sum to 0
    body = (macros.heavy, macros.muscular)
    mean = (mean_abs * growing).sum(axis=0) + old_mean * macros.old
    mean = mean + body_mean * (macros.heavy[1] + macros.muscular[1])
    lone = [macros.male / math.sqrt(12.0), old_spread * macros.old]
    lone += [BODY_SIGMA * odd for odd, _ in body] + [body_spread * even for _, even in body]
    lone += [race_spread * race for race in macros.races]
    return mean, np.concatenate([signed, spread_abs * growing, np.stack(lone)])


def _clipped_moments(mean: float, sigma: float) -> tuple[float, float]:
    """Mean and deviation of N(mean, sigma) clipped to 0..1, by quadrature."""
    grid = np.linspace(-6.0, 6.0, 2001)
    density = np.exp(-0.5 * grid**2)
    density /= density.sum()
    value = np.clip(mean + sigma * grid, 0.0, 1.0)
    first = float(density @ value)
    return first, math.sqrt(float(density @ value**2) - first**2)


def _principal(factors: Doubles, weights: Doubles) -> tuple[Doubles, Doubles]:
    """Unit-variance components [N, V, 3] and their variance [N] from factors of a covariance."""
    scaled = (factors * np.sqrt(weights)[:, None]).reshape(len(factors), -1)
    variance, mix = np.linalg.eigh(scaled @ scaled.T)
    kept = np.argsort(-variance)[:COMPONENTS_TRIED]
    components = np.tensordot(mix[:, kept].T, factors, axes=1)
    strongest = np.abs(components.reshape(len(components), -1)).argmax(axis=1)
    sign = np.sign(components.reshape(len(components), -1)[np.arange(len(components)), strongest])
    return components * sign[:, None, None], variance[kept]
