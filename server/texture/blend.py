# SPDX-License-Identifier: GPL-3.0-or-later
"""Going softly from one value to another."""

from __future__ import annotations

import numpy as np

from server.raster import Reals


def smoothstep(low: float, high: float, value: Reals) -> Reals:
    """Go from 0 at ``low`` to 1 at ``high`` along 3 t^2 - 2 t^3; float32."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)


def mix(a: Reals, b: Reals, share: Reals) -> Reals:
    """Blend colours [N, 3] (or one colour [3]) by a share [N] of the second."""
    return a + share[:, None] * (b - a)
