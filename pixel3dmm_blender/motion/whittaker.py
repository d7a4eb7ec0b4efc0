# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothing of curves without lag that takes away no more than noise: arrays in, arrays out.

Curves stand as [T, G, K]: T samples, G curves, K numbers of one curve that belong together (1 for a
weight, 4 for a quaternion), measured at ``places`` [T], in frames. The smoothed curve x of the
measured curve y minimises, for each of the G curves,

    sum_t |y_t - x_t|^2 + stiffness sum_t v_t width_t |second divided difference of x at t|^2

(Whittaker 1923; symmetric in time, so without lag). ``stiffness`` = (rate / (2 pi f))^4 halves what
swings f times a second. All v_t start at 1; wherever the residual y - x, averaged over 1, 3, 5, 9
... samples, is larger than ``tolerance`` standard errors of the noise, it holds motion, and v there
is divided until it no longer does: the local squeezing and the multiresolution criterion of Davies
and Kovac (Annals of Statistics 29, 2001). The noise of a curve is what its third differences show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..wire import Bools, Doubles

SMOOTH_HZ: Final = 1.0
"""What swings so often a second is halved where nothing speaks for motion."""
WINDOW_S: Final = 0.2
"""The longest window over which residuals are averaged: a syllable, a blink."""
SQUEEZE: Final = 16.0
"""By how much the smoothness is loosened in one round; with 4 short plosives lose more (measured)."""
ROUNDS: Final = 10
"""16^10 loosens the stiffest curve in use (240 frames a second) to nothing."""
SINGLE: Final = 1.2
"""How much further one sample alone may lie off: single samples are many, and some do by chance."""
FEWEST_WINDOWS: Final = 12
"""So many windows of four moving samples must be there for a curve to show its own noise."""
NOISIEST: Final = 1.25
"""What looks noisier than so many times the middle curve of its kind is taken to move."""
_CHI_MEDIAN: Final = (0.6745, 1.1774, 1.5382)
"""Median length of a vector of 1, 2, 3 standard normal numbers."""
_THIRD: Final = 20.0**0.5
"""Standard deviation of the third difference of white noise of standard deviation 1."""


@dataclass(frozen=True, eq=False)
class Clock:
    """When the samples were taken."""

    places: Doubles
    """[T] in samples: 1 apart, more across a gap."""
    rate: float
    """Samples a second outside of gaps."""


def smooth_curves(curves: Doubles, clock: Clock, tolerance: float, freedom: int) -> Doubles:
    """Smooth curves [T, G, K], T >= 3.

    ``freedom`` is in how many directions the K numbers can err: K, or 3 for quaternions.
    """
    # Of more numbers the largest error is larger: 2, 2.45 and 2.83 sigma are passed equally seldom.
    limit = tolerance * np.sqrt(0.5 * (1 + freedom)) * noise_of(curves, clock, freedom)
    stiffness = np.full(
        (len(curves) - 2, curves.shape[1]), (clock.rate / (2.0 * np.pi * SMOOTH_HZ)) ** 4
    )
    smooth = solve_whittaker(curves, clock.places, stiffness)
    for _ in range(ROUNDS):
        moving = _find_motion(curves - smooth, limit, clock.rate)
        squeezed = moving.any(axis=0)
        if not squeezed.any():
            break
        stiffness[moving[1:-1]] /= SQUEEZE
        smooth[:, squeezed] = solve_whittaker(
            curves[:, squeezed], clock.places, stiffness[:, squeezed]
        )
    return smooth


