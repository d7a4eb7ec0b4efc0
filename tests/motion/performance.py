# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance whose truth is known, noise as a tracker makes it, and how to hold the two apart.

Blinks last 6 frames of 25 (closing in 2, opening in 3), plosives 4 (the lips meet for 0.16 s),
syllables about a fifth of a second. The head turns, nods and comes nearer. The noise is white:
0.02 of a weight, 0.2 degrees, 0.5 mm across and 3 mm along the line of sight (as measured in clips,
where the distance is known several times worse than the place in the picture).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from pixel3dmm_blender.motion.rotation import (
    matrix_from_axis_angle,
    quaternion_from_axis_angle,
    unwrap_quaternions,
)
from pixel3dmm_blender.wire import Camera, Doubles, FaceTrack
from tests.fakes.tracked import make_track

NAMES = ("blink", "plosive", "speech", "smile", "rest", "look", "breath", "brow")
BLINK, PLOSIVE, SPEECH, SMILE, REST, LOOK, BREATH, BROW = range(len(NAMES))
SMOOTHED = ("expression", "joint_rotation", "rotation", "transl")
"""The fields of a track that are motion."""
CAMERA = Camera(
    width=1280,
    height=720,
    focal_px=1500.0,
    center_px=np.array([640.0, 360.0]),
    world_to_camera=np.array(
        [[1.0, 0, 0, 0.1], [0, -1.0, 0, -0.05], [0, 0, -1.0, 1.0], [0, 0, 0, 1.0]]
    ),
)


@dataclass(frozen=True, eq=False)
class Performance:
    """The truth, what a tracker made of it, and when the blinks and plosives were."""

    true: FaceTrack
    found: FaceTrack
    seconds: Doubles
    blinks_s: Doubles
    plosives_s: Doubles


def make_performance(seed: int = 0, fps: float = 25.0, length_s: float = 10.0) -> Performance:
    random = np.random.default_rng(seed)
    t = np.arange(round(length_s * fps)) / fps
    blinks = _spread(random, 1.2, 2.5, length_s)
    plosives = _spread(random, 0.4, 0.9, length_s)
    syllables = _spread(random, 0.16, 0.26, length_s)
    syllables = syllables[(syllables % 2.5) < 1.8]  # a phrase, then a pause
    sizes = random.uniform(0.15, 0.5, len(syllables))
    weights = np.zeros((len(t), len(NAMES)))
    for at in blinks:
        weights[:, BLINK] += np.interp((t - at) * 25.0, [-2.5, -0.2, 0.6, 3.5], [0, 0.9, 0.9, 0])
    for at in plosives:
        weights[:, PLOSIVE] += 0.4 * _hump(t, at, 0.16)
    for at, size in zip(syllables, sizes, strict=True):
        weights[:, SPEECH] += size * _hump(t, at, 0.34)
    weights[:, SMILE] = 0.35 + 0.25 * np.sin(1.3 * t) + 0.1 * np.sin(3.1 * t)
    weights[:, REST] = 0.2
    weights[:, LOOK] = 0.5 + 0.3 * np.sign(np.sin(2.2 * t + 0.3))
    weights[:, BREATH] = 0.3 + 0.05 * np.sin(1.6 * t)
    weights[:, BROW] = 0.15 + 0.1 * np.tanh(6.0 * (t - 4.0))
    turns = np.stack((0.08 * np.sin(9.0 * t), 0.35 * np.sin(1.9 * t), 0.07 * np.sin(3.1 * t)), 1)
    place = np.stack((40 * np.sin(1.9 * t), 10 * np.sin(6.3 * t), 50 * np.sin(1.3 * t)), 1) / 1000
    still = make_track(1280, 720, len(t))
    true = replace(
        still,
        camera=CAMERA,
        expression_names=NAMES,
        expression=np.clip(weights, 0.0, 1.0),
        joint_rotation=np.zeros((len(t), 5, 3)),
        rotation=turns,
        transl=place,
        fps=fps,
    )
    return Performance(true, with_noise(true, random), t, blinks, plosives)


