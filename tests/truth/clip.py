# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: one person before one camera that stands still, moving as people do, frame by frame.

The head's curves are band-limited; expressions come and go; there are blinks (six frames at 25 fps) and,
in phrases, mouth movements at the rate of syllables. Gaps and moving occluders are drawn apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles
from server.heads.model import HeadModel
from server.heads.view import view_rotation

from .motions import find_motions
from .scene import Scene, Spread, draw_scene, within_limits

TURN_RAD = (np.radians(14.0), np.radians(7.0), np.radians(4.0))
"""Rms of yaw, pitch and roll."""
SHIFT_M = (0.010, 0.006, 0.015)
"""Rms of the head's shift to the right, down and away."""
HEAD_HZ = 0.8
FACE_HZ = 1.5
"""Fastest parts of the head's motion and of expressions."""
GAZE_RAD = np.radians(4.0)
FACE_SHARE = (0.50, 0.60)
"""A little less than in single scenes: the crop does not follow the head."""
BLINK_CLOSING_S, BLINK_OPENING_S = 0.08, 0.16
BLINK_EVERY_S = (1.5, 4.0)
SYLLABLE_HZ = (3.0, 6.0)
PHRASE_HZ = 0.5


@dataclass(frozen=True)
class Face:
    """What the face does over T frames."""

    expression: Doubles
    """[T, E]"""
    jaw: Doubles
    """[T] radians."""


def draw_clip(
    model: HeadModel,
    rng: np.random.Generator,
    frames: int,
    fps: float = 25.0,
    size: int = 512,
) -> tuple[Scene, ...]:
    """Draw a clip: identity, camera and head model are the same in all of its scenes."""
    times = np.arange(frames) / fps
    yaw, pitch = rng.normal(0.0, np.radians([12.0, 5.0]))
    spread = Spread(face_share=FACE_SHARE, expression=0.0, joints=0.0)
    first = draw_scene(model, rng, yaw, pitch, size=size, spread=spread)
    turns = np.stack([smooth_curve(times, HEAD_HZ, rng) * rms for rms in TURN_RAD], axis=1)
    shifts = np.stack([smooth_curve(times, HEAD_HZ, rng) * rms for rms in SHIFT_M], axis=1)
    face = _draw_face(model, times, rng)
    gaze = np.stack([smooth_curve(times, FACE_HZ, rng) * GAZE_RAD for _ in range(2)], axis=1)
    joints = _joint_curves(model, face.jaw, gaze)
    return tuple(
        replace(
            first,
            expression=face.expression[i].astype(np.float32),
            joint_rotation=joints[i],
            rotation=view_rotation(yaw + turns[i, 0], pitch + turns[i, 1], turns[i, 2]),
            transl=first.transl + shifts[i],
        )
        for i in range(frames)
    )


def draw_absences(
    rng: np.random.Generator, frames: int, gaps: int = 1, lengths: tuple[int, int] = (5, 15)
) -> Bools:
    """Mark frames [T] in which there is no face, in gaps that leave the clip's first and last frame alone."""
    gone = np.zeros(frames, bool)
    for _ in range(gaps):
        length = min(int(rng.integers(lengths[0], lengths[1] + 1)), frames - 2)
        start = int(rng.integers(1, frames - length))
        gone[start : start + length] = True
    return gone


def draw_windows(
    rng: np.random.Generator, frames: int, size: int, side: float = 0.35, stay: float = 0.6
) -> Doubles:
    """Draw a square occluder that crosses the crop: [T, 4] px left, top, right, bottom; 0 where there is none.

    Its side is in sides of the crop; it is there for this share of the frames.
    """
    windows = np.zeros((frames, 4))
    count = max(1, round(stay * frames))
    start = int(rng.integers(0, frames - count + 1))
    along = np.linspace(-0.5 * side, 1.0 + 0.5 * side, count)
    across = np.full(count, rng.uniform(0.35, 0.65))
    middle = np.stack([along, across], axis=1)[:: rng.choice([-1, 1])]
    if rng.random() < 0.5:
        middle = middle[:, ::-1]
    windows[start : start + count, :2] = (middle - 0.5 * side) * size
    windows[start : start + count, 2:] = (middle + 0.5 * side) * size
    return windows


