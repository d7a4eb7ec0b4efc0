# SPDX-License-Identifier: GPL-3.0-or-later
"""The change of basis between wire and Blender: points, rotations, cameras. Here alone axes turn.

Wire: x to the subject's left, y up, z out of the face; camera frames are OpenCV's (x right, y down,
z forward). Blender: x to the subject's left, z up, the nose points to -y; cameras look along their
own -z with y up. Both are metres and right-handed, so the change is one rotation: a quarter turn
about x.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np

from ..wire import Camera, Doubles, Floats

Points = TypeVar("Points", Floats, Doubles)

TO_BLENDER: Final[Doubles] = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
_FROM_OPENCV: Final[Doubles] = np.diag([1.0, -1.0, -1.0, 1.0])


def points_to_blender(points: Points) -> Points:
    """Turn wire points or axis-angle vectors [..., 3] to Blender's axes; exact."""
    turned = np.empty_like(points)
    turned[..., 0], turned[..., 1], turned[..., 2] = points[..., 0], -points[..., 2], points[..., 1]
    return turned


def points_from_blender(points: Points) -> Points:
    """Undo points_to_blender."""
    turned = np.empty_like(points)
    turned[..., 0], turned[..., 1], turned[..., 2] = points[..., 0], points[..., 2], -points[..., 1]
    return turned


def rotations_to_blender(rotations: Doubles) -> Doubles:
    """Express wire rotation matrices [..., 3, 3] in Blender's axes."""
    return TO_BLENDER @ rotations @ TO_BLENDER.T


def camera_to_blender(camera: Camera) -> Doubles:
    """Find the matrix [4, 4] that places a Blender camera where the wire's camera stands."""
    rotation = camera.world_to_camera[:3, :3]
    placed = np.eye(4)
    placed[:3, :3] = TO_BLENDER @ rotation.T
    placed[:3, 3] = -TO_BLENDER @ rotation.T @ camera.world_to_camera[:3, 3]
    return placed @ _FROM_OPENCV


def camera_from_blender(matrix_world: Doubles) -> Doubles:
    """Find the wire's world_to_camera [4, 4] of a Blender camera without scale."""
    placed = np.asarray(matrix_world, np.float64) @ _FROM_OPENCV
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = placed[:3, :3].T @ TO_BLENDER
    world_to_camera[:3, 3] = -placed[:3, :3].T @ placed[:3, 3]
    return world_to_camera
