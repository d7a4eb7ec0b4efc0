# SPDX-License-Identifier: GPL-3.0-or-later
"""The three operators by which the face mesh looks twice at lips and eyes.

The mesh's own first guess of a group of landmarks gives a turned bounding box; the feature map under it is cut out, a
small head refines the landmarks there, and they are brought back. Coordinates are pixels of the feature map with the
centre of the first pixel at (0.5, 0.5). Semantics: MediaPipe's operators of the same names (Apache-2.0), version 2.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .tflite import Patch


def landmarks_to_matrix(points: Tensor, patch: Patch) -> Tensor:
    """Landmarks [B, K, 3] -> the affine [B, 4, 4] from patch pixels to feature-map pixels.

    Bounding box of ``patch.landmarks`` in the frame where ``patch.horizon`` is level, enlarged by ``patch.scale``.
    """
    left, right = points[:, patch.horizon[0], :2], points[:, patch.horizon[1], :2]
    slope = right - left
    angle = torch.atan2(slope[:, 1], slope[:, 0]) - patch.target_rad  # [B]
    axis_x = torch.stack((angle.cos(), angle.sin()), -1)  # [B, 2] of the patch, in the feature map
    axis_y = torch.stack((-angle.sin(), angle.cos()), -1)
    axes = torch.stack((axis_x, axis_y), -1)  # [B, 2, 2], columns
    level = points[:, list(patch.landmarks), :2] @ axes  # [B, n, 2]
    low, high = level.amin(1), level.amax(1)
    center = (axes @ ((low + high) / 2).unsqueeze(-1)).squeeze(-1)
    rows, columns = patch.size
    step = (high - low) * points.new_tensor(
        [patch.scale[0] / columns, patch.scale[1] / rows]
    )  # [B, 2]
    matrix = torch.eye(4, dtype=points.dtype, device=points.device).repeat(len(points), 1, 1)
    matrix[:, :2, :2] = axes * step.unsqueeze(1)
    half = points.new_tensor([columns / 2, rows / 2])
    matrix[:, :2, 3] = center - matrix[:, :2, :2] @ half
    return matrix


def transform_tensor(features: Tensor, matrix: Tensor, patch: Patch) -> Tensor:
    """Cut patches out of features [B, C, H, W] by matrix [B, 4, 4], bilinearly; zero where the centre lies outside."""
    (rows, columns), (height, width) = patch.size, features.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(rows, dtype=features.dtype, device=features.device) + 0.5,
        torch.arange(columns, dtype=features.dtype, device=features.device) + 0.5,
        indexing="ij",
    )
    grid = torch.stack((x, y), -1).reshape(1, -1, 2)
    places = (
        grid @ matrix[:, :2, :2].transpose(1, 2) + matrix[:, None, :2, 3] - 0.5
    )  # [B, rows*columns, 2]
    last = features.new_tensor([width - 1, height - 1])
    inside = ((places >= 0) & (places <= last)).all(-1).reshape(-1, 1, rows, columns)
    places = (places / last * 2 - 1).reshape(-1, rows, columns, 2)
    return functional.grid_sample(features, places, align_corners=True) * inside


def transform_landmarks(points: Tensor, matrix: Tensor) -> Tensor:
    """Bring points [B, K, 2] of a patch back to the feature map."""
    return points @ matrix[:, :2, :2].transpose(1, 2) + matrix[:, None, :2, 3]
