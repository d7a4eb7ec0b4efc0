# SPDX-License-Identifier: GPL-3.0-or-later
"""What garbage, wrong pixels and an occluder cost: the same scenes and the same noise, with and without them.

Compared is the error of the part that both maps show. Blobs and salt keep their confidence, so nothing says which
pixels lie.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from server.fit.problem import nobody_cancels
from tests.bench.table import Figure, spread
from tests.truth.noise import HARD, NETWORK, Degradation

from .cases import REPORTING, Photo, Studio, draw_photo
from .misses import visible_error_mm

Keep = Callable[[str, Figure], None]
GOAL = 15.0
"""Percent by which the visible error may rise."""
DAMAGES = (
    ("30 % hidden", replace(NETWORK, occlusion=HARD.occlusion)),
    ("5 % blobs and 2 % salt", replace(HARD, occlusion=0.0)),
    ("blobs, salt, 30 % hidden", HARD),
)


@dataclass(frozen=True)
class Pair:
    """Visible error of one scene without and with the damage, millimetres."""

    clean: float
    damaged: float


def report_outliers(studio: Studio, quick: bool, keep: Keep) -> None:
    """Compare."""
    seeds = range(REPORTING + 200, REPORTING + 200 + (6 if quick else 24))
    cleans = [draw_photo(studio, seed, NETWORK) for seed in seeds]
    for name, damage in DAMAGES[2:] if quick else DAMAGES:
        pairs = [_compare(studio, clean, damage) for clean in cleans]
        clean = float(np.mean([pair.clean for pair in pairs]))
        damaged = float(np.mean([pair.damaged for pair in pairs]))
        title = f"outliers, {name}"
        keep(f"{title}: visible error without", spread([pair.clean for pair in pairs], "mm"))
        keep(f"{title}: visible error with", spread([pair.damaged for pair in pairs], "mm"))
        goal = GOAL if damage is HARD else None
        rise = Figure(
            value=100 * (damaged / clean - 1),
            unit="%",
            goal=goal,
            cases=len(pairs),
            note="of means",
        )
        keep(f"{title}: increase", rise)


def _compare(studio: Studio, clean: Photo, damage: Degradation) -> Pair:
    damaged = draw_photo(studio, clean.seed, damage)
    both = clean.visible & damaged.visible
    errors = [
        visible_error_mm(studio.head, photo, answer.variables, both)
        for photo in (clean, damaged)
        for answer in (studio.fitter.fit_photos((photo.seen,), nobody_cancels),)
    ]
    return Pair(*errors)
