# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks: regions of a picture that the user does not want to be believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pixel3dmm_blender.wire import Bools, Doubles

from .backdrop import Backdrop
from .observation import Observation


def mask_observation(seen: Observation, covered: Bools) -> Observation:
    """Take the weight from landmarks, pixels and background where ``covered`` [H, W] of the picture is True."""
    weights = seen.weights * ~_inside(seen.points_px, covered)
    pixels = seen.pixels
    if pixels is not None:
        inside = torch.as_tensor(_inside(pixels.px.cpu().double().numpy(), covered))
        pixels = replace(pixels, trust=pixels.trust * ~inside.to(pixels.trust.device))
    backdrop = seen.backdrop and mask_backdrop(seen.backdrop, covered)
    return replace(seen, weights=weights, pixels=pixels, backdrop=backdrop)


def mask_backdrop(backdrop: Backdrop, covered: Bools) -> Backdrop:
    """Take for unknown what lies where ``covered`` [H, W] of the picture is True: it is background no more."""
    rows, columns = np.nonzero(backdrop.background)
    cells = np.stack([columns + 0.5, rows + 0.5], 1)
    source = cells @ backdrop.to_source[:, :2].T + backdrop.to_source[:, 2]
    background = backdrop.background.copy()
    background[rows, columns] = ~_inside(source, covered)
    return replace(backdrop, background=background)


def _inside(points_px: Doubles, covered: Bools) -> Bools:
    """Which of the points [N, 2] lie on a covered pixel; those outside of the picture do not."""
    height, width = covered.shape
    known = np.isfinite(points_px[:, 0] + points_px[:, 1])
    column, row = np.floor(np.where(known[:, None], points_px, -1.0)).astype(np.int64).T
    within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return within & covered[np.where(within, row, 0), np.where(within, column, 0)]
