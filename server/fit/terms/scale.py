# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale gauge: r = (log size(c) - log size0) / sigma, size: rms distance of marks of the neutral head from their mean.

Pictures do not see scale: a head of 0.8 times the size, as much nearer, looks the same. Priors do: the same face needs
smaller identity and expression offsets on a smaller head, and what several pictures save on expression outweighs the
identity prior, so the joint optimum would shrink the head (measured: to 0.78). This row says how large the head is:
its landmarks together as large as the model's average, or the pupils as far apart as the user measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..energy import Value, quadratic
from ..head import FitHead

RIGHT_PUPIL, LEFT_PUPIL = 468, 473


@dataclass(frozen=True, eq=False)
class ScaleGauge:
    """K marks whose places about their mean are linear in identity: x(c) = offset + basis . c."""

    offset: Doubles
    """[K, 3] metres, of the template."""
    basis: Doubles
    """[K, 3, S]"""
    wanted_m: float
    """rms distance of the marks from their mean."""
    sigma: float
    """Of the logarithm: the share by which the size may differ."""

    def size(self, identity: Doubles) -> float:
        """Measure a person [S]."""
        return float(np.sqrt(((self.offset + self.basis @ identity) ** 2).sum(1).mean()))

    def evaluate(self, identity: Doubles) -> Value:
        """Cost, gradient [S] and matrix [S, S]."""
        places = self.offset + self.basis @ identity
        squared = float((places**2).sum(1).mean())
        slope = np.einsum("kc,kcs->s", places, self.basis) / len(places) / squared
        residual = 0.5 * np.log(squared / self.wanted_m**2) / self.sigma
        everything = slice(0, len(identity))
        return quadratic(np.array([residual]), slope[None] / self.sigma, everything, len(identity))


def scale_gauge(head: FitHead, sigma: float, pupils_m: float = 0.0) -> ScaleGauge:
    """The gauge of one head: by the distance between the pupils where it is known, else by its average size."""
    marks, count = head.marks, head.columns.identity_count
    chosen = np.array([RIGHT_PUPIL, LEFT_PUPIL]) if pupils_m else np.arange(RIGHT_PUPIL)
    owner = marks.owner.cpu().numpy()
    share = marks.share.cpu().double().numpy()[:, None]
    template = np.zeros((marks.count, 3))
    basis = np.zeros((marks.count, 3, count))
    np.add.at(template, owner, share * marks.parts.template.cpu().double().numpy())
    parts = marks.parts.basis[..., :count].cpu().double().numpy()
    np.add.at(basis, owner, share[:, None] * parts)
    template, basis = template[chosen], basis[chosen]
    gauge = ScaleGauge(template - template.mean(0), basis - basis.mean(0), 1.0, sigma)
    # Two points lie half their distance from their mean.
    wanted = 0.5 * pupils_m if pupils_m else gauge.size(np.zeros(count))
    return ScaleGauge(gauge.offset, gauge.basis, wanted, sigma)
