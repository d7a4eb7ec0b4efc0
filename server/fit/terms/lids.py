# SPDX-License-Identifier: GPL-3.0-or-later
"""Closure of lids and lips: r_n = ((p_upper - p_lower) - (seen_upper - seen_lower)) / unit; Cauchy, weight w_n.

The pairs lie opposite each other on the rims of an eye, or of the inner lips: between the corners, the n-th point of
the upper rim and the n-th of the lower one. How far a lid is open is a small difference of two large coordinates, and
the first thing that people see to be wrong: it has a sigma of its own. ``relative.py`` has cost and derivatives.
"""

from __future__ import annotations

import numpy as np

from ...detect.topology import (
    LEFT_LID_LOWER,
    LEFT_LID_UPPER,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    RIGHT_LID_LOWER,
    RIGHT_LID_UPPER,
)
from ..observation import Observation
from .relative import Relations, RelativeLandmarks, relative_term


def _opposite(upper: tuple[int, ...], lower: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Pair the rims between the corners, which ``topology.py`` lists with the lower one."""
    return tuple(zip(upper, lower[1:-1], strict=True))


LID_PAIRS = _opposite(RIGHT_LID_UPPER, RIGHT_LID_LOWER) + _opposite(LEFT_LID_UPPER, LEFT_LID_LOWER)
"""(upper, lower), 7 of the right eye, then 7 of the left, each from the outer to the inner corner."""
LIP_PAIRS = _opposite(LIPS_INNER_UPPER, LIPS_INNER_LOWER)
"""(upper, lower), 9 of the inner lips, from the right corner to the left."""


def closure_term(
    seen: Observation, pairs: tuple[tuple[int, int], ...], sigma: float, kernel: float
) -> RelativeLandmarks:
    """How far pairs of landmarks are apart in an observation; ``sigma`` as a share of the face's height."""
    return relative_term(seen, closure(pairs), sigma, kernel)


def closure(pairs: tuple[tuple[int, int], ...]) -> Relations:
    """Upper minus lower."""
    return Relations(np.array(pairs, np.int32), np.tile([1.0, -1.0], (len(pairs), 1)))
