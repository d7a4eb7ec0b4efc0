# SPDX-License-Identifier: GPL-3.0-or-later
"""Square crops of a picture at any place, size and angle, without aliasing.

Source pixels: origin at the top left corner, centre of the first pixel at (0.5, 0.5). Crop coordinates: 0..1 from the
crop's own top left corner. Angles in radians, clockwise as seen on the screen (y points down).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from pixel3dmm_blender.wire import Bytes, Doubles
from server.device import single_thread

_BAND = 1024
"""Rows reduced at a time; even."""


@dataclass(frozen=True)
class Square:
    """A turned square in a picture; ``angle_rad`` is the direction of its x axis."""

    center_x: float
    center_y: float
    side: float
    """Source pixels."""
    angle_rad: float = 0.0

    def to_source(self, points: npt.NDArray[np.floating]) -> Doubles:
        """Crop coordinates [..., 2] in 0..1 -> source pixels."""
        cosine, sine = math.cos(self.angle_rad), math.sin(self.angle_rad)
        axes = np.array([[cosine, -sine], [sine, cosine]]) * self.side
        return (np.asarray(points, np.float64) - 0.5) @ axes.T + (self.center_x, self.center_y)

    def moved(self, right: float, down: float, scale: float, turn_rad: float) -> Square:
        """Move along its own axes by fractions of its side, scale and turn it."""
        x, y = self.to_source(np.array([0.5 + right, 0.5 + down]))
        return Square(float(x), float(y), self.side * scale, self.angle_rad + turn_rad)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and its reductions by 2, 4, 8 ..., each made when it is first needed."""

    pixels: Bytes
    """[H, W, 3] sRGB."""
    _levels: dict[int, Bytes] = field(default_factory=dict[int, Bytes])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    def reduced(self, factor: int) -> Bytes:
        """Reduce by a power of two, each pixel the mean of factor x factor source pixels."""
        if factor == 1:
            return self.pixels
        if factor not in self._levels:
            self._levels[factor] = _halve(self.reduced(factor // 2))
        return self._levels[factor]


def cut_squares(picture: Picture, squares: Sequence[Square], side: int, *, extend: bool) -> Tensor:
    """Cut squares out of a picture -> [N, 3, side, side] in 0..1.

    Outside the picture its border is extended, or everything is black. A crop that shrinks the picture averages: the
    reduction just fine enough is sampled twice as densely as asked for, then every 2 x 2 samples are averaged.
    """
    with torch.inference_mode(), single_thread():
        return torch.cat([_cut_square(picture, square, side, extend) for square in squares])


def _halve(pixels: Bytes) -> Bytes:
    """Average 2 x 2 pixels (at an odd edge, 2 x 1); in bands, to keep no second copy of a large picture in memory."""
    bands = range(0, pixels.shape[0], _BAND)
    return np.concatenate(
        [np.asarray(Image.fromarray(pixels[y : y + _BAND]).reduce(2)) for y in bands]
    )


def _cut_square(picture: Picture, square: Square, side: int, extend: bool) -> Tensor:
    shrink = square.side / side  # source pixels per crop pixel
    factor = 1 << math.floor(math.log2(max(shrink, 1.0)))
    dense = 2 if shrink > 1.0 else 1
    level = picture.reduced(factor)
    corners = square.to_source(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])) / factor
    limits = np.array([level.shape[1], level.shape[0]])
    low = np.clip(np.floor(corners.min(0)).astype(int) - 2, 0, limits - 1)
    high = np.clip(np.ceil(corners.max(0)).astype(int) + 2, low + 1, limits)
    window = np.ascontiguousarray(level[low[1] : high[1], low[0] : high[0]])
    values = torch.as_tensor(window.copy()).permute(2, 0, 1)[None].float() / 255.0
    grid = _sampling_grid(square, side * dense, factor, low, high)
    crop = functional.grid_sample(
        values, grid, padding_mode="border" if extend else "zeros", align_corners=False
    )
    return functional.avg_pool2d(crop, 2) if dense == 2 else crop


def _sampling_grid(
    square: Square, side: int, factor: int, low: npt.NDArray[np.int_], high: npt.NDArray[np.int_]
) -> Tensor:
    """Where to sample the window low..high of a reduction: [1, side, side, 2], -1..1 over its outer edges."""
    steps = (np.arange(side) + 0.5) / side
    places = square.to_source(np.stack(np.meshgrid(steps, steps), -1)) / factor
    return torch.as_tensor(((places - low) / (high - low) * 2.0 - 1.0)[None]).float()
