# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmark embeddings: from measured points on a head's source mesh to the vertices of our cut of it.

The measurement (``makehuman_landmarks.npz``) names vertices of the uncut base mesh, so it outlives any
change of the cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixel3dmm_blender.wire import Doubles, Floats, Ints, WeightsCorrupt

from ..detect.topology import IBUG_68
from .model import Embedding, ViewCalibration

MEASURED_FILE = Path(__file__).with_name("makehuman_landmarks.npz")
NEIGHBOURS = 3


@dataclass(frozen=True)
class Measured:
    """Where a landmark network sees its 478 points on the base mesh."""

    vertices: Ints
    """[478, M] ids in the base mesh."""
    weights: Doubles
    """[478, M], rows sum to 1."""
    spread_m: Floats
    """[478]"""
    calibration: Floats
    """[7, 478, 2], see ViewCalibration."""


@dataclass(frozen=True)
class Source:
    """The head's geometry next to the base mesh that it was cut from; N source vertices, V of ours, same unit."""

    points: Doubles
    """[N, 3] the base mesh."""
    index: Ints
    """[N] our vertex of each source vertex, -1 where we have none."""
    substitutes: tuple[tuple[Ints, Doubles], ...]
    """Vertices [K] and points [K, 3] of round parts that stand in for source geometry we do not have (eyeballs)."""
    scale: float
    """Size of our head against the one that was measured."""


def read_measured(path: Path = MEASURED_FILE) -> Measured:
    """Read the measurement that belongs to the head.

    Raises:
        WeightsCorrupt: the file is missing or not what it should be.
    """
    try:
        with np.load(path, allow_pickle=False) as table:
            return Measured(
                vertices=table["vertices_478"].astype(np.int32),
                weights=table["weights_478"].astype(np.float64),
                spread_m=table["spread_m_478"].astype(np.float32),
                calibration=table["calibration"].astype(np.float32),
            )
    except (OSError, KeyError, ValueError) as error:
        raise WeightsCorrupt(
            f"The landmark measurement {path.name} cannot be read.",
            "Install the engine again.",
            str(error),
        ) from error


def resolve(measured: Measured, source: Source) -> Embedding:
    """Express every landmark by vertices of our own."""
    vertices = source.index[measured.vertices].copy()
    weights = measured.weights.copy()
    for row in np.flatnonzero(((vertices < 0) & (weights != 0.0)).any(axis=1)):
        point = measured.weights[row] @ source.points[measured.vertices[row]]
        vertices[row], weights[row] = _on_substitute(point, source, vertices.shape[1])
    weights[vertices < 0] = 0.0
    return Embedding(
        vertices=np.maximum(vertices, 0).astype(np.int32),
        weights=(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
        spread_m=(source.scale * measured.spread_m).astype(np.float32),
    )


def select_68(landmarks_478: Embedding) -> Embedding:
    """Take the 68 iBUG points out of the 478."""
    chosen = list(IBUG_68)
    return Embedding(
        vertices=landmarks_478.vertices[chosen],
        weights=landmarks_478.weights[chosen],
        spread_m=landmarks_478.spread_m[chosen],
    )


def calibration_of(measured: Measured, scale: float) -> ViewCalibration:
    """Hand over the view calibration, for a head that is ``scale`` times the one that it was measured on."""
    return ViewCalibration(coefficients=scale * measured.calibration)


def _on_substitute(point: Doubles, source: Source, width: int) -> tuple[Ints, Doubles]:
    """Bind a point to the nearest substitute part by its direction from the part's centre."""
    centres = [points.mean(axis=0) for _, points in source.substitutes]
    nearest = int(np.argmin([np.linalg.norm(point - centre) for centre in centres]))
    vertices, points = source.substitutes[nearest]
    away = points - centres[nearest]
    radius = np.linalg.norm(away, axis=1)
    direction = (point - centres[nearest]) / np.linalg.norm(point - centres[nearest])
    apart = np.linalg.norm(away / radius[:, None] - direction, axis=1)
    closest = np.argsort(apart)[:NEIGHBOURS]
    pull = 1.0 / np.maximum(apart[closest], 1e-6) ** 2
    bound, weights = np.zeros(width, np.int32), np.zeros(width)
    bound[:NEIGHBOURS] = vertices[closest]
    weights[:NEIGHBOURS] = pull / pull.sum()
    return bound, weights
