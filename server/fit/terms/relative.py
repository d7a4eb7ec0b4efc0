# SPDX-License-Identifier: GPL-3.0-or-later
"""Relative landmarks: how some lie to others, r_n = (sum_m a_nm p_m - seen_n) / unit; Cauchy on |r_n|, weight w_n.

    p_m = project(q_m);  sum_m a_nm = 0;  E = sum_n w_n c^2 / 2 log(1 + |r_n|^2 / c^2)

A network that shifts an eye shifts all of it: what lies close together is known better to each other than alone.
Closure of lids and lips (``lids.py``) and gaze (``iris.py``) are such relations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Doubles, Ints

from ..energy import Value
from ..head import PlacedHead
from ..marks import Marks, PlacedMarks
from ..observation import Observation
from ..robust import cauchy_cost, cauchy_weight


@dataclass(frozen=True, eq=False)
class Relations:
    """N weighted sums of M landmarks each."""

    marks: Ints
    """[N, M] which of the 478."""
    mix: Doubles
    """[N, M] how much of each; sums to 0 over M."""


@dataclass(frozen=True, eq=False)
class RelativeLandmarks:
    """N relations as one picture shows them."""

    relations: Relations
    seen_px: Doubles
    """[N, 2] the weighted sums in the picture."""
    weights: Doubles
    """[N]"""
    unit_px: Doubles
    """[N] one standard deviation of each."""
    kernel: float
    """Width of the kernel in sigmas."""

    def joined(self, *others: RelativeLandmarks) -> RelativeLandmarks:
        """Make one term of several with the same kernel: as many rows, but one pass over the head."""
        terms = (self, *others)
        most = max(term.relations.marks.shape[1] for term in terms)
        wide = [_widened(term.relations, most) for term in terms]
        return RelativeLandmarks(
            Relations(
                np.concatenate([relations.marks for relations in wide]),
                np.concatenate([relations.mix for relations in wide]),
            ),
            np.concatenate([term.seen_px for term in terms]),
            np.concatenate([term.weights for term in terms]),
            np.concatenate([term.unit_px for term in terms]),
            self.kernel,
        )

    def residuals(self, placed: PlacedHead) -> Tensor:
        """[N, 2] in sigmas."""
        points = placed.head.marks.parts
        marks = placed.marks.px[_on(points.template, self.relations.marks)]  # [N, M, 2]
        mixed = (points.tensor(self.relations.mix)[..., None] * marks).sum(1)
        return (mixed - points.tensor(self.seen_px)) / points.tensor(self.unit_px)[:, None]

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and Gauss-Newton matrix."""
        points = placed.head.marks.parts
        residuals = self.residuals(placed)
        width, trust = self.kernel * widening, points.tensor(self.weights)
        squared = (residuals**2).sum(1)
        weights = trust * cauchy_weight(squared, width)
        index, mix = _on(points.template, self.relations.marks), points.tensor(self.relations.mix)
        scale = 1.0 / points.tensor(self.unit_px)
        by_relation = (weights * scale)[:, None] * residuals
        pulls = (mix[..., None] * by_relation[:, None]).flatten(0, 1)
        by_px = torch.zeros_like(placed.marks.px).index_add_(0, index.flatten(), pulls)

        def add_matrix(into: Doubles, shape: bool) -> None:
            used, places = torch.unique(index, return_inverse=True)
            unit = torch.eye(2).to(residuals).expand(len(used), 2, 2)
            rows = some_marks(placed.marks, used).rows(unit, shape=shape)
            rows = rows.combined(places, mix * scale[:, None])
            rows.add_normal_matrix(into, weights[:, None].expand(-1, 2))

        return Value(
            float(trust @ cauchy_cost(squared, width)), placed.marks.pull(by_px), add_matrix
        )


def relative_term(
    seen: Observation, relations: Relations, sigma: float, kernel: float
) -> RelativeLandmarks:
    """Relations as an observation shows them; those with a landmark that is not finite do not count.

    ``sigma`` is one standard deviation as a share of the face's height in the picture.
    """
    places = seen.corrected_px[relations.marks]  # [N, M, 2]
    finite = np.isfinite(places.sum(axis=(1, 2)))
    mixed = np.einsum("nm,nmc->nc", relations.mix, np.nan_to_num(places))
    return RelativeLandmarks(
        relations=relations,
        seen_px=np.where(finite[:, None], mixed, 0.0),
        weights=np.where(finite, seen.weights[relations.marks].min(axis=1), 0.0),
        unit_px=np.full(len(relations.marks), seen.face_height_px * sigma),
        kernel=kernel,
    )


def some_marks(placed: PlacedMarks, index: Tensor) -> PlacedMarks:
    """Some of the marks, by ascending index [n]: the rest costs nothing."""
    marks = placed.marks
    parts = torch.nonzero(torch.isin(marks.owner, index))[:, 0]
    posed = placed.posed.chosen(parts)
    owner = torch.searchsorted(index, marks.owner[parts])
    return PlacedMarks(Marks(posed.points, owner, marks.share[parts], len(index)), posed)


def _widened(relations: Relations, width: int) -> Relations:
    """The same relations with landmarks that count nothing, up to so many each."""
    rest = ((0, 0), (0, width - relations.marks.shape[1]))
    return Relations(np.pad(relations.marks, rest, "edge"), np.pad(relations.mix, rest))


def _on(like: Tensor, index: Ints) -> Tensor:
    return torch.as_tensor(index.astype(np.int64)).to(like.device)
