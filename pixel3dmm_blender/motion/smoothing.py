# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceTrack -> a calmer FaceTrack, after the fact and without lag; the raw track is never changed.

Each curve is smoothed by ``whittaker.py``, which takes away no more than the noise that the curve
itself shows, so that blinks and plosives stay. What is smoothed:

- each expression weight, kept within the range in which it was observed;
- each rotation as a quaternion, its sign chosen without flips: a mean of neighbours on the sphere
  of unit quaternions, the same whatever axes the world has;
- the middle of the face as the camera saw it: where in the picture (x / z, y / z), which is well
  measured, apart from how far away (log z), which is not. Were the head's origin smoothed instead,
  each wobble taken out of the rotation would become one of the face in the picture.

Frames without a face carry no weight and are bridged anew. What the record says of the solve
(errors, confidence) stays what it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ..wire import Camera, Doubles, FaceTrack, Floats
from .logarithm import axis_angle_from_quaternion
from .rotation import matrix_from_quaternion, quaternion_from_axis_angle, unwrap_quaternions
from .whittaker import Clock, smooth_curves

DEFAULT_STRENGTH: Final = 0.5
"""Measured on known motion with noise of 0.02, 0.2 degrees, 0.5 mm (3 mm in depth), 25 frames a second:

    strength   jitter left: weight at rest, in speech, turn, place   height kept: blink, plosive
    0.25                    0.49            0.60       0.49  0.51                 1.00   0.99
    0.5                     0.13            0.62       0.14  0.09                 0.97   0.92
    0.75                    0.01            0.66       0.14  0.05                 0.97   0.92
    1                       0.00            0.67       0.14  0.05                 0.97   0.88

The lag is below 0.1 frames throughout. At 0.5 the error to the truth falls to 0.36 at rest and to
0.97 in speech, where from 0.625 on it is larger than that of the raw track; that of a weight with
plosives alone rises to 1.07.
"""
TOLERANCE: Final = 4.0
"""How many standard errors of the noise strength 1 may take away."""
USUAL_FPS: Final = 25.0
"""Where the track does not know its own."""
FEWEST_FRAMES: Final = 3
"""With fewer there is no second difference."""
FACE_M: Final = (0.0, 0.0, 0.08)
"""The middle of the face in the head frame: what the landmarks hold in place."""
NEAREST_M: Final = 0.1
"""Nearer to the camera, or behind it, a head has no place in the picture."""


def smooth_track(track: FaceTrack, strength: float = DEFAULT_STRENGTH) -> FaceTrack:
    """Smooth expression, joints, rotation and place, with a strength of 0 (nothing) to 1."""
    seen = np.flatnonzero(track.valid)
    if strength <= 0.0 or len(seen) < FEWEST_FRAMES:
        return replace(track)
    clock, tolerance = _clock_of(track), TOLERANCE * min(strength, 1.0)
    expression = _smooth_weights(track.expression[seen], clock, tolerance)
    joints = _smooth_turns(_unwrapped(track.joint_rotation[seen]), clock, tolerance)
    measured = _unwrapped(track.rotation[seen, None])
    turns = _smooth_turns(measured, clock, tolerance)
    face = track.transl[seen] + _face_from_origin(measured)
    transl = _smooth_places(face, track.camera, clock, tolerance) - _face_from_origin(turns)
    return replace(
        track,
        expression=_bridged(track, expression),
        joint_rotation=axis_angle_from_quaternion(_unit(_bridged(track, joints))),
        rotation=axis_angle_from_quaternion(_unit(_bridged(track, turns)))[:, 0],
        transl=_bridged(track, transl),
    )


def _clock_of(track: FaceTrack) -> Clock:
    frames = track.frames[track.valid].astype(np.float64)
    step = float(np.median(np.diff(frames)))
    return Clock((frames - frames[0]) / step, (track.fps or USUAL_FPS) / step)


def _smooth_weights(weights: Floats, clock: Clock, tolerance: float) -> Doubles:
    curves = weights.astype(np.float64)
    smooth = smooth_curves(curves[:, :, None], clock, tolerance, 1)[:, :, 0]
    return np.clip(smooth, curves.min(axis=0), curves.max(axis=0))


def _smooth_turns(quaternions: Doubles, clock: Clock, tolerance: float) -> Doubles:
    return _unit(smooth_curves(quaternions, clock, tolerance, 3))


def _smooth_places(points: Doubles, camera: Camera, clock: Clock, tolerance: float) -> Doubles:
    """Smooth points [T, 3] in the world, as seen from the camera."""
    seen = camera.to_camera(points)
    if seen[:, 2].min() < NEAREST_M:
        axes = (smooth_curves(axis[:, None, None], clock, tolerance, 1) for axis in points.T)
        return np.concatenate(tuple(axes), axis=1)[:, :, 0]
    in_picture = smooth_curves((seen[:, :2] / seen[:, 2:])[:, None], clock, tolerance, 2)[:, 0]
    depth = np.exp(smooth_curves(np.log(seen[:, 2])[:, None, None], clock, tolerance, 1)[:, 0])
    smooth = np.concatenate((in_picture * depth, depth), axis=1)
    return (smooth - camera.world_to_camera[:3, 3]) @ camera.world_to_camera[:3, :3]


def _face_from_origin(quaternions: Doubles) -> Doubles:
    """[T, 3] from the head's origin to the middle of the face, in the world, by turns [T, 1, 4]."""
    return matrix_from_quaternion(quaternions[:, 0]) @ np.array(FACE_M)


def _unwrapped(turns: Floats) -> Doubles:
    """Turns [T, J, 3] as quaternions [T, J, 4] of which no step flips."""
    quaternions = quaternion_from_axis_angle(turns)
    for j in range(turns.shape[1]):
        quaternions[:, j] = unwrap_quaternions(quaternions[:, j])
    return quaternions


def _unit(quaternions: Doubles) -> Doubles:
    return quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)


def _bridged(track: FaceTrack, values: Doubles) -> Doubles:
    """Spread values [N, ...] of the valid frames over all [T, ...]: linear in gaps, held at the ends."""
    if track.valid.all():
        return values
    frames = track.frames.astype(np.float64)
    columns = values.reshape(len(values), -1).T
    bridged = [np.interp(frames, frames[track.valid], column) for column in columns]
    return np.stack(bridged, axis=-1).reshape(len(frames), *values.shape[1:])