def noise_of(curves: Doubles, clock: Clock, freedom: int) -> Doubles:
    """Estimate the standard deviation [G] of the noise in each of the K numbers of a curve.

    From the median length of the third differences, over windows of four samples without a gap in
    which the curve never stands still (a weight at its bound shows no noise). A curve with too few
    windows is taken to be as noisy as the middle one of its kind; 0 where all have too few.
    """
    if len(curves) < 4:
        return np.zeros(curves.shape[1])
    steps = np.diff(curves, axis=0)
    telling = (np.abs(steps).max(axis=2) > 0.0) & (np.diff(clock.places) == 1.0)[:, None]
    telling = telling[2:] & telling[1:-1] & telling[:-2]  # [T - 3, G]
    lengths = np.where(telling, np.linalg.norm(np.diff(steps, 2, axis=0), axis=2), np.nan)
    shown = telling.sum(axis=0) >= FEWEST_WINDOWS
    if not shown.any():
        return np.zeros(curves.shape[1])
    own = np.nanmedian(lengths[:, shown], axis=0)
    middle = np.median(own)
    lengths_median = np.full(curves.shape[1], middle)
    lengths_median[shown] = np.minimum(own, NOISIEST * middle)
    return lengths_median / (_CHI_MEDIAN[freedom - 1] * _THIRD)


def solve_whittaker(curves: Doubles, places: Doubles, stiffness: Doubles) -> Doubles:
    """Minimise the sum above: curves [T, G, K], stiffness times v [T - 2, G] of the inner samples.

    The symmetric matrix has five diagonals and is factorised as L D L^T, all G curves at once.
    """
    diagonal, near, far = _normal_matrix(places, stiffness)
    first, second, solved = np.zeros_like(near), np.zeros_like(far), curves.copy()
    # Row t of L is (second[t], first[t], 1) in columns t - 2, t - 1, t.
    for t in range(1, len(curves)):
        if t > 1:
            second[t] = far[t] / diagonal[t - 2]
            near[t] -= second[t] * first[t - 1] * diagonal[t - 2]
            diagonal[t] -= second[t] * far[t]
            solved[t] -= second[t, :, None] * solved[t - 2]
        first[t] = near[t] / diagonal[t - 1]
        diagonal[t] -= first[t] * near[t]
        solved[t] -= first[t, :, None] * solved[t - 1]
    solved /= diagonal[:, :, None]
    for t in range(len(curves) - 1, 0, -1):
        solved[t - 1] -= first[t, :, None] * solved[t]
        if t > 1:
            solved[t - 2] -= second[t, :, None] * solved[t]
    return solved


def _normal_matrix(places: Doubles, stiffness: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """The diagonal [T, G] and, in rows 1 and 2 onwards, what stands one and two left of it."""
    before, after = np.diff(places)[:-1, None], np.diff(places)[1:, None]
    both = before + after
    left, right = 2.0 / (before * both), 2.0 / (after * both)
    weight = 0.5 * both * stiffness  # [T - 2, G]
    diagonal = np.ones((len(places), stiffness.shape[1]))
    near, far = np.zeros_like(diagonal), np.zeros_like(diagonal)
    diagonal[:-2] += weight * left**2
    diagonal[1:-1] += weight * (left + right) ** 2
    diagonal[2:] += weight * right**2
    near[1:-1] -= weight * left * (left + right)
    near[2:] -= weight * right * (left + right)
    far[2:] += weight * left * right
    return diagonal, near, far


def _find_motion(residual: Doubles, limit: Doubles, rate: float) -> Bools:
    """Find the samples [T, G] around which a residual is too large, or too one-sided, for noise."""
    count = len(residual)
    found = np.zeros(residual.shape[:2], np.bool_)
    half = 0
    while half == 0 or 2 * half + 1 <= max(3.0, WINDOW_S * rate):
        size = _window_sums(np.ones((count, 1)), half)
        total = _window_sums(residual.reshape(count, -1), half).reshape(residual.shape)
        bound = limit * np.sqrt(size) * (SINGLE if half == 0 else 1.0)
        far = np.linalg.norm(total, axis=2) > bound
        # The sample beside a window shares two of its second differences.
        found |= _window_sums(far.astype(np.float64), half + 1) > 0.5
        half = 2 * half or 1
    return found


def _window_sums(values: Doubles, half: int) -> Doubles:
    """Sum values [T, N] over ``half`` samples to either side, fewer at the ends."""
    count = len(values)
    total = np.concatenate((np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)))
    at = np.arange(count)
    return total[np.minimum(at + half + 1, count)] - total[np.maximum(at - half, 0)]
