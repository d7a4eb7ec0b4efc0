# SPDX-License-Identifier: GPL-3.0-or-later
"""Teeth, gums, tongue and the dark behind them: painted in the head's rest frame, never copied from the photo."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Floats, Ints
from server.heads.model import HeadModel
from server.texture.atlas import Atlas
from server.texture.noise import value_noise

_TOOTH = np.array([0.62, 0.56, 0.46], np.float32)
_GAP = np.array([0.20, 0.11, 0.075], np.float32)
_GUM = np.array([0.36, 0.12, 0.105], np.float32)
_TONGUE = np.array([0.34, 0.10, 0.09], np.float32)
_CAVITY = np.array([0.060, 0.012, 0.011], np.float32)
_UPPER_WIDTHS_M = (0.0085, 0.0066, 0.0077, 0.0070, 0.0068, 0.0100, 0.0098, 0.0090)
_LOWER_WIDTHS_M = (0.0053, 0.0059, 0.0069, 0.0070, 0.0071, 0.0110, 0.0105, 0.0100)
"""From the middle backwards; mean crown widths of adults (Wheeler's Dental Anatomy, rounded)."""
_CROWN_M = 0.0095
"""Height of a crown; above it (below it in the lower jaw) there is gum."""


def paint_mouth(model: HeadModel, atlas: Atlas) -> tuple[Ints, Floats]:
    """Colour all texels of the mouth's slots: (texels, linear [n, 3])."""
    parts: list[tuple[Ints, Floats]] = []
    for word, paint in (("mouth", _paint_cavity), ("tongue", _paint_tongue), ("gum", _paint_gums)):
        texels = atlas.of_slot(model, word)
        parts.append((texels, paint(atlas.spread(model.template, texels))))
    for texels, upper in _jaws(model, atlas):
        parts.append((texels, _paint_teeth(atlas.spread(model.template, texels), upper)))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _jaws(model: HeadModel, atlas: Atlas) -> list[tuple[Ints, bool]]:
    """Texels of the upper (True) and of the lower teeth: the lower ones fall when the jaw opens."""
    texels = atlas.of_slot(model, "teeth", "tooth")
    if not len(texels):
        return []
    drop = atlas.spread(_jaw_drop(model)[:, None], texels)[:, 0]
    low = drop > 0.5 * max(float(drop.max()), 1e-6)
    return [(part, upper) for part, upper in ((texels[~low], True), (texels[low], False)) if len(part)]


def _jaw_drop(model: HeadModel) -> Floats:
    """How far each vertex falls when the jaw opens, by key and by joint, arbitrary unit, [V]."""
    drop = np.zeros(len(model.template), np.float32)
    if "jawOpen" in model.expression_names:
        drop = drop - model.expression[model.expression_names.index("jawOpen"), :, 1]
    if "jaw" in model.joint_names:
        drop = drop + 0.01 * model.skin_weights[model.joint_names.index("jaw")]
    return drop


def _paint_teeth(rest: Floats, upper: bool) -> Floats:
    """Crowns with rounded sides, dark gaps, gum at their necks; yellower and darker towards the back."""
    arch, depth = _along_arch(rest)
    widths = np.cumsum((0.0, *(_UPPER_WIDTHS_M if upper else _LOWER_WIDTHS_M)))
    number = np.clip(np.searchsorted(widths, arch, side="right") - 1, 0, len(widths) - 2)
    place = (arch - widths[number]) / (widths[number + 1] - widths[number])
    height = rest[:, 1].max() - rest[:, 1] if upper else rest[:, 1] - rest[:, 1].min()
    crown = min(_CROWN_M, 0.8 * float(np.ptp(rest[:, 1])))
    neck = float(np.ptp(rest[:, 1])) - crown
    side = np.abs(2.0 * place - 1.0)
    # The gum climbs between two teeth and bows above each.
    gum = 1.0 - _step(-0.0006, 0.0006, height - neck - 0.0016 * side**2)
    shade = 1.0 - 0.30 * _step(0.012, 0.040, depth) - 0.10 * (number >= 2)
    color = _TOOTH * shade[:, None] * (1.0 - 0.16 * side**3)[:, None]
    color = _mix(color, _TOOTH * np.array([0.95, 0.86, 0.66], np.float32), 0.35 * _step(0.0, 0.05, depth))
    gap = _step(0.86, 1.0, side) * 0.75
    color = _mix(color, _GAP, gap)
    return _mix(color, _GUM * shade[:, None], gum).astype(np.float32)


def _along_arch(rest: Floats) -> tuple[Floats, Floats]:
    """Arc length from the middle of the arch, and how far behind its front each point lies, metres."""
    front = float(rest[:, 2].max())
    depth = front - rest[:, 2]
    across = np.abs(rest[:, 0])
    order = np.argsort(across + depth)
    bins = np.linspace(0.0, float((across + depth).max()) + 1e-6, 40)
    group = np.digitize((across + depth)[order], bins)
    count = np.maximum(np.bincount(group, minlength=len(bins) + 1), 1)
    mean_x = np.bincount(group, across[order], len(bins) + 1) / count
    mean_z = np.bincount(group, depth[order], len(bins) + 1) / count
    known = np.flatnonzero(np.bincount(group, minlength=len(bins) + 1))
    path = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(mean_x[known]), np.diff(mean_z[known])))])
    middle = (across + depth)[order]
    centre = np.bincount(group, middle, len(bins) + 1)[known] / count[known]
    return np.interp(across + depth, centre, path + mean_x[known[0]]).astype(np.float32), depth


def _paint_tongue(rest: Floats) -> Floats:
    rough = value_noise(rest, np.full(3, 900.0), 7) if len(rest) else np.zeros(0, np.float32)
    color = _TONGUE * np.exp(0.10 * rough)[:, None]
    return _darker_behind(color, rest, 0.05)


def _paint_gums(rest: Floats) -> Floats:
    return _darker_behind(np.tile(_GUM, (len(rest), 1)), rest, 0.05)


def _paint_cavity(rest: Floats) -> Floats:
    return _darker_behind(np.tile(_CAVITY * 2.2, (len(rest), 1)), rest, 0.03)


def _darker_behind(color: Floats, rest: Floats, reach_m: float) -> Floats:
    if not len(rest):
        return color
    behind = np.clip((rest[:, 2].max() - rest[:, 2]) / reach_m, 0.0, 1.0)
    return (color * (1.0 - 0.75 * behind)[:, None]).astype(np.float32)


def _step(low: float, high: float, value: Floats) -> Floats:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _mix(a: Floats, b: Floats, share: Floats) -> Floats:
    return a + share[:, None] * (b - a)
