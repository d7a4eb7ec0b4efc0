# SPDX-License-Identifier: GPL-3.0-or-later
"""A FitHead that is a cloud of landmarks of a face's size, with smooth random components: small, float64."""

from __future__ import annotations

import numpy as np
import torch

from pixel3dmm_blender.wire import Doubles
from server.fit.head import FitHead
from server.fit.marks import Marks
from server.fit.points import Points
from server.fit.skeleton import Skeleton
from server.fit.variables import Bounds, Columns

LANDMARKS, SHAPES, EXPRESSIONS = 478, 12, 8
RIGHT_PUPIL, LEFT_PUPIL = 468, 473


def make_cloud_head(rng: np.random.Generator) -> FitHead:
    """Draw one: 478 landmarks, 12 identity and 8 expression components, one joint that rests."""
    template = rng.normal(size=(LANDMARKS, 3)) * [0.045, 0.07, 0.03]
    template[10], template[152] = [0, 0.1, 0.05], [0, -0.1, 0.05]
    template[RIGHT_PUPIL], template[LEFT_PUPIL] = [-0.031, 0.02, 0.05], [0.031, 0.02, 0.05]
    basis = np.concatenate(
        [waves(rng, template, SHAPES, 0.002), waves(rng, template, EXPRESSIONS, 0.005)]
    )
    limits = np.zeros((1, 3, 2))
    skeleton = Skeleton(np.zeros((1, 3)), np.zeros((SHAPES, 1, 3)), (-1,), limits, np.eye(1))
    columns = Columns(SHAPES, EXPRESSIONS, ())
    parts = Points(
        torch.from_numpy(template),
        torch.from_numpy(np.moveaxis(basis, 0, -1).copy()),
        torch.ones(LANDMARKS, 1, dtype=torch.float64),
        skeleton,
        columns,
    )
    share = torch.ones(LANDMARKS, dtype=torch.float64)
    return FitHead(
        columns=columns,
        bounds=Bounds(
            np.tile([-3.0, 3.0], (SHAPES, 1)), np.tile([0.0, 1.0], (EXPRESSIONS, 1)), limits
        ),
        skeleton=skeleton,
        identity_sigma=np.ones(SHAPES),
        expression_sigma=np.full(EXPRESSIONS, 0.2),
        mirror=(1, 0, 2, 3, 4, 5, 6, 7),
        marks=Marks(parts, torch.arange(LANDMARKS), share, LANDMARKS),
        surface=None,
        uv_table=None,
    )


def waves(rng: np.random.Generator, points: Doubles, count: int, size_m: float) -> Doubles:
    """Smooth random displacement fields [count, N, 3]."""
    phase = rng.normal(size=(count, 3, 3)) * 20
    turn = rng.normal(size=(count, 1, 3))
    return size_m * np.sin(np.einsum("kc,ncd->nkd", points, phase) + turn)
