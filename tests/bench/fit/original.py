# SPDX-License-Identifier: GPL-3.0-or-later
"""Adam on an energy and a schedule like the original's (Pixel3DMM's tracker), written from its published description.

At 256 px. Camera: 500 iterations on landmarks, then on the UV points of the average face. Everything: 200 or 800
iterations of

    2000 . 100 . mean[((q_i - p_i) / 256)^2 . gates]         p_i: nearest UV neighbour of vertex i; gates: UV distance,
                                                             20 px, visibility
    2000 . 100 . mean[(uv_pred - uv_drawn)^2]                over the pixels of the map
    1000 . mean[|n_pred - n_drawn| . (mean|.| < 0.33)]
    0.05 sum e^2 + 0.25 sum c^2 + 0.01 sum (6D - identity)^2 of jaw and eyes

Left out: silhouette, eye landmarks and the mirror (the sized head has none), and MICA's identity (the mean is 0). The
mesh is drawn anew every tenth iteration, not in each: our z-buffer is slower than theirs; in between a pixel keeps
its triangle, and what it sees of it is differentiated exactly. All that makes this rival faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from pixel3dmm_blender.wire import Doubles
from server.fit.surface import Surface
from server.fit.variables import FitVariables, View
from server.heads.view import view_rotation
from server.raster import rasterise

from .cases import Photo, Studio
from .leaves import Leaves, PlainHead
from .objective import vertex_normals

SIDE = 256
FOCAL = 2000 / 512
"""In sides of the picture: where the original starts."""
CAMERA_STEPS, CAMERA_FALL = 500, 375
REDRAWN = 10
"""Iterations for which a drawing serves."""
UV_GATE, PIXEL_GATE, DEPTH_GATE_M, NORMAL_GATE = 0.01, 20.0, 0.01, 0.33
"""UV distance in heights of the face (sqrt(5e-5) in the original's layout, where the face is 0.71 high)."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """The face as it was drawn: P pixels and the triangles in them."""

    rays: Tensor
    """[P, 2] the pixels' centres."""
    triangle: Tensor
    """[P, 3] vertices."""
    uv: Tensor
    """[P, 3, 2] at the triangles' corners."""
    wanted_uv: Tensor
    """[P, 2]"""
    wanted_normals: Tensor
    """[P, 3]"""
    visible: Tensor
    """[N] vertices that the drawing shows, 0 or 1."""


@dataclass(frozen=True, eq=False)
class Original:
    """One photo's energy as the original has it."""

    studio: Studio
    photo: Photo
    plain: PlainHead

    def camera_cost(self, leaves: Leaves, iteration: int) -> Tensor:
        """The energy of the camera's stage: landmarks first, then UV points."""
        if iteration < CAMERA_STEPS // 2:
            away = (self._project(leaves, self._landmarks(leaves)) - self.landmarks_px) / SIDE
            return 3000 * away.square().mean()
        away = (self._project(leaves, self.plain.posed(leaves)) - self.neighbours[0]) / SIDE
        return 1000 * (away * self.neighbours[1][:, None]).abs().mean()

    def cost(self, leaves: Leaves, drawing: Drawing) -> Tensor:
        """The energy of everything."""
        head = self.plain.posed(leaves)
        away = self._project(leaves, head) - self.neighbours[0]
        gates = self.neighbours[1] * (away.abs().sum(1) < PIXEL_GATE) * drawing.visible
        points = (away / SIDE * gates[:, None]).square().mean()
        weights = self._weights(leaves, head, drawing)
        uv = (weights[..., None] * drawing.uv).sum(1) - drawing.wanted_uv
        normals = vertex_normals(head, self.surface.triangles)[drawing.triangle]
        off = (weights[..., None] * normals).sum(1) - drawing.wanted_normals
        near = off.abs().mean(1, keepdim=True) < NORMAL_GATE
        pixels = SIDE * SIDE
        return (
            2e5 * points
            + 2e5 * uv.square().sum() / (2 * pixels)
            + 1e3 * (off * near).abs().sum() / (3 * pixels)
            + 0.05 * leaves.expression.square().sum()
            + 0.25 * leaves.identity.square().sum()
            + 0.01 * 2 * leaves.joints.square().sum()  # of 6D, to second order
        )

    def draw(self, leaves: Leaves) -> Drawing:
        """Draw the face as it stands."""
        with torch.no_grad():
            camera = self._camera(leaves, self.plain.posed(leaves))
            points = self._project(leaves, self.plain.posed(leaves))
        depth, corners = camera[:, 2].double().numpy(), self.surface.triangles.numpy()
        drawn = rasterise(points.double().numpy(), depth, corners, (SIDE, SIDE))
        shown = (drawn.triangle >= 0) & self.known
        rows, columns = np.nonzero(shown)
        triangle = drawn.triangle[shown]
        at = np.clip(points.numpy().astype(int), 0, SIDE - 1)
        behind = depth > drawn.depth[at[:, 1], at[:, 0]] + DEPTH_GATE_M
        return Drawing(
            rays=self._tensor(np.stack([columns + 0.5, rows + 0.5], 1)),
            triangle=self.surface.triangles[torch.as_tensor(triangle).long()],
            uv=self._tensor(self.corner_uv[triangle]),
            wanted_uv=self._tensor(self.photo.maps.uv[::2, ::2][shown]),
            wanted_normals=self._tensor(self.photo.maps.normals[::2, ::2][shown]),
            visible=self._tensor(~behind),
        )

    @property
    def surface(self) -> Surface:
        """The face."""
        assert self.studio.head.surface is not None, "the studio's head is dense"
        return self.studio.head.surface

    @cached_property
    def known(self):
        """[256, 256] where the maps say something."""
        return self.photo.maps.confidence[::2, ::2] > 0

    @cached_property
    def corner_uv(self) -> Doubles:
        """[T, 3, 2] of the triangles' corners."""
        return self.studio.model.uv[0][self.surface.corners].astype(np.float64)

    @cached_property
    def landmarks_px(self) -> Tensor:
        """[68, 2] at 256 px."""
        return self._tensor(self.photo.landmarks_68 / 2)

    @cached_property
    def neighbours(self) -> tuple[Tensor, Tensor]:
        """[N, 2] where each vertex's nearest UV neighbour was seen, and whether it is near enough [N]."""
        uv = np.empty((self.surface.points.count, 2))
        uv[self.surface.triangles.numpy().ravel()] = self.corner_uv.reshape(-1, 2)
        rows, columns = np.nonzero(self.known)
        away, nearest = cKDTree(self.photo.maps.uv[::2, ::2][self.known]).query(uv)
        height = np.ptp(uv[:, 1])
        px = np.stack([columns[nearest] + 0.5, rows[nearest] + 0.5], 1)
        return self._tensor(px), self._tensor(away < UV_GATE * height)

    def _landmarks(self, leaves: Leaves) -> Tensor:
        """[68, 3] of the average face; the camera's stage moves nothing else."""
        del leaves
        embedding, model = self.studio.model.landmarks_68, self.studio.model
        points = np.einsum("km,kmc->kc", embedding.weights, model.template[embedding.vertices])
        return self._tensor(points)

    def _weights(self, leaves: Leaves, head: Tensor, drawing: Drawing) -> Tensor:
        """[P, 3] barycentric: where the pixels' rays meet the planes of their triangles."""
        corners = self._camera(leaves, head)[drawing.triangle]  # [P, 3, 3]
        flat = (drawing.rays - SIDE / 2) / (self.plain.focal(leaves))
        rays = torch.cat([flat, torch.ones_like(flat[:, :1])], 1)
        a, b, c = corners.unbind(1)
        volumes = [torch.linalg.cross(p, q) for p, q in ((b, c), (c, a), (a, b))]
        parts = torch.stack([(rays * volume).sum(1) for volume in volumes], 1)
        return parts / parts.sum(1, keepdim=True)

    def _camera(self, leaves: Leaves, points: Tensor) -> Tensor:
        return points @ self.plain.rotation(leaves).T + self.plain.transl(leaves)

    def _project(self, leaves: Leaves, points: Tensor) -> Tensor:
        camera = self._camera(leaves, points)
        return self.plain.focal(leaves) * camera[:, :2] / camera[:, 2:] + SIDE / 2

    def _tensor(self, values) -> Tensor:
        return torch.as_tensor(np.asarray(values, np.float32))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run found and how long it took, the camera's stage included."""

    variables: FitVariables
    seconds: float


def run_original(studio: Studio, photo: Photo, steps: int) -> Outcome:
    """Fit one photo: the camera first, then everything."""
    start = _start(studio)
    original = Original(studio, photo, PlainHead(studio.head, start))
    identity = np.zeros(studio.head.columns.identity_count)
    leaves = original.plain.leaves(FitVariables(identity, (start,)))
    began = time.process_time()
    camera = torch.optim.Adam(
        [_group(leaves.shift, 1e-3), _group(leaves.turn, 5e-3), _group(leaves.log_focal, 5e-3)]
    )
    fall = torch.optim.lr_scheduler.MultiStepLR(camera, [CAMERA_FALL])
    for iteration in range(CAMERA_STEPS):
        _step(camera, leaves, lambda i=iteration: original.camera_cost(leaves, i))
        fall.step()
    everything = torch.optim.Adam(
        [
            _group(leaves.shift, 1e-3),
            _group(leaves.turn, 5e-3),
            _group(leaves.joints, 5e-3),
            _group(leaves.expression, 5e-3),
            _group(leaves.identity, 2e-3),
        ]
    )
    drawing = original.draw(leaves)
    for iteration in range(steps):
        drawing = original.draw(leaves) if iteration % REDRAWN == 0 else drawing
        _step(everything, leaves, lambda d=drawing: original.cost(leaves, d))
        original.plain.clamp(leaves)
    return Outcome(original.plain.variables(leaves), time.process_time() - began)


def _start(studio: Studio) -> View:
    """Frontal, one metre away."""
    assert studio.head.surface is not None, "the studio's head is dense"
    middle = studio.head.surface.points.template.mean(0).double().numpy()
    rotation = view_rotation(0.0, 0.0)
    return View(
        rotation=rotation,
        transl=np.array([0.0, 0.0, 1.0]) - rotation @ middle,
        focal_px=FOCAL * SIDE,
        expression=np.zeros(studio.head.columns.expression_count),
        center_px=np.full(2, SIDE / 2),
        joint_rotation=np.zeros_like(studio.head.skeleton.joints),
    )


def _group(leaf: Tensor, rate: float) -> dict[str, object]:
    return {"params": [leaf], "lr": rate}


def _step(adam: torch.optim.Adam, leaves: Leaves, energy: Callable[[], Tensor]) -> None:
    for leaf in leaves.all():
        leaf.grad = None
    energy().backward()
    adam.step()
