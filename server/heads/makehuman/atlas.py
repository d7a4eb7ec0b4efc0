# SPDX-License-Identifier: GPL-3.0-or-later
"""The head atlas: where each island of UVs lies, so that the face seen from the front gets most of the texture.

MakeHuman's own map is a body atlas in which the frontal face has 2 % of the area. Here its islands are moved
to windows of their own. The skin of head and neck is turned upright and stretched by a separable monotone
warp about the face, which cannot make faces overlap. Coordinates have their origin at the bottom left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles


@dataclass(frozen=True)
class Window:
    """A rectangle of an atlas."""

    left: float
    bottom: float
    right: float
    top: float

    def place(self, unit: Doubles) -> Doubles:
        """Map coordinates of the unit square into the window."""
        low, high = np.array([self.left, self.bottom]), np.array([self.right, self.top])
        return low + unit * (high - low)

    def unit(self, uv: Doubles) -> Doubles:
        """Map coordinates in the window to the unit square."""
        low, high = np.array([self.left, self.bottom]), np.array([self.right, self.top])
        return (uv - low) / (high - low)

    def column(self, index: int, count: int) -> Window:
        """Cut out one of ``count`` equal columns, with a small margin at both sides."""
        width = (self.right - self.left) / count
        left = self.left + index * width
        return Window(left + 0.05 * width, self.bottom, left + 0.95 * width, self.top)

    def holds(self, uv: Doubles) -> np.bool_:
        """Say whether a point lies in the window."""
        return np.all(self.unit(uv) >= 0.0) & np.all(self.unit(uv) <= 1.0)


BODY_ISLANDS = {
    "skin": Window(0.6410, 0.1480, 0.9950, 0.8190),
    "bust": Window(0.2000, 0.7900, 0.5600, 0.9800),
    "cavity": Window(0.7570, 0.0110, 0.9250, 0.1370),
    "socket_R": Window(0.0110, 0.5460, 0.0780, 0.6340),
    "socket_L": Window(0.0850, 0.5460, 0.1520, 0.6340),
    "tongue": Window(0.6220, 0.9280, 0.6490, 0.9850),
    "lashes_L_upper": Window(0.7090, 0.9260, 0.7590, 0.9480),
    "lashes_R_upper": Window(0.6570, 0.9260, 0.7080, 0.9480),
    "lashes_L_lower": Window(0.7140, 0.9660, 0.7590, 0.9860),
    "lashes_R_lower": Window(0.6570, 0.9660, 0.7020, 0.9860),
}
"""Where the islands lie in MakeHuman's body atlas."""

HEAD_ISLANDS = {
    "skin": Window(0.005, 0.305, 0.995, 0.995),
    "bust": Window(0.25, 0.01, 0.55, 0.153),
    "cap": Window(0.25, 0.157, 0.55, 0.166),
    "cavity": Window(0.25, 0.17, 0.40, 0.29),
    "socket_R": Window(0.13, 0.09, 0.18, 0.16),
    "socket_L": Window(0.19, 0.09, 0.24, 0.16),
    "tongue": Window(0.41, 0.17, 0.45, 0.29),
    "lashes_L_upper": Window(0.01, 0.06, 0.12, 0.095),
    "lashes_R_upper": Window(0.01, 0.015, 0.12, 0.05),
    "lashes_L_lower": Window(0.13, 0.05, 0.24, 0.08),
    "lashes_R_lower": Window(0.13, 0.01, 0.24, 0.04),
    "eye_L_front": Window(0.01, 0.17, 0.12, 0.28),
    "eye_R_front": Window(0.13, 0.17, 0.24, 0.28),
    "eye_L_back": Window(0.01, 0.11, 0.06, 0.16),
    "eye_R_back": Window(0.07, 0.11, 0.12, 0.16),
    "teeth_upper": Window(0.46, 0.26, 0.55, 0.29),
    "teeth_lower": Window(0.46, 0.23, 0.55, 0.255),
    "gum_upper": Window(0.46, 0.20, 0.55, 0.225),
    "gum_lower": Window(0.46, 0.17, 0.55, 0.195),
    "hair": Window(0.56, 0.01, 0.99, 0.29),
}
"""Where they lie in the head atlas."""


def island_of(body_uv: Doubles) -> str:
    """Name the island of the body atlas that holds one quad's corners [4, 2].

    Raises:
        KeyError: the quad is in none of them.
    """
    centre = body_uv.mean(axis=0)
    for name, window in BODY_ISLANDS.items():
        if window.holds(centre):
            return name
    raise KeyError(f"no island holds {centre}")


def repack(body_uv: Doubles, island: str) -> Doubles:
    """Move coordinates [..., 2] of one island from the body atlas into the head atlas."""
    unit = BODY_ISLANDS[island].unit(body_uv)
    if island == "skin":
        unit = stretch_face(upright(unit))
    return HEAD_ISLANDS[island].place(unit)


def upright(unit: Doubles) -> Doubles:
    """Turn the skin island by -90 degrees: in the body atlas the face lies on its side, chin to the right."""
    return np.stack([unit[..., 1], 1.0 - unit[..., 0]], axis=-1)


def stretch_face(unit: Doubles) -> Doubles:
    """Give the face more of the island than ears, skull and nape: x and y warped apart, both strictly rising."""
    across = _warp(unit[..., 0], centre=0.5, width=0.17, gain=2.0)
    upward = _warp(unit[..., 1], centre=0.36, width=0.22, gain=0.8)
    return np.stack([across, upward], axis=-1)


def _warp(value: Doubles, centre: float, width: float, gain: float) -> Doubles:
    """Map 0..1 onto itself, its slope ``1 + gain * bell`` before normalisation."""
    grid = np.linspace(0.0, 1.0, 1001)
    slope = 1.0 + gain * np.exp(-(((grid - centre) / width) ** 2))
    risen = np.concatenate([[0.0], np.cumsum(0.5 * (slope[1:] + slope[:-1]))])
    return np.interp(value, grid, risen / risen[-1])
