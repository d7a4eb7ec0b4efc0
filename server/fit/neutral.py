# SPDX-License-Identifier: GPL-3.0-or-later
"""IdentityGuess: what somebody else says of the neutral shape (a predictor of identity, a scan, another session).

It is one more prior on identity beside that of the population, r_s = (c_s - guess_s) / sigma_s, and counts once for
the person like that one. Its sigmas follow from how far its surface is off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles

from .head import FitHead
from .terms.identity import IdentityPrior
from .terms.scale import scale_gauge


@dataclass(frozen=True, eq=False)
class IdentityGuess:
    """An estimate of S identity components and how sure it is."""

    identity: Doubles
    """[S]"""
    sigma: Doubles
    """[S]"""

    def prior(self, weight: float) -> IdentityPrior:
        """The term; ``weight`` > 1 where pictures repeat each other and priors count for more."""
        return IdentityPrior(self.sigma, weight, self.identity)


def make_guess(head: FitHead, identity: Doubles, error_m: float) -> IdentityGuess:
    """A guess [S] whose landmarks are off by ``error_m`` in rms, in the directions in which people differ.

    sigma_s = error_m / spread . population sigma_s, where spread is how far people's landmarks lie from the average's:
    spread^2 = mean_k sum_s sigma_s^2 |B_ks|^2.
    """
    basis = scale_gauge(head, 1.0).basis * head.identity_sigma
    spread_m = float(np.sqrt((basis**2).sum(axis=(1, 2)).mean()))
    return IdentityGuess(identity, error_m / spread_m * head.identity_sigma)
