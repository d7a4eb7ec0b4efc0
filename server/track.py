# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the solver found in the camera's frame to a FaceTrack in the world's."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, FaceTrack, Floats

from .fit.stages import HIDDEN_RAD
from .fit.variables import View
from .heads.view import view_angles
from .rotation import vector_from_rotation
from .sight import Sighting
from .solved import Solved


def make_track(solved: Solved, sightings: tuple[Sighting, ...], valid: Bools) -> FaceTrack:
    """Express the views in a world in which the camera stands where the first valid frame has it.

    Frames without a face (not ``valid``) are bridged.
    """
    model, fitted = solved.model, solved.fitted
    views = fitted.variables.views
    moves = np.stack([_move_in_world(view, views[0]) for view in views])  # [N, 2, 3]
    bridged = bridge(valid, moves)
    deviation = solved.deviation
    to_world = np.kron(np.eye(2), views[0].rotation.T)  # rotation and translation alike
    poses = np.sqrt(np.diagonal(to_world @ deviation.pose_covariance @ to_world.T, 0, 1, 2))
    return FaceTrack(
        head=model.name,
        frames=np.array([sighting.index for sighting in sightings], np.int32),
        camera=solved.camera(),
        identity_names=model.identity_names,
        identity=fitted.variables.identity.astype(np.float32),
        expression_names=model.expression_names,
        expression=bridge(valid, np.stack([view.expression for view in views])),
        joint_names=model.joint_names,
        joint_rotation=bridge(valid, np.stack([view.joint_rotation for view in views])),
        rotation=bridged[:, 0],
        transl=bridged[:, 1],
        valid=valid,
        error_px=spread_over(valid, solved.errors_px()),
        raw_error_px=spread_over(valid, solved.raw_errors_px()),
        face_height_px=spread_over(valid, np.array([seen.face_height_px for seen in fitted.seen])),
        confidence=spread_over(valid, _confidence(sightings, views), 0.0),
        fps=sightings[0].fps,
        scale_source=solved.scale_source,
        focal_std=float(deviation.focal[0]),
        identity_std=deviation.identity.astype(np.float32),
        expression_std=spread_over(valid, deviation.expression),
        rotation_std=spread_over(valid, poses[:, :3]),
        transl_std=spread_over(valid, poses[:, 3:]),
    )


def bridge(valid: Bools, values: Doubles) -> Floats:
    """Spread values [N, ...] of the valid frames over all frames [T, ...].

    Gaps are filled linearly, the ends held.
    """
    places, everywhere = np.flatnonzero(valid), np.arange(len(valid))
    columns = [
        np.interp(everywhere, places, column) for column in values.reshape(len(values), -1).T
    ]
    return np.stack(columns, -1).reshape(len(valid), *values.shape[1:]).astype(np.float32)


def spread_over(valid: Bools, values: Doubles, elsewhere: float = np.nan) -> Floats:
    """Spread values [N, ...] of the valid frames over all frames [T, ...]."""
    spread = np.full((len(valid), *values.shape[1:]), elsewhere, np.float32)
    spread[valid] = values
    return spread


def _move_in_world(view: View, first: View) -> Doubles:
    """[2, 3] rotation vector and translation that take the first view's head to this one's, in its frame."""
    rotation = first.rotation.T @ view.rotation
    return np.stack(
        [vector_from_rotation(rotation), first.rotation.T @ (view.transl - first.transl)]
    )


def _confidence(sightings: tuple[Sighting, ...], views: tuple[View, ...]) -> Doubles:
    """The network's score, falling to 0 towards the yaw at which the landmarks are guesses."""
    scores = [sighting.landmarks.score for sighting in sightings if sighting.landmarks is not None]
    yaws = np.array([abs(view_angles(view.rotation)[0]) for view in views])
    return np.array(scores) * np.clip(1.5 * (1.0 - yaws / HIDDEN_RAD), 0.0, 1.0)
