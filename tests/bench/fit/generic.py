# SPDX-License-Identifier: GPL-3.0-or-later
"""SciPy's least squares on the identical energy, where it can run at all: a small head, few pixels.

    |r|^2 / (1 + |r|^2 / c^2) is the square of the vector r / sqrt(1 + |r|^2 / c^2)

so the robust energy is a plain sum of squares, and smooth. Derivatives by differences, as a user without time would
have them, in float64; bounds as the solver's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import least_squares

from pixel3dmm_blender.wire import Doubles
from server.fit.head import make_fit_head
from server.fit.stages import Fitter
from server.fit.variables import FitVariables

from .cases import Photo, Studio
from .leaves import Leaves, PlainHead
from .objective import Objective, mix_plainly


@dataclass(frozen=True, eq=False)
class Outcome:
    """What SciPy found."""

    cost: float
    seconds: float
    evaluations: int
    parameters: int


def precise(studio: Studio) -> Studio:
    """The same head in float64: differences need it."""
    head = make_fit_head(studio.model, dense=True, dtype=torch.float64)
    fitter = studio.fitter
    return Studio(studio.model, Fitter(head, None, fitter.weights, fitter.schedule))


def run_scipy(studio: Studio, photo: Photo) -> Outcome:
    """Fit one photo from the solver's own start."""
    start = studio.fitter.start(photo.seen)
    identity = np.zeros(studio.head.columns.identity_count)
    plain = PlainHead(studio.head, start)
    objective = Objective(plain, photo.seen, studio.fitter.weights, mix_plainly)
    leaves = plain.leaves(FitVariables(identity, (start,)))
    shapes = [leaf.shape for leaf in leaves.all()]

    def residuals(values: Doubles) -> Doubles:
        parts = np.split(values, np.cumsum([shape.numel() for shape in shapes])[:-1])
        here = [torch.from_numpy(p).view(s) for p, s in zip(parts, shapes, strict=True)]
        with torch.no_grad():
            return objective.residuals(Leaves(*here)).numpy()

    first = torch.cat([leaf.detach().flatten() for leaf in leaves.all()]).numpy()
    low, high = _bounds(studio)
    began = time.process_time()
    found = least_squares(residuals, np.clip(first, low, high), bounds=(low, high), x_scale="jac")
    seconds = time.process_time() - began
    free = int((high > low + 1e-6).sum())
    return Outcome(float(found.cost), seconds, int(found.nfev), free)


def _bounds(studio: Studio) -> tuple[Doubles, Doubles]:
    """[n] each: the solver's bounds; SciPy wants a little room even where nothing may move."""
    bounds = studio.head.bounds
    joints = bounds.joints[list(studio.head.columns.joints)].reshape(-1, 2)
    free = np.tile([-np.inf, np.inf], (7, 1))  # log focal, turn, shift
    both = np.concatenate([free, joints, bounds.identity, bounds.expression])
    still = both[:, 1] <= both[:, 0]
    return both[:, 0] - 1e-9 * still, both[:, 1] + 1e-9 * still
