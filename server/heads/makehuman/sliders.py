# SPDX-License-Identifier: GPL-3.0-or-later
"""The sculpt sliders of the head as odd and even displacement fields, and the average adult that they start from.

A slider at value w moves the surface by ``w * odd + |w| * even``: opposite targets are far from being negatives of each
other (|a + b| / |a - b| is 0.3 in the median, above 1 for the worst), so a signed linear slider would be wrong by 30 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from .archive import VERTEX_COUNT, MakeHumanArchive

RACES = ("african", "asian", "caucasian")
GENDERS = ("female", "male")
FOLDERS = (
    "asym",
    "cheek",
    "chin",
    "ears",
    "eyebrows",
    "eyes",
    "forehead",
    "head",
    "mouth",
    "neck",
    "nose",
)
OPPOSITES = (
    ("-incr", "-decr"), ("-up", "-down"), ("-out", "-in"), ("-forward", "-backward"), ("-convex", "-concave"),
    ("-uncompress", "-compress"), ("-square", "-round"), ("-pointed", "-triangle"), ("-l", "-r"),
)  # fmt: skip
NO_SHAPE = (
    "head-trans-",
    "neck-trans-",
    "measure-neck-height",
    "neck-scale-vert",
    "breast",
    "trunk",
)
"""Sliders that only carry the whole head about, or do not belong to it."""
OWN_PARAMETERS = ("neck-scale-horiz", "neck-scale-depth")
"""Sliders that become identity parameters of their own instead of a part of the population."""


@dataclass(frozen=True)
class Slider:
    """One slider: names of the targets at +1 and -1; ``negative`` is "" for one that only goes up."""

    positive: str
    negative: str

    @property
    def side(self) -> str:
        """Say whether it is of the left ("l"), the right ("r") or of neither side ("")."""
        stem = self.positive.rpartition("/")[2]
        return stem[0] if stem[:2] in ("l-", "r-") else ""


@dataclass(frozen=True)
class Fields:
    """N sliders on V vertices, mm at value 1."""

    names: tuple[str, ...]
    odd: Doubles
    """[N, V, 3]"""
    even: Doubles
    """[N, V, 3]"""
    one_sided: Bools
    """[N] the slider only goes up: its value is |w|."""


def average_adult(archive: MakeHumanArchive, points: Doubles) -> Doubles:
    """Mean of both genders and three ethnic groups at young age, average muscle and weight: [V, 3] mm."""
    adult = points.copy()
    for race in RACES:
        for gender in GENDERS:
            adult += _dense(archive, f"macrodetails/{race}-{gender}-young") / 6.0
    for gender in GENDERS:
        adult += (
            _dense(archive, _universal(gender, "young", "averagemuscle", "averageweight")) / 2.0
        )
    return adult


def pair_sliders(names: tuple[str, ...]) -> tuple[Slider, ...]:
    """Pair target names by their opposite endings; what has no opposite only goes up."""
    known = frozenset(names)
    sliders: list[Slider] = []
    for name in names:
        pair = next(((up, down) for up, down in OPPOSITES if name.endswith((up, down))), None)
        up_name = name[: -len(pair[1])] + pair[0] if pair and name.endswith(pair[1]) else name
        down_name = up_name[: -len(pair[0])] + pair[1] if pair else ""
        if pair and name != up_name and up_name in known:
            continue
        sliders.append(Slider(name, down_name if down_name in known else ""))
    return tuple(sliders)


def read_sliders(archive: MakeHumanArchive, vertices: Ints) -> Fields:
    """Read all shape sliders on the given hm08 vertices, left and right combined.

    The sliders of one side are replaced by the sum and the difference of both sides ("+", "-"), so that every field is
    symmetric or antisymmetric (``asym`` targets are antisymmetric as they are).
    """
    names = tuple(name for folder in FOLDERS for name in archive.target_names(folder))
    kept = tuple(
        name for name in names if not any(part in name for part in (*NO_SHAPE, *OWN_PARAMETERS))
    )
    sliders = pair_sliders(kept)
    right = {slider.positive: slider for slider in sliders if slider.side == "r"}
    titles: list[str] = []
    odd: list[Doubles] = []
    even: list[Doubles] = []
    one_sided: list[bool] = []
    for slider in sliders:
        if slider.side == "r":
            continue
        own_odd, own_even = read_slider(archive, slider, vertices)
        if slider.side == "l":
            folder, _, stem = slider.positive.rpartition("/")
            other_odd, other_even = read_slider(archive, right[f"{folder}/r{stem[1:]}"], vertices)
            titles += [slider.positive + "+", slider.positive + "-"]
            odd += [own_odd + other_odd, own_odd - other_odd]
            even += [own_even + other_even, own_even + other_even]
            one_sided += [False, False]
        else:
            titles.append(slider.positive)
            odd.append(own_odd)
            even.append(own_even)
            one_sided.append(not slider.negative)
    return Fields(tuple(titles), np.stack(odd), np.stack(even), np.array(one_sided))


def read_slider(
    archive: MakeHumanArchive, slider: Slider, vertices: Ints
) -> tuple[Doubles, Doubles]:
    """Read the odd and the even field of one slider, each [len(vertices), 3] mm."""
    positive = _dense(archive, slider.positive)[vertices]
    if not slider.negative:
        return 0.5 * positive, 0.5 * positive
    negative = _dense(archive, slider.negative)[vertices]
    return 0.5 * (positive - negative), 0.5 * (positive + negative)


@dataclass(frozen=True)
class Macros:
    """How sex, age, origin, weight and muscle differ from the average adult, [V, 3] mm each."""

    male: Doubles
    """From the average woman to the average man."""
    old: Doubles
    races: Doubles
    """[3, V, 3]; the three sum to 0."""
    heavy: tuple[Doubles, Doubles]
    """Odd and even field of weight."""
    muscular: tuple[Doubles, Doubles]
    """Odd and even field of muscle."""


def read_macros(archive: MakeHumanArchive, vertices: Ints) -> Macros:
    """Read the macro targets on the given hm08 vertices."""

    def local(name: str) -> Doubles:
        return _dense(archive, f"macrodetails/{name}")[vertices]

    def person(gender: str, age: str, race: str) -> Doubles:
        return local(f"{race}-{gender}-{age}")

    def body(gender: str, age: str, muscle: str, weight: str) -> Doubles:
        return _dense(archive, _universal(gender, age, muscle, weight))[vertices]

    def both(muscle: str, weight: str) -> Doubles:
        return (
            sum((body(gender, "young", muscle, weight) for gender in GENDERS), np.zeros(())) / 2.0
        )

    def of_gender(gender: str) -> Doubles:
        faces = sum((person(gender, "young", race) for race in RACES), np.zeros(())) / 3.0
        return faces + body(gender, "young", "averagemuscle", "averageweight")

    def of_age(age: str) -> Doubles:
        faces = [person(gender, age, race) for gender in GENDERS for race in RACES]
        bodies = [body(gender, age, "averagemuscle", "averageweight") for gender in GENDERS]
        return sum(faces, np.zeros(())) / 6.0 + sum(bodies, np.zeros(())) / 2.0

    of_race = [
        sum((person(gender, "young", race) for gender in GENDERS), np.zeros(())) / 2.0
        for race in RACES
    ]
    middle = both("averagemuscle", "averageweight")
    return Macros(
        male=of_gender("male") - of_gender("female"),
        old=of_age("old") - of_age("young"),
        races=np.stack(of_race) - sum(of_race, np.zeros(())) / 3.0,
        heavy=_odd_even(
            both("averagemuscle", "maxweight"), both("averagemuscle", "minweight"), middle
        ),
        muscular=_odd_even(
            both("maxmuscle", "averageweight"), both("minmuscle", "averageweight"), middle
        ),
    )


def _odd_even(most: Doubles, least: Doubles, middle: Doubles) -> tuple[Doubles, Doubles]:
    return 0.5 * (most - least), 0.5 * (most + least) - middle


def _universal(gender: str, age: str, muscle: str, weight: str) -> str:
    return f"macrodetails/universal-{gender}-{age}-{muscle}-{weight}"


def _dense(archive: MakeHumanArchive, name: str) -> Doubles:
    return archive.target(name).dense(VERTEX_COUNT)
