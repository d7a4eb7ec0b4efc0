# SPDX-License-Identifier: GPL-3.0-or-later
"""Backdrop: where one picture certainly does not show the person, and how deep inside of that each place lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt

from pixel3dmm_blender.wire import Bools, Doubles

from ..priors.maps import PriorMaps, Region

_TOUCHING = np.ones((3, 3), bool)


@dataclass(frozen=True, eq=False)
class Backdrop:
    """H x W cells of a crop; the centre of the first one is at (0.5, 0.5)."""

    background: Bools
    """[H, W]"""
    to_source: Doubles
    """[2, 3] affine map of cells to pixels of the picture, without shear: source = A[:, :2] . cell + A[:, 2]."""

    @cached_property
    def depth_px(self) -> Doubles:
        """[H, W] pixels of the picture to the nearest cell that may show the person, or touches one that may.

        A cell that touches one is often half covered. Nobody knows what lies beyond the crop: its rim counts as person,
        so that the depth is continuous there.
        """
        person = np.asarray(binary_dilation(~self.background, _TOUCHING, border_value=1), bool)
        side = float(np.sqrt(abs(np.linalg.det(self.to_source[:, :2]))))
        return side * np.asarray(distance_transform_edt(np.logical_not(person)), np.float64)


def make_backdrop(maps: PriorMaps, *, stride: int = 1) -> Backdrop:
    """Read the background out of prior maps; cells of ``stride`` x ``stride`` pixels, all of them background."""
    background = maps.regions == Region.BACKGROUND
    height, width = (side // stride for side in background.shape)
    blocks = background[: height * stride, : width * stride]
    cells = blocks.reshape(height, stride, width, stride).all(axis=(1, 3))
    return Backdrop(cells, maps.to_source * np.array([stride, stride, 1.0]))
