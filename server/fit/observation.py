# SPDX-License-Identifier: GPL-3.0-or-later
"""What one picture says to the solver: landmarks, dense maps, and what is known of the camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles

from ..detect.topology import CHIN, FOREHEAD
from ..heads.model import Embedding
from .backdrop import Backdrop
from .pixels import Pixels
from .weights import TermWeights

ASSUMED_FOCAL = 2.0
"""Focal length as a multiple of the long side where nothing tells it: a portrait lens (72 mm on a
36 mm wide picture)."""
FULL_FRAME_MM = 36.0
LEAST_LANDMARKS, LEAST_PIXELS = 8, 50
"""With fewer there is no pose."""


@dataclass(frozen=True, eq=False)
class Focal:
    """A focal length in pixels, how sure it is (sigma of its logarithm), and who said so: exif, user or prior."""

    px: float
    sigma: float
    source: str


@dataclass(frozen=True, eq=False)
class Observation:
    """One face in one picture. K landmarks in pixels (centre of the first pixel at 0.5)."""

    points_px: Doubles
    """[K, 2], as the network saw them."""
    weights: Doubles
    """[K], 0 = not used."""
    width: int
    height: int
    focal: Focal
    bias_px: Doubles
    """[K, 2] where the network sees the points minus where they are; subtracted before the fit."""
    pixels: Pixels | None = None
    """What a dense prior says, where there is one."""
    backdrop: Backdrop | None = None
    """Where the picture certainly does not show the person, if a prior says so."""

    @property
    def face_height_px(self) -> float:
        """Distance between the landmarks at the forehead's top and the chin; without them, how far the pixels reach."""
        height = float(np.linalg.norm(self.points_px[FOREHEAD] - self.points_px[CHIN]))
        if np.isfinite(height):
            return height
        places = self.points_px[self.counts]
        if self.pixels is not None and self.pixels.count:
            places = self.pixels.px.cpu().double().numpy()
        if not len(places):
            return 1.0  # nothing is measured against it
        low, high = np.percentile(places, [2.0, 98.0], axis=0)
        return max(float((high - low).max()), 1.0)

    @property
    def counts(self) -> Bools:
        """[K] which landmarks are numbers and have weight."""
        return np.isfinite(self.points_px[:, 0] + self.points_px[:, 1]) & (self.weights > 0)

    @property
    def has_landmarks(self) -> bool:
        """Whether any landmark counts."""
        return bool(self.counts.any())

    @property
    def says_enough(self) -> bool:
        """Whether there is enough for a pose."""
        pixels = 0 if self.pixels is None else int((self.pixels.trust > 0).sum())
        return int(self.counts.sum()) >= LEAST_LANDMARKS or pixels >= LEAST_PIXELS

    @property
    def corrected_px(self) -> Doubles:
        """[K, 2] the landmarks without the network's bias."""
        return self.points_px - self.bias_px

    @property
    def center_px(self) -> Doubles:
        """The principal point: the middle of the picture."""
        return np.array([self.width / 2, self.height / 2])

    def with_bias(self, bias_px: Doubles) -> Observation:
        """The same landmarks with another estimate of the network's bias."""
        return replace(self, bias_px=bias_px)


def focal_of(
    width: int, height: int, photo_35mm: float, user_35mm: float, weights: TermWeights
) -> Focal:
    """Take the user's focal length, else EXIF's, else assume a portrait lens. 35 mm equivalents count the long side."""
    long_side = max(width, height)
    for millimetres, source in ((user_35mm, "user"), (photo_35mm, "exif")):
        if millimetres > 0:
            return Focal(long_side * millimetres / FULL_FRAME_MM, weights.focal_sigma_known, source)
    return Focal(long_side * ASSUMED_FOCAL, weights.focal_sigma, "prior")


def landmark_weights(embedding: Embedding, oval: tuple[int, ...], weights: TermWeights) -> Doubles:
    """Weight of each of the K landmarks: sharp ones count, contour ones little, irises much."""
    result = 1.0 / (1.0 + (embedding.spread_m.astype(np.float64) / weights.spread_m) ** 2)
    result[list(oval)] *= weights.oval
    result[468:] *= weights.iris
    return result
