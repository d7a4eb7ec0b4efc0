# SPDX-License-Identifier: GPL-3.0-or-later
"""sRGB <-> linear light. Everything in this package is mixed, averaged and divided in linear light."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Bytes
from server.raster import Reals

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Luminance of linear Rec. 709 primaries."""


def to_linear(srgb: Bytes) -> Reals:
    """Turn 8-bit sRGB into linear light 0..1, any shape."""
    return _LINEAR[srgb]


def to_srgb(linear: Reals) -> Bytes:
    """Turn linear light, clipped to 0..1, into 8-bit sRGB, any shape."""
    # A table of 4096 steps over the square root is finer than 8 bits everywhere and ten times faster than the power.
    steps = np.sqrt(np.clip(linear, 0.0, 1.0))
    steps *= 4095.0
    steps += 0.5
    return _SRGB[steps.astype(np.uint16)]


def chromatic(linear: Reals) -> Reals:
    """Linear colours [..., 3] -> (log luminance, log red/green, log blue/green) [..., 3]; light moves the first."""
    logs = np.log(linear + 0.004)
    luminance = np.log(linear @ LUMA + 0.004)
    return np.stack([luminance, logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1]], axis=-1)


def _linear_table() -> Reals:
    value = np.arange(256) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


def _srgb_table() -> Bytes:
    value = (np.arange(4096) / 4095.0) ** 2
    encoded = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.round(255.0 * encoded).astype(np.uint8)


_LINEAR = _linear_table()
_SRGB = _srgb_table()
