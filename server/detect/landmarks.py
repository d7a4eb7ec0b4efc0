# SPDX-License-Identifier: GPL-3.0-or-later
"""Square around a face -> 478 landmarks in source pixels, how sure each is, and whether it is a face at all.

The mesh network's answer depends a little on how the crop lies (1.2-1.8 % of the inter-ocular distance, measured). So
the crop is first moved to where the landmarks say the face is, twice, then the mean over jittered crops is taken:
0.4-0.6 % (measured), and what scatters tells which points to trust. Half of them are mirrored: the network sees a face
and its mirror image 0.2-1.3 % apart (measured), which cancels in the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Doubles

from .crop import Picture, Square, cut_squares
from .executor import Network
from .topology import (
    COUNT,
    LEFT_EYE_REGION,
    LEFT_IRIS,
    LEFT_LID_LOWER,
    LIPS,
    MESH_COUNT,
    MIRROR,
    RIGHT_EYE_REGION,
    RIGHT_IRIS,
    RIGHT_LID_LOWER,
)

FACE_SCORE = 0.9
"""Below this it is no face. Measured: frontal faces score above 0.99, a man in profile 0.95, most of what the detector
mistakes for a face below 0.85; but a few knots and folds reach 0.92, one 0.999."""
FACE_UNREST = 0.03
"""Above this it is no face. Measured: faces 0.006-0.018, half covered or behind sun glasses up to 0.027; those knots
and folds 0.034 and more, because every crop shows the network another face in them."""
MARGIN = 1.5
"""Side of the crop over the face's longer side, as the network was trained."""
REFINEMENTS = 2
"""How often the crop follows the landmarks; a face turned by 90 degrees needs two (measured)."""
JITTERS = 8
BATCH = 16
"""Crops per run of the network; more only costs memory."""


@dataclass(frozen=True, eq=False)
class FaceLandmarks:
    """Landmarks of one face in one frame."""

    points_px: Doubles
    """[478, 2] source pixels, centre of the first pixel at (0.5, 0.5); order of ``topology``."""
    spread_px: Doubles
    """[478] standard deviation (both axes together) over the jittered crops."""
    score: float
    """The mesh network's own belief that this is a face, 0..1."""
    square: Square
    """The square that the next frame's search can start from."""

    @property
    def interocular_px(self) -> float:
        """Distance between the iris centres."""
        return float(np.linalg.norm(self.points_px[RIGHT_IRIS[0]] - self.points_px[LEFT_IRIS[0]]))

    @property
    def size_px(self) -> float:
        """Longer side of the landmarks' bounding box, eyes level."""
        return self.square.side / MARGIN

    @property
    def unrest(self) -> float:
        """Mean spread over the size of the face; 0 where only one crop was read."""
        return float(self.spread_px.mean()) / self.size_px

    @property
    def is_face(self) -> bool:
        """Whether the network believes in it, and sees the same face whatever the crop."""
        return self.score >= FACE_SCORE and self.unrest <= FACE_UNREST


@dataclass(frozen=True, eq=False)
class MeshReading:
    """What the network said about N crops."""

    points: Doubles
    """[N, 478, 2] crop coordinates 0..1."""
    scores: Doubles
    """[N] 0..1."""

    def joined(self, other: MeshReading) -> MeshReading:
        """Both, one after the other."""
        return MeshReading(
            np.concatenate([self.points, other.points]), np.concatenate([self.scores, other.scores])
        )


def find_landmarks(
    picture: Picture,
    square: Square,
    mesh: Network,
    *,
    jitters: int = JITTERS,
    refinements: int = REFINEMENTS,
) -> FaceLandmarks:
    """Find the landmarks of the face that ``square`` roughly frames. The caller judges whether it is one."""
    for _ in range(refinements):
        reading = read_mesh(picture, [square], mesh)
        square = frame_face(square.to_source(reading.points[0]))
    squares = jitter(square, jitters)
    plain, mirrored = squares[::2], squares[1::2]
    reading = read_mesh(picture, plain, mesh)
    if mirrored:
        reading = reading.joined(read_mesh(picture, mirrored, mesh, mirrored=True))
    squares = plain + mirrored
    points = np.stack(
        [part.to_source(found) for part, found in zip(squares, reading.points, strict=True)]
    )
    mean = points.mean(0)
    spread = np.sqrt(((points - mean) ** 2).sum(-1).mean(0))
    return FaceLandmarks(mean, spread, float(reading.scores.mean()), frame_face(mean))


def read_mesh(
    picture: Picture, squares: Sequence[Square], mesh: Network, *, mirrored: bool = False
) -> MeshReading:
    """Run the mesh network on squares of a picture, or on their mirror images; the points are those of the picture."""
    crops = cut_squares(picture, squares, mesh.side, extend=True)
    if mirrored:
        crops = torch.flip(crops, (-1,))
    parts = [_read_crops(crops[i : i + BATCH], mesh) for i in range(0, len(crops), BATCH)]
    points = np.concatenate([part.points for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    if mirrored:
        points = points[:, list(MIRROR)]
        points[..., 0] = 1.0 - points[..., 0]
    return MeshReading(points, scores)


def frame_face(points_px: Doubles) -> Square:
    """Frame landmarks [478, 2] with the square that the network expects: eyes level, margin around the longer side."""
    slope = points_px[LEFT_LID_LOWER[0]] - points_px[RIGHT_LID_LOWER[0]]
    angle = math.atan2(slope[1], slope[0])
    axes = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    level = points_px @ axes
    low, high = level.min(0), level.max(0)
    center = axes @ ((low + high) / 2)
    return Square(float(center[0]), float(center[1]), float((high - low).max()) * MARGIN, angle)


def jitter(square: Square, count: int) -> list[Square]:
    """Vary a square by up to +-4 % in place, +-6 % in size and +-5 degrees; the mean is the square itself.

    Eight are a fraction of the 2^5 factorial design (right, down, scale, turn, and every other one mirrored): each
    factor is balanced and uncorrelated with every other. Four are still balanced; one alone is the square as it is.
    """
    if count <= 1:
        return [square]
    varied: list[Square] = []
    for i in range(count):
        mirror, down, half = 1 - 2 * (i & 1), 1 - (i & 2), 1 - ((i & 4) >> 1)
        scale, right, turn = mirror * down, mirror * down * half, down * half
        reach = 1.0 / (1 + i // 8)
        shift = 0.04 * reach
        grown = 1.06 ** (scale * reach)
        varied.append(
            square.moved(shift * right, shift * down, grown, math.radians(5.0) * turn * reach)
        )
    return varied


def _read_crops(crops: Tensor, mesh: Network) -> MeshReading:
    """Merge the mesh and what the attention heads say about lips, eyes and irises."""
    count = len(crops)
    values = [output.cpu().double().reshape(count, -1) for output in mesh.run(crops)]
    dense, lips, right_eye, left_eye, right_iris, left_iris, flag = values
    points = torch.empty(count, COUNT, 2, dtype=torch.float64)
    points[:, :MESH_COUNT] = dense.reshape(-1, MESH_COUNT, 3)[..., :2]
    refined = (
        (LIPS, lips),
        (RIGHT_EYE_REGION, right_eye),
        (LEFT_EYE_REGION, left_eye),
        (RIGHT_IRIS, right_iris),
        (LEFT_IRIS, left_iris),
    )
    for indices, part in refined:
        points[:, list(indices)] = part.reshape(count, -1, 2)
    return MeshReading(points.numpy() / mesh.side, torch.sigmoid(flag[:, 0]).numpy())