def smooth_curve(
    times: Doubles, top_hz: float, rng: np.random.Generator, waves: int = 12
) -> Doubles:
    """Return a random curve [T] of variance 1 over all time, without anything faster than top_hz.

    A sum of cosines whose power falls as 1 / (1 + (4 f / top)^2).
    """
    rates = rng.uniform(0.0, top_hz, waves)
    phases = rng.uniform(0.0, 2 * np.pi, waves)
    power = 1.0 / (1.0 + (4.0 * rates / top_hz) ** 2)
    amounts = np.sqrt(2.0 * power / power.sum())
    return np.cos(2 * np.pi * times[:, None] * rates + phases) @ amounts


def blink_curve(times: Doubles, rng: np.random.Generator) -> Doubles:
    """Return how far the lids are closed [T], 0..1: at least one blink, then one every few seconds."""
    closed = np.zeros(len(times))
    length = BLINK_CLOSING_S + BLINK_OPENING_S
    middle = rng.uniform(0.2, 0.8) * min(times[-1], BLINK_EVERY_S[1])
    while middle < times[-1] - BLINK_OPENING_S or not closed.any():
        since = times[np.abs(times - middle).argmin()] - times
        phase = np.where(since > 0, since / BLINK_CLOSING_S, -since / BLINK_OPENING_S)
        closed = np.maximum(closed, 0.5 + 0.5 * np.cos(np.pi * np.clip(phase, 0.0, 1.0)))
        middle += length + rng.uniform(*BLINK_EVERY_S)
    return closed


def _draw_face(model: HeadModel, times: Doubles, rng: np.random.Generator) -> Face:
    """Expressions that come and go, blinks and speech, within the bounds."""
    motions = find_motions(model)
    slow = _slow_expression(model, times, rng)
    low, high = np.where(model.expression_fitted[:, None], model.expression_bounds, 0.0).T
    phrase = np.clip(0.5 + smooth_curve(times, PHRASE_HZ, rng), 0.0, 1.0)
    amounts = [phrase * _syllables(times, rng) for _ in motions.speech]
    speech = sum((np.outer(a, key) for a, key in zip(amounts, motions.speech, strict=True)), slow)
    blinks = np.outer(blink_curve(times, rng), motions.blink)
    expression = np.clip(speech + blinks, low, high)
    jaw = motions.jaw_rad * phrase * _syllables(times, rng)
    return Face(expression, jaw)


def _slow_expression(model: HeadModel, times: Doubles, rng: np.random.Generator) -> Doubles:
    """Curves [T, E]: some components that go one way come and go, all that go both ways drift."""
    sigma = model.expression_sigma.astype(np.float64)
    curves = np.stack([smooth_curve(times, FACE_HZ, rng) for _ in sigma], axis=1)
    active = rng.random(len(sigma)) < 0.2
    # Squared, so that a component sets in without a kink.
    one_way = 1.5 * sigma * active * np.maximum(curves, 0.0) ** 2
    return np.where(model.expression_bounds[:, 0] < 0, 0.5 * sigma * curves, one_way)


def _syllables(times: Doubles, rng: np.random.Generator) -> Doubles:
    """Openings of the mouth [T], 0..1, at a rate that wanders within SYLLABLE_HZ."""
    low, high = SYLLABLE_HZ
    wander = np.clip(0.5 + 0.3 * smooth_curve(times, 1.0, rng), 0.0, 1.0)
    step = np.diff(times, prepend=0.0)
    turns = np.cumsum((low + (high - low) * wander) * step) + rng.random()
    loudness = np.clip(0.6 + 0.25 * smooth_curve(times, 1.5, rng), 0.0, 1.0)
    return loudness * (0.5 - 0.5 * np.cos(2 * np.pi * turns))


def _joint_curves(model: HeadModel, jaw: Doubles, gaze: Doubles) -> Doubles:
    """Axis-angle turns [T, J, 3] within the limits: the jaw opens about x, both eyes look the same way."""
    turns = np.zeros((len(jaw), len(model.joint_names), 3))
    for joint, name in enumerate(model.joint_names):
        if name in ("eye_L", "eye_R"):
            turns[:, joint, :2] = gaze
        elif name == "jaw":
            turns[:, joint, 0] = jaw
    return within_limits(model, turns)
