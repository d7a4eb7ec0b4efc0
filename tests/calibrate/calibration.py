# SPDX-License-Identifier: GPL-3.0-or-later
"""The regression of what the network gets wrong on the view: offsets in metres against yaw and pitch.

Each picture also counts as its mirror image, so the result is exactly mirror-symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles, Floats
from server.detect.topology import MIRROR
from server.heads.model import ViewCalibration
from server.heads.view import calibration_offsets, view_terms
from tests.calibrate.place import Placement
from tests.calibrate.scenes import Shot
from tests.calibrate.subjects import Subjects

TERM_SCALE = view_terms(np.radians(30.0), np.radians(14.0))
"""Size of each term over the pictures: the ridge acts on terms of unit size."""
RIDGE = 0.02
ROBUST_M = 0.004
ROUNDS = 5
ODD_IN_YAW = np.array([False, True, False, False, False, True, True])


@dataclass(frozen=True, kw_only=True)
class Views:
    """N pictures as the regression sees them."""

    heads: tuple[int, ...]
    yaws: Doubles
    pitches: Doubles
    offsets: Doubles
    """[N, 478, 2] network minus true projection, metres at the landmark's depth."""

    def select(self, chosen: list[int]) -> Views:
        """Take some of the pictures."""
        return Views(
            heads=tuple(self.heads[i] for i in chosen),
            yaws=self.yaws[chosen],
            pitches=self.pitches[chosen],
            offsets=self.offsets[chosen],
        )


def measure_offsets(
    subjects: Subjects, shots: tuple[Shot, ...], points_px: Doubles, placement: Placement
) -> Views:
    """Compare the network's landmarks [N, 478, 2] px with the embedded points of the same heads."""
    index = subjects.cage.index[placement.vertices]
    offsets = np.zeros_like(points_px)
    for i, shot in enumerate(shots):
        coarse = subjects.coarse(subjects.offsets_mm(shot.head, shot.expression))
        points = np.einsum("km,kmc->kc", placement.weights, coarse[index])
        projected, depth = shot.project(points)
        offsets[i] = (points_px[i] - projected) * depth[:, None] / shot.focal_px
    return Views(
        heads=tuple(shot.head for shot in shots),
        yaws=np.array([shot.yaw for shot in shots]),
        pitches=np.array([shot.pitch for shot in shots]),
        offsets=offsets,
    )


def fit_calibration(views: Views) -> ViewCalibration:
    """Regress the offsets on the view: robust ridge regression, mirror-symmetric."""
    terms = np.stack([view_terms(y, p) for y, p in zip(views.yaws, views.pitches, strict=True)])
    terms = np.concatenate([terms, np.where(ODD_IN_YAW, -terms, terms)]) / TERM_SCALE
    mirrored = views.offsets[:, np.array(MIRROR)] * np.array([-1.0, 1.0])
    offsets = np.concatenate([views.offsets, mirrored])
    coefficients = np.zeros((7, *offsets.shape[1:]))
    penalty = RIDGE * len(terms) * np.diag(np.arange(7) > 0)
    for _ in range(ROUNDS):
        left = offsets - np.einsum("tn,nkc->tkc", terms, coefficients)
        weights = 1.0 / (1.0 + (left**2).sum(axis=2) / ROBUST_M**2)
        normal = np.einsum("tk,tn,tm->knm", weights, terms, terms) + penalty
        right = np.einsum("tk,tn,tkc->knc", weights, terms, offsets)
        coefficients = np.linalg.solve(normal, right).transpose(1, 0, 2)
    return ViewCalibration(coefficients=_symmetric(coefficients / TERM_SCALE[:, None, None]))


def residuals(views: Views, calibration: ViewCalibration) -> Doubles:
    """Return what the calibration leaves of the offsets, [N, 478, 2] metres."""
    predicted = [
        calibration_offsets(calibration, yaw, pitch)
        for yaw, pitch in zip(views.yaws, views.pitches, strict=True)
    ]
    return views.offsets - np.stack(predicted)


def leave_one_head_out(views: Views) -> Doubles:
    """Return the residuals [N, 478, 2] of each picture under a fit that saw no picture of its head.

    The neutral head is half of all pictures, so its residuals are those of an ordinary fit of
    the random heads.
    """
    left = np.zeros_like(views.offsets)
    for head in sorted(set(views.heads)):
        inside = [i for i, other in enumerate(views.heads) if other == head]
        outside = [i for i, other in enumerate(views.heads) if other != head]
        left[inside] = residuals(views.select(inside), fit_calibration(views.select(outside)))
    return left


def root_mean_square_mm(offsets: Doubles) -> float:
    """Return the root mean square length of offsets [..., 2], millimetres."""
    return float(1000.0 * np.sqrt((offsets**2).sum(axis=-1).mean()))


def _symmetric(coefficients: Doubles) -> Floats:
    """Average coefficients [7, 478, 2] with their mirror image."""
    sign = np.where(ODD_IN_YAW, -1.0, 1.0)[:, None, None] * np.array([-1.0, 1.0])
    return (0.5 * (coefficients + sign * coefficients[:, np.array(MIRROR)])).astype(np.float32)
