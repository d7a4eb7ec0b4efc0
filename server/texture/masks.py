# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks over a picture [H, W]: opened, labelled, softened. Distances are in pixels."""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy import ndimage

from pixel3dmm_blender.wire import Bools
from server.raster import Indices, Reals
from server.texture.blend import smoothstep


def opened(mask: Bools, radius_px: int) -> Bools:
    """Drop what is thinner than twice the radius."""
    return np.asarray(ndimage.binary_opening(mask, iterations=max(1, radius_px)), bool)


def labelled(mask: Bools) -> Indices:
    """Number the connected parts from 1; 0 is what the mask leaves out."""
    found = cast("tuple[Indices, int]", ndimage.label(mask))
    return found[0]


def touching(mask: Bools, core: Bools) -> Bools:
    """Keep the parts that hang together with the core, and close their small holes."""
    labels = labelled(mask)
    numbers = np.unique(labels[core & mask])
    joined = np.isin(labels, numbers[numbers > 0])
    holes = labelled(~joined)
    sizes = np.bincount(holes.ravel())
    small = sizes < 0.002 * max(1, np.count_nonzero(joined))
    small[0] = False
    return joined | small[holes]


def soften(mask: Bools, erode_px: float, width_px: float) -> Reals:
    """Go from 0 to 1 over ``width_px``, beginning ``erode_px`` inside the edge of a mask."""
    inside = np.asarray(ndimage.distance_transform_edt(mask), np.float64)
    begin = 0.5 + erode_px
    return smoothstep(begin, begin + max(width_px, 1e-3), inside)
