# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of the bench: cost over time of the solver and of Adam, both axes logarithmic, and the basin as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pixel3dmm_blender.wire import Doubles

from .basin import Basin
from .race import Race

SIZE = (1500, 640)
LEFT, RIGHT = (100, 80, 740, 540), (880, 80, 1470, 540)
"""Left, top, right, bottom of the two charts."""
INK, PALE = (40, 40, 40), (225, 225, 225)
COLORS = ((200, 60, 40), (40, 90, 170), (90, 150, 220), (150, 190, 235), (150, 150, 150))
LEAST_GAP = 1e-5
"""Costs nearer than this share to the lowest are drawn here."""


@dataclass(frozen=True, eq=False)
class Line:
    """K points of one method."""

    name: str
    seconds: Doubles
    gaps: Doubles
    """How far above the lowest cost, as a share."""


@dataclass(frozen=True)
class Axes:
    """A logarithmic chart."""

    box: tuple[int, int, int, int]
    across: tuple[int, int]
    """Powers of ten at the left and at the right."""
    up: tuple[int, int]

    def place(self, x: Doubles, y: Doubles) -> list[tuple[float, float]]:
        """Values to pixels."""
        left, top, right, bottom = self.box
        low, high = self.across
        a = left + (np.log10(x) - low) / (high - low) * (right - left)
        low, high = self.up
        b = bottom - (np.log10(y) - low) / (high - low) * (bottom - top)
        return [(float(px), float(py)) for px, py in zip(a, b, strict=True)]


def draw_plot(path: Path, race: Race, basin: Basin) -> None:
    """Draw both charts."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    _draw_race(draw, race_lines(race))
    _draw_basin(draw, basin)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def race_lines(race: Race) -> tuple[Line, ...]:
    """The race's curves above the lowest cost that anyone found."""
    traces = [(f"Adam, {name} rates", t) for name, t in zip(RATES, race.traces, strict=True)]
    traces.append(("Adam, the original's rates", race.slow))
    lowest = min([min(race.curve.costs), *(float(t.costs.min()) for _, t in traces)])
    solver = Line(
        "solver",
        np.array(race.curve.seconds),
        _gaps(np.array(race.curve.costs), lowest),
    )
    others = (
        Line(name, np.maximum(t.seconds, 1e-3), _gaps(np.minimum.accumulate(t.costs), lowest))
        for name, t in traces
    )
    return (solver, *others)


RATES = ("small", "middle", "large")


def _gaps(costs: Doubles, lowest: float) -> Doubles:
    return np.maximum(costs / lowest - 1.0, LEAST_GAP)


def _draw_race(draw: ImageDraw.ImageDraw, lines: Sequence[Line]) -> None:
    longest = max(float(line.seconds[-1]) for line in lines)
    axes = Axes(LEFT, (-2, int(np.ceil(np.log10(longest)))), (-5, 1))
    _title(draw, LEFT, "One photo, 416 parameters: cost above the lowest, over time")
    for power in range(axes.up[0], axes.up[1] + 1):
        ((x, y),) = axes.place(np.array([10.0 ** axes.across[0]]), np.array([10.0**power]))
        draw.line([(x, y), (LEFT[2], y)], PALE)
        label = f"{100 * 10.0**power:g} %"
        _text(draw, (x - 8, y), label, anchor="rm")
    for power in range(axes.across[0], axes.across[1] + 1):
        ((x, y),) = axes.place(np.array([10.0**power]), np.array([10.0 ** axes.up[0]]))
        draw.line([(x, y), (x, LEFT[1])], PALE)
        _text(draw, (x, y + 8), f"{10.0**power:g} s", anchor="ma")
    for line, color in zip(lines, COLORS, strict=True):
        places = axes.place(np.maximum(line.seconds, 10.0 ** axes.across[0]), line.gaps)
        draw.line(places, color, 3 if line.name == "solver" else 2, joint="curve")
        if line.name == "solver":
            for x, y in places:
                draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=color)
    _legend(draw, (LEFT[0], LEFT[3] + 40), [line.name for line in lines])


def _draw_basin(draw: ImageDraw.ImageDraw, basin: Basin) -> None:
    left, top, right, bottom = RIGHT
    _title(draw, RIGHT, "Wrong starts (rotation/pixels): share that finds the right minimum")
    for tenth in range(0, 11, 2):
        y = bottom - tenth / 10 * (bottom - top)
        draw.line([(left, y), (right, y)], PALE)
        _text(draw, (left - 8, y), f"{10 * tenth} %", anchor="rm")
    wide = (right - left) / len(basin.names)
    bar = 0.8 * wide / len(basin.shares)
    for k, (shares, color) in enumerate(zip(basin.shares.values(), BASIN_COLORS, strict=True)):
        for i, share in enumerate(shares):
            x = left + i * wide + 0.1 * wide + k * bar
            y = bottom - share * (bottom - top)
            draw.rectangle((x, min(y, bottom - 2), x + bar - 2, bottom), color)
    for i, name in enumerate(basin.names):
        _text(draw, (left + (i + 0.5) * wide, bottom + 8), name, anchor="ma")
    _legend(draw, (left, bottom + 40), list(basin.shares), BASIN_COLORS)


BASIN_COLORS = (COLORS[4], COLORS[1], COLORS[0])


def _title(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], text: str) -> None:
    draw.rectangle(box, outline=INK)
    _text(draw, (box[0], box[1] - 14), text, anchor="ls", size=19)


def _legend(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    names: Sequence[str],
    colors: Sequence[tuple[int, int, int]] = COLORS,
) -> None:
    x, y = at
    for name, color in zip(names, colors, strict=False):
        length = _font(16).getlength(name)
        if x + 34 + length > at[0] + 660:
            x, y = at[0], y + 24
        draw.rectangle((x, y - 6, x + 22, y + 6), color)
        _text(draw, (x + 28, y), name, anchor="lm")
        x += int(28 + length + 24)


def _text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    *,
    anchor: str,
    size: int = 16,
) -> None:
    draw.text(at, text, INK, font=_font(size), anchor=anchor)


def _font(size: int):
    return ImageFont.load_default(size)
