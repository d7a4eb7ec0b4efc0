# SPDX-License-Identifier: GPL-3.0-or-later
"""FitHead: a head model as the solver uses it: its landmarks and its face, as tensors on one device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from pixel3dmm_blender.wire import Doubles

from ..heads.model import Embedding, HeadModel
from .marks import Marks, PlacedMarks, make_marks
from .points import Points
from .skeleton import Skeleton, make_skeleton
from .surface import PlacedSurface, Surface, make_surface
from .uv_table import UvTable, make_uv_table
from .variables import Bounds, Columns, View


@dataclass(frozen=True, eq=False)
class FitHead:
    """S identity and E expression components, J joints, K landmarks."""

    columns: Columns
    bounds: Bounds
    skeleton: Skeleton
    identity_sigma: Doubles
    """[S]"""
    expression_sigma: Doubles
    """[E]"""
    mirror: tuple[int, ...]
    """[E] the same expression on the other side."""
    marks: Marks
    """The 478 landmarks."""
    surface: Surface | None
    """The face, for dense maps; None where only landmarks are looked for."""
    uv_table: UvTable | None
    whole: Whole | None = None
    """Where this head was folded from; None where identity is free."""

    def placed(self, identity: Doubles, view: View) -> PlacedHead:
        """Place the head of a person [S] in one view."""
        return PlacedHead(self, identity, view)

    def folded(self, identity: Doubles) -> FitHead:
        """The head of one person: the same without identity components."""
        skeleton = self.skeleton.folded(identity)
        columns = replace(self.columns, identity_count=0)
        surface = self.surface and self.surface.folded(identity, skeleton, columns)
        return replace(
            self,
            columns=columns,
            bounds=replace(self.bounds, identity=self.bounds.identity[:0]),
            skeleton=skeleton,
            identity_sigma=self.identity_sigma[:0],
            marks=self.marks.folded(identity, skeleton, columns),
            surface=surface,
            whole=Whole(self, identity),
        )

    def marks_of(self, model: HeadModel, embedding: Embedding) -> Marks:
        """Other marks than the landmarks, on the model that this head was made from."""
        if self.whole is None:
            return make_marks(model, embedding, self.marks.parts)
        marks = self.whole.head.marks_of(model, embedding)
        return marks.folded(self.whole.identity, self.skeleton, self.columns)

    def neutral_view(self, view: View) -> View:
        """The same pose without expression, joints at rest."""
        return replace(
            view,
            expression=np.zeros(self.columns.expression_count),
            joint_rotation=np.zeros_like(self.skeleton.joints),
        )

    def landmarks(self, identity: Doubles, view: View) -> Doubles:
        """[K, 3] landmarks in the camera frame."""
        return self.marks.placed(identity, view).camera.cpu().double().numpy()


@dataclass(frozen=True, eq=False)
class Whole:
    """A head with free identity, and the identity [S] at which another one was folded."""

    head: FitHead
    identity: Doubles


@dataclass(frozen=True, eq=False)
class PlacedHead:
    """A head in one view: what the terms look at. Each part is computed when the first term asks for it."""

    head: FitHead
    identity: Doubles
    view: View

    @cached_property
    def marks(self) -> PlacedMarks:
        """The landmarks."""
        return self.head.marks.placed(self.identity, self.view)

    @cached_property
    def surface(self) -> PlacedSurface:
        """The face."""
        assert self.head.surface is not None, (
            "dense terms need a head that was made with its surface"
        )
        return self.head.surface.placed(self.identity, self.view)


def make_fit_head(
    model: HeadModel,
    *,
    dense: bool = False,
    embedding: Embedding | None = None,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> FitHead:
    """Prepare a head model for the solver.

    Args:
        model: any head.
        dense: with the face's surface, for prior maps; costs memory and a second or two.
        embedding: of the landmarks; the model's 478 where none is given.
        device: where the large sums are done.
        dtype: float64 for tests of derivatives.
    """
    skeleton = make_skeleton(model)
    columns = Columns(len(model.identity), len(model.expression), skeleton.free)
    like = _no_points(columns, skeleton, device or torch.device("cpu"), dtype)
    surface = make_surface(model, like) if dense else None
    fitted = model.expression_fitted[:, None]
    return FitHead(
        columns=columns,
        bounds=Bounds(
            identity=model.identity_bounds.astype(np.float64),
            expression=np.where(fitted, model.expression_bounds, 0.0).astype(np.float64),
            joints=skeleton.limits,
        ),
        skeleton=skeleton,
        identity_sigma=model.identity_sigma.astype(np.float64),
        expression_sigma=model.expression_sigma.astype(np.float64),
        mirror=tuple(int(index) for index in model.expression_mirror),
        marks=make_marks(model, embedding or model.landmarks_478, like),
        surface=surface,
        uv_table=make_uv_table(model, surface) if surface else None,
    )


def _no_points(
    columns: Columns, skeleton: Skeleton, device: torch.device, dtype: torch.dtype
) -> Points:
    """Points that only lend device, dtype, skeleton and columns to those made beside them."""
    count = columns.identity_count + columns.expression_count
    empty = torch.zeros(0, 3, count, device=device, dtype=dtype)
    skin = torch.zeros(0, len(skeleton.parents), device=device, dtype=dtype)
    return Points(empty[..., 0], empty, skin, skeleton, columns)
