# SPDX-License-Identifier: GPL-3.0-or-later
"""FitVariables: what is optimised, and how a step moves it.

Every view (photo or frame) has its own pose, camera and expression; identity is shared, and in a clip the camera too.
The derivative of one view has P columns, in this order:

    camera 3        log focal; principal point x, y in pixels
    rotation 3      radians, a left increment: R <- exp(w) R
    transl 3        metres; z is divided by the focal length, so that a step of log focal keeps the size in the picture
    joints 3 J'     axis-angle of the joints that may turn
    identity S
    expression E
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from ..rotation import rotation_from_vector

FOCAL = 0
CENTER = slice(1, 3)
CAMERA = slice(0, 3)
ROTATION = slice(3, 6)
TRANSL = slice(6, 9)
POSE_COUNT = 9
"""Columns of camera, rotation and translation."""


@dataclass(frozen=True, eq=False)
class View:
    """Pose (head -> camera), camera, expression and joints of one picture."""

    rotation: Doubles
    """[3, 3]"""
    transl: Doubles
    """[3] metres"""
    focal_px: float
    expression: Doubles
    """[E]"""
    center_px: Doubles
    """[2] principal point."""
    joint_rotation: Doubles
    """[J, 3] axis-angle, radians."""

    def to_camera(self, points: Doubles) -> Doubles:
        """Points [N, 3] of the head frame in the camera frame."""
        return points @ self.rotation.T + self.transl


@dataclass(frozen=True, eq=False)
class FitVariables:
    """Identity [S] of one person, and the views of it."""

    identity: Doubles
    views: tuple[View, ...]


@dataclass(frozen=True, eq=False)
class Columns:
    """Which column of a view's derivative is what. S identity, E expression components; the joints that may turn."""

    identity_count: int
    expression_count: int
    joints: tuple[int, ...]

    @property
    def joint_columns(self) -> slice:
        """Columns of the axis-angle vectors, three for each joint."""
        return slice(POSE_COUNT, POSE_COUNT + 3 * len(self.joints))

    @property
    def identity(self) -> slice:
        """Columns of identity."""
        start = self.joint_columns.stop
        return slice(start, start + self.identity_count)

    @property
    def expression(self) -> slice:
        """Columns of expression."""
        start = self.identity.stop
        return slice(start, start + self.expression_count)

    @property
    def count(self) -> int:
        """P."""
        return self.expression.stop

    def shared(self, shared_camera: bool) -> Ints:
        """Columns that all views have in common."""
        identity = np.arange(self.identity.start, self.identity.stop)
        return np.concatenate([np.arange(CAMERA.stop if shared_camera else 0), identity]).astype(
            np.int32
        )

    def local(self, shared_camera: bool) -> Ints:
        """Columns that are a view's own."""
        return np.setdiff1d(np.arange(self.count), self.shared(shared_camera)).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Bounds:
    """How far the bounded variables may go."""

    identity: Doubles
    """[S, 2]"""
    expression: Doubles
    """[E, 2]; both the same where the solver leaves a component alone."""
    joints: Doubles
    """[J, 3, 2] radians"""

    def moved(self, view: View, step: Doubles, columns: Columns) -> View:
        """Apply a step [P] to a view; what has bounds stays within them."""
        stretch = float(np.exp(np.clip(step[FOCAL], -0.5, 0.5)))
        transl = view.transl + step[TRANSL]
        transl[2] = max(transl[2], 0.05) * stretch
        joints = view.joint_rotation.copy()
        if columns.joints:
            joints[list(columns.joints)] += step[columns.joint_columns].reshape(-1, 3)
            joints = np.clip(joints, self.joints[..., 0], self.joints[..., 1])
        expression = view.expression + step[columns.expression]
        return replace(
            view,
            rotation=rotation_from_vector(step[ROTATION]) @ view.rotation,
            transl=transl,
            focal_px=view.focal_px * stretch,
            center_px=view.center_px + step[CENTER],
            joint_rotation=joints,
            expression=np.clip(expression, self.expression[:, 0], self.expression[:, 1]),
        )

    def moved_identity(self, identity: Doubles, step: Doubles) -> Doubles:
        """Apply a step [S] to identity."""
        return np.clip(identity + step, self.identity[:, 0], self.identity[:, 1])

    def leaving(self, identity: Doubles, view: View, step: Doubles, columns: Columns) -> Bools:
        """[P] where a variable stands at a bound and the step leads outwards."""
        held = np.zeros(columns.count, bool)
        turned = view.joint_rotation[list(columns.joints)].reshape(-1)
        limits = self.joints[list(columns.joints)].reshape(-1, 2)
        for where, values, bounds in (
            (columns.identity, identity, self.identity),
            (columns.expression, view.expression, self.expression),
            (columns.joint_columns, turned, limits),
        ):
            at_low = (values <= bounds[:, 0]) & (step[where] < 0)
            at_high = (values >= bounds[:, 1]) & (step[where] > 0)
            held[where] = at_low | at_high
        return held
