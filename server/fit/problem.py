# SPDX-License-Identifier: GPL-3.0-or-later
"""Problem: all that a solve has in common: the head, what was seen of it, weights, schedule."""

from __future__ import annotations

from dataclasses import dataclass

from .observation import Observation
from .variables import LandmarkBasis
from .weights import Schedule, TermWeights


@dataclass(frozen=True, eq=False)
class Problem:
    """A head and what was seen of it: one observation for each view."""

    basis: LandmarkBasis
    seen: tuple[Observation, ...]
    weights: TermWeights
    schedule: Schedule
