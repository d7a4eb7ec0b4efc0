# SPDX-License-Identifier: GPL-3.0-or-later
"""Adam on the identical objective: the usual way to fit a head, from the solver's own start.

Three settings of the learning rates; for every threshold the fastest of them counts, chosen afterwards, case by case.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from pixel3dmm_blender.wire import Doubles
from server.fit.variables import FitVariables, View

from .cases import Photo, Studio
from .leaves import Leaves, PlainHead
from .objective import Objective


@dataclass(frozen=True)
class Rates:
    """Learning rates, the same from the first iteration to the last."""

    name: str
    shape: float
    """Identity and expression, in sigmas."""
    turn: float
    """Rotation and joints, radians."""
    shift: float
    """Metres."""
    focal: float
    """Of log focal."""


SETTINGS = (
    Rates("small", shape=0.01, turn=0.005, shift=0.001, focal=0.005),
    Rates("middle", shape=0.03, turn=0.002, shift=0.0005, focal=0.005),
    Rates("large", shape=0.1, turn=0.01, shift=0.002, focal=0.02),
)
"""The best of nine that were tried on seeds 3 and 4; rates that fall over the run came near the end later."""
ORIGINAL_RATES = Rates("the original's", shape=0.003, turn=0.005, shift=0.001, focal=0.005)
"""The original has 0.002 for identity and 0.005 for expressions; the rest as there."""


@dataclass(frozen=True, eq=False)
class Trace:
    """One run. N iterations."""

    costs: Doubles
    """[N] before each step."""
    seconds: Doubles
    """[N] when each cost was known, since the start, by the processor's clock."""
    variables: FitVariables

    def reaches(self, cost: float) -> float | None:
        """When a cost was reached; None: never."""
        below = np.flatnonzero(self.costs <= cost)
        return float(self.seconds[below[0]]) if len(below) else None

    def iterations_to(self, cost: float) -> int | None:
        """How many iterations a cost took; None: never."""
        below = np.flatnonzero(self.costs <= cost)
        return int(below[0]) if len(below) else None


def run_adam(
    studio: Studio, photo: Photo, start: View, rates: Rates, iterations: int, enough: float = 0.0
) -> Trace:
    """Go down from a start with the average person; stop early once the cost is below ``enough``."""
    variables = FitVariables(np.zeros(studio.head.columns.identity_count), (start,))
    plain = PlainHead(studio.head, start)
    objective = Objective(plain, photo.seen, studio.fitter.weights)
    leaves = plain.leaves(variables)
    adam = torch.optim.Adam(_groups(leaves, rates), fused=True)
    costs, seconds = [], []
    began = time.process_time()
    for _ in range(iterations):
        adam.zero_grad()
        cost = objective.cost(leaves)
        costs.append(cost.item())
        seconds.append(time.process_time() - began)
        if costs[-1] <= enough:
            break
        cost.backward()
        adam.step()
        plain.clamp(leaves)
    return Trace(np.array(costs), np.array(seconds), plain.variables(leaves))


def _groups(leaves: Leaves, rates: Rates) -> list[dict[str, object]]:
    return [
        {"params": [leaves.identity, leaves.expression], "lr": rates.shape},
        {"params": [leaves.turn, leaves.joints], "lr": rates.turn},
        {"params": [leaves.shift], "lr": rates.shift},
        {"params": [leaves.log_focal], "lr": rates.focal},
    ]
