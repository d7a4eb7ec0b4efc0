# SPDX-License-Identifier: GPL-3.0-or-later
"""Steady expressions: a smile that all pictures show is paid for once, not once for each of them.

Identity pays its prior once for the person, expression once for each view. So the more pictures smile, the cheaper it
is to call the smile a part of the face (measured: ten smiling photos tell less of the person than one, 2.3 against
1.7 mm). People who smile in one photo smile in the next: given the first, the others are no news. For N views,

    share_k = (1 - s_k) + s_k / N,   s_k = clip((min_i e_ik - FAINT) / (SURE - FAINT), 0, 1),

is what each view pays of the prior of component k. One view without a component is enough for all others to pay for
theirs in full, and for that view to tell what the face is without it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles

from .head import FitHead
from .terms.expression import ExpressionPrior
from .variables import View

FAINT, SURE = 0.25, 0.5
"""A component that stays below the first in some view is not shared; one above the second in all views is (measured:
from 0.15 to 0.4 a neutral photo beside a smiling one keeps 0.73 of expression instead of 0.56, smiling sets gain
0.06 mm)."""


def hopeful_shares(head: FitHead, pictures: float) -> Doubles:
    """[E] to start from, before anything is known: as if all were shared; signed components pay in full."""
    return np.where(_one_sided(head), 1.0 / max(pictures, 1.0), 1.0)


def steady_shares(head: FitHead, views: tuple[View, ...], pictures: float) -> Doubles:
    """[E] of the expression prior that each view pays. ``pictures``: for how many the views count."""
    least = np.min([view.expression for view in views], axis=0)
    sure = np.where(_one_sided(head), np.clip((least - FAINT) / (SURE - FAINT), 0.0, 1.0), 0.0)
    return (1.0 - sure) + sure / max(pictures, 1.0)


def paid_in_part(prior: ExpressionPrior, shares: Doubles | None) -> ExpressionPrior:
    """The prior of one view that pays shares [E] of it; the coupling of left and right stays. None: all."""
    if shares is None:
        return prior
    return replace(prior, sigma=prior.sigma / np.sqrt(shares), one_sided=prior.one_sided * shares)


def _one_sided(head: FitHead) -> Bools:
    return head.bounds.expression[:, 0] >= 0
