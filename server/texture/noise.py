# SPDX-License-Identifier: GPL-3.0-or-later
"""Deterministic noise for what no photo shows: skin without evidence, hair, the edge of the scalp."""

from __future__ import annotations

import numpy as np

from server.raster import Reals


def value_noise(points: Reals, cells: Reals, seed: int) -> Reals:
    """Smooth noise in -1..1 over coordinates [N, D], D = 2 or 3: one random value per lattice point.

    Args:
        points: any unit.
        cells: [D] lattice points per unit.
        seed: another number, another noise.
    """
    table = np.random.default_rng(seed).uniform(-1.0, 1.0, 4096).astype(np.float32)
    scaled = points * cells
    floor = np.floor(scaled)
    part = (scaled - floor).astype(np.float32)
    part = part * part * (3.0 - 2.0 * part)
    base = floor.astype(np.int64)
    total = np.zeros(len(points), np.float32)
    dimensions = points.shape[1]
    for corner in range(2**dimensions):
        step = np.array([(corner >> axis) & 1 for axis in range(dimensions)])
        weight = np.prod(np.where(step, part, 1.0 - part), axis=1)
        lattice = base + step
        key = lattice[:, 0] * 73856093 ^ lattice[:, 1] * 19349663
        if dimensions == 3:
            key = key ^ lattice[:, 2] * 83492791
        total += weight * table[(key ^ key >> 13) & 4095]
    return total
