# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaze: r_n = ((p_iris - (p_outer + p_inner) / 2) - the same as seen) / unit; Cauchy, weight w_n.

The centre of each iris against the middle between the corners of its eye: turning the eyes explains it, moving the
head does not. ``relative.py`` has cost and derivatives.
"""

from __future__ import annotations

import numpy as np

from ...detect.topology import LEFT_IRIS, LEFT_LID_LOWER, RIGHT_IRIS, RIGHT_LID_LOWER
from ..observation import Observation
from .relative import Relations, RelativeLandmarks, relative_term

GAZE = Relations(
    marks=np.array(
        [
            (RIGHT_IRIS[0], RIGHT_LID_LOWER[0], RIGHT_LID_LOWER[-1]),
            (LEFT_IRIS[0], LEFT_LID_LOWER[0], LEFT_LID_LOWER[-1]),
        ],
        np.int32,
    ),
    mix=np.array([(1.0, -0.5, -0.5), (1.0, -0.5, -0.5)]),
)
"""Centre of the iris, outer and inner corner: of the right eye, of the left one."""


def gaze_term(seen: Observation, sigma: float, kernel: float) -> RelativeLandmarks:
    """Where the eyes look in an observation; ``sigma`` as a share of the face's height."""
    return relative_term(seen, GAZE, sigma, kernel)
