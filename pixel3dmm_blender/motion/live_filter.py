# SPDX-License-Identifier: GPL-3.0-or-later
"""The causal filter of the live mode: calm at rest, quick in motion; it knows the past alone.

The 1 euro filter (Casiez, Roussel, Vogel: "1 € Filter", CHI 2012): a low pass whose cutoff rises
with the speed. T seconds after the last frame, with a(f) = 1 / (1 + 1 / (2 pi f T)),

    speed_t = speed_(t-1) + a(speed_cutoff_hz) ((y_t - x_(t-1)) / T - speed_(t-1))
    x_t     = x_(t-1) + a(min_cutoff_hz + beta |speed_t|) (y_t - x_(t-1))

Each expression weight has its own speed; the speed of the head's place, and of each rotation, is
one vector. Rotations are filtered as quaternions brought to the side of the last one, where twice
the chord is the angle; so nothing depends on the axes of the world and nothing flips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..wire import Doubles
from .logarithm import axis_angle_from_quaternion
from .rotation import quaternion_from_axis_angle

RESTART_S: Final = 0.5
"""After so long without a frame the filter starts afresh: the face may be anywhere."""


@dataclass(frozen=True)
class Response:
    """How one kind of motion is filtered."""

    min_cutoff_hz: float
    """The cutoff at rest: lower is calmer."""
    beta: float
    """Hz by which the cutoff rises for each unit (weight, radian, metre) a second: higher lags less."""
    speed_cutoff_hz: float = 3.0
    """Of the speed itself. With the paper's 1 Hz a blink lags twice as long (measured)."""


@dataclass(frozen=True)
class Responses:
    """How everything is filtered.

    Measured on known motion with the noise of real clips, 25 frames a second: at rest 0.34
    (weights), 0.28 (turns) and 0.44 (place) of the jitter are left. A blink lags 0.13 frames and
    keeps 0.98 of its height, speech lags 0.33, a smile 0.56, a turning head 0.23 and a moving one
    0.33 frames.
    """

    expression: Response = Response(1.0, 8.0)
    turns: Response = Response(1.0, 20.0)
    transl: Response = Response(1.0, 100.0)


@dataclass(frozen=True, eq=False)
class LivePose:
    """One frame of a FaceTrack."""

    expression: Doubles
    """[E]"""
    joint_rotation: Doubles
    """[J, 3] axis-angle"""
    rotation: Doubles
    """[3] axis-angle"""
    transl: Doubles
    """[3] metres"""


@dataclass(frozen=True, eq=False)
class Trace:
    """N filtered vectors of K numbers each."""

    values: Doubles
    """[N, K]"""
    speed: Doubles
    """[N, K], units a second"""


@dataclass(frozen=True, eq=False)
class Calm:
    """All that the filter knows after a frame."""

    seconds: float
    expression: Trace
    """[E, 1]"""
    turns: Trace
    """[1 + J, 4]: quaternions of the head and of the joints."""
    transl: Trace
    """[1, 3]"""

    def pose(self) -> LivePose:
        """The filtered frame."""
        turns = axis_angle_from_quaternion(self.turns.values)
        return LivePose(self.expression.values[:, 0], turns[1:], turns[0], self.transl.values[0])


def follow_pose(
    last: Calm | None, pose: LivePose, seconds: float, responses: Responses = Responses()
) -> Calm:
    """Take in the frame of a moment (any clock's seconds); ``last`` is None before the first."""
    expression = np.asarray(pose.expression, np.float64)[:, None]
    turns = quaternion_from_axis_angle(np.vstack((pose.rotation, pose.joint_rotation)))
    transl = np.asarray(pose.transl, np.float64)[None]
    if last is None or seconds - last.seconds > RESTART_S:
        return Calm(seconds, _begin(expression), _begin(turns), _begin(transl))
    passed_s = seconds - last.seconds
    if passed_s <= 0.0:  # a frame that is no newer says nothing
        return last
    ahead = np.sum(turns * last.turns.values, axis=1, keepdims=True) >= 0.0
    followed = _follow(last.turns, np.where(ahead, turns, -turns), passed_s, responses.turns, 2.0)
    length = np.linalg.norm(followed.values, axis=1, keepdims=True)
    return Calm(
        seconds,
        _follow(last.expression, expression, passed_s, responses.expression),
        Trace(followed.values / length, followed.speed),
        _follow(last.transl, transl, passed_s, responses.transl),
    )


def _begin(values: Doubles) -> Trace:
    return Trace(values, np.zeros_like(values))


def _follow(
    last: Trace, values: Doubles, passed_s: float, response: Response, units: float = 1.0
) -> Trace:
    """One step of the formula; ``units`` is what a length of 1 in the values stands for."""
    step = values - last.values
    speed_share = _share(np.array(response.speed_cutoff_hz), passed_s)
    speed = last.speed + speed_share * (units * step / passed_s - last.speed)
    pace = np.linalg.norm(speed, axis=1, keepdims=True)
    share = _share(response.min_cutoff_hz + response.beta * pace, passed_s)
    return Trace(last.values + share * step, speed)


def _share(cutoff_hz: Doubles, passed_s: float) -> Doubles:
    """a(f): the share of the way to the new value that is gone."""
    turned = 2.0 * np.pi * cutoff_hz * passed_s
    return turned / (1.0 + turned)
