# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the face-mesh network on the pictures and find where on the head each landmark falls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints
from server.detect import topology
from server.detect.detector import FaceDetector, require_face
from server.footage import read_photo
from tests.calibrate.pictures import picture_path
from tests.calibrate.rays import Hits, cast_rays
from tests.calibrate.scenes import SIZE_PX, Shot
from tests.calibrate.subjects import Subjects

BLUNT_M, SHARP_M = 0.010, 0.0025
"""Hits much farther than this from the centre count for nothing (Geman and McClure's weights).

Sharpened round by round, else the centre depends on where it starts: some points see two places,
as at the wings of the nose, one on the wing and one on the cheek behind.
"""
SNAPPED_WEIGHT = 0.04
LEAST_COSINE = 0.1
ROUNDS = 30
FLIP = np.array([-1.0, 1.0, 1.0])
IRIS: Bools = np.isin(np.arange(topology.COUNT), topology.RIGHT_IRIS + topology.LEFT_IRIS)


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Where N pictures put the landmarks, on the neutral head: metres."""

    positions: Doubles
    """[N, 478, 3]"""
    weights: Doubles
    """[N, 478] squared cosine; little for a point that had to be snapped to the surface."""
    direct: Bools
    """[N, 478] the ray met the surface."""


def detect_landmarks(folder: Path, count: int, models: Path) -> Doubles:
    """Return the network's landmarks in all pictures, [N, 478, 2] px.

    Raises:
        NoFaceFound: in one of the pictures, which must not happen (measured: 87 of 87 found).
    """
    detector = FaceDetector(models)
    frames = (read_photo(picture_path(folder, number)) for number in range(count))
    return np.stack([require_face(detector.faces(frame)).points_px for frame in frames])


def scatter_landmarks(subjects: Subjects, shots: tuple[Shot, ...], points_px: Doubles) -> Scatter:
    """Cast a ray through every landmark of every picture onto the head that was rendered.

    Skin landmarks fall on the skin alone (no eyeball, eye socket or mouth cavity), the iris on
    the eyeballs alone. Hits are carried to the neutral head by their place on the surface.
    """
    neutral = subjects.shape(0, None)
    triangles, is_eye = seen_triangles(subjects)
    positions = np.zeros((len(shots), topology.COUNT, 3))
    weights = np.zeros((len(shots), topology.COUNT))
    direct = np.zeros((len(shots), topology.COUNT), dtype=bool)
    for i, shot in enumerate(shots):
        seen = subjects.shape(shot.head, shot.expression) @ shot.rotation.T + shot.translation
        rays = points_px[i] - 0.5 * SIZE_PX
        for chosen, facets, wanted in (
            (~IRIS, triangles, ~is_eye),
            (IRIS, triangles[is_eye], is_eye[is_eye]),
        ):
            hits = cast_rays(seen, facets, wanted, rays[chosen], shot.focal_px)
            positions[i, chosen] = np.einsum("kj,kjc->kc", hits.weights, neutral[hits.vertices])
            weights[i, chosen] = _trust(hits)
            direct[i, chosen] = hits.direct
    return Scatter(positions=positions, weights=weights, direct=direct)


def seen_triangles(subjects: Subjects) -> tuple[Ints, Bools]:
    """Return the triangles [T, 3] of skin and eyeballs, and which of them are of an eyeball."""
    kinds = subjects.fine_kinds()
    is_eye = np.char.startswith(kinds, "eye")
    kept = is_eye | (kinds == "skin")
    quads = subjects.surface.quads[kept]
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return triangles, np.tile(is_eye[kept], 2)


def centre(scatter: Scatter) -> tuple[Doubles, Doubles]:
    """Return the robust centre [478, 3] and scatter [478] of the hits, metres, mirror-symmetric.

    Each picture also counts as its mirror image. The scatter is the weighted root mean square
    distance from the centre.
    """
    mirror = np.array(topology.MIRROR)
    positions = np.concatenate([scatter.positions, scatter.positions[:, mirror] * FLIP])
    weights = np.concatenate([scatter.weights, scatter.weights[:, mirror]])
    robust = weights
    middle = np.median(positions, axis=0)
    for reach in np.concatenate([np.geomspace(BLUNT_M, SHARP_M, ROUNDS), np.full(ROUNDS, SHARP_M)]):
        squared = ((positions - middle) ** 2).sum(axis=2)
        robust = weights / (1.0 + squared / reach**2) ** 2
        middle = np.einsum("nk,nkc->kc", robust, positions) / robust.sum(axis=0)[:, None]
        middle = 0.5 * (middle + middle[mirror] * FLIP)
    squared = ((positions - middle) ** 2).sum(axis=2)
    spread = np.sqrt((robust * squared).sum(axis=0) / robust.sum(axis=0))
    return middle, 0.5 * (spread + spread[mirror])


def _trust(hits: Hits) -> Doubles:
    squared = np.maximum(hits.cosine, LEAST_COSINE) ** 2
    return np.where(hits.direct, squared, np.where(hits.found, SNAPPED_WEIGHT, 1e-6))