def with_noise(true: FaceTrack, random: np.random.Generator, weight: float = 0.02) -> FaceTrack:
    """White noise on everything but joints at rest; weights stay in 0..1 as the solver keeps them."""
    noise = random.standard_normal(true.expression.shape)
    return replace(
        true,
        expression=np.clip(true.expression + weight * noise, 0.0, 1.0),
        rotation=true.rotation + np.radians(0.2) * random.standard_normal(true.rotation.shape),
        transl=true.transl
        + np.array([0.5e-3, 0.5e-3, 3e-3]) * random.standard_normal(true.transl.shape),
    )


def jitter(values: Doubles) -> Doubles:
    """Root mean square of the second differences along time [T, C] -> [C]."""
    return np.sqrt(np.mean(np.diff(values, 2, axis=0) ** 2, axis=0))


def lag_frames(found: Doubles, true: Doubles) -> float:
    """By how many frames curves [T, C] come late: the shift of the truth that is nearest to them."""
    at = np.arange(len(true))
    shifts = np.arange(-2.0, 6.0, 0.05)
    shifted = (
        np.stack([np.interp(at - shift, at, column) for column in true.T], 1) for shift in shifts
    )
    errors = [np.mean((found - late)[8:-8] ** 2) for late in shifted]
    return float(shifts[np.argmin(errors)])


def height_kept(found: Doubles, true: Doubles, seconds: Doubles, moments_s: Doubles) -> float:
    """The mean share of their true height [T] that short events still have."""
    near = [np.abs(seconds - at) < 0.13 for at in moments_s]
    return float(np.mean([found[it].max() / true[it].max() for it in near]))


def error(found: Doubles, true: Doubles) -> float:
    return float(np.sqrt(np.mean((found - true) ** 2)))


def quaternions(track: FaceTrack) -> Doubles:
    """[T, 4] the rotation of the head, without flips."""
    return unwrap_quaternions(quaternion_from_axis_angle(track.rotation))


def face_px(track: FaceTrack, head_point: tuple[float, float, float] = (0.0, 0.02, 0.1)) -> Doubles:
    """[T, 2] where a point of the face is in the picture."""
    world = matrix_from_axis_angle(track.rotation) @ np.array(head_point) + track.transl
    return track.camera.project(world)


def cut(track: FaceTrack, count: int) -> FaceTrack:
    values = {field.name: getattr(track, field.name) for field in fields(track)}
    shortened = {
        name: value[:count]
        for name, value in values.items()
        if isinstance(value, np.ndarray) and len(value) == len(track.frames) and name != "identity"
    }
    return replace(track, **shortened)


def unseen(track: FaceTrack, *frames: int) -> FaceTrack:
    """Bridge frames as the engine does."""
    valid = np.ones(len(track.frames), np.bool_)
    valid[list(frames)] = False
    seen, every = np.flatnonzero(valid), np.arange(len(valid))
    bridged = {}
    for name in SMOOTHED:
        values = getattr(track, name)
        columns = values[valid].reshape(len(seen), -1).T
        filled = np.stack([np.interp(every, seen, column) for column in columns], 1)
        bridged[name] = filled.reshape(values.shape)
    return replace(track, valid=valid, **bridged)


def assert_same_motion(one: FaceTrack, other: FaceTrack, atol: float = 0.0) -> None:
    for name in SMOOTHED:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=atol, rtol=0)


def _spread(random: np.random.Generator, least: float, most: float, length_s: float) -> Doubles:
    moments = 0.5 + np.cumsum(random.uniform(least, most, int(length_s / least)))
    return moments[moments < length_s - 0.6]


def _hump(t: Doubles, at: float, length_s: float) -> Doubles:
    inside = np.abs(t - at) < 0.5 * length_s
    return np.where(inside, 0.5 + 0.5 * np.cos(2.0 * np.pi * (t - at) / length_s), 0.0)
