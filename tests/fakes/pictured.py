# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawn scene as the solver meets it: head, observation, and the variables that are the truth; and differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from pixel3dmm_blender.wire import Doubles
from server.fit.backdrop import Backdrop, make_backdrop
from server.fit.energy import ViewTerm
from server.fit.head import FitHead, PlacedHead, make_fit_head
from server.fit.observation import Focal, Observation
from server.fit.pixels import make_pixels
from server.fit.variables import CENTER, FOCAL, ROTATION, TRANSL, Bounds, Columns, View
from server.heads.model import HeadModel
from server.heads.view import view_rotation
from server.rotation import rotation_from_vector
from tests.truth.render import Truth, render_truth
from tests.truth.scene import Scene, draw_scene

from .head import make_fake_head

TURNING = ("jaw", "eye_L", "eye_R")
EXPRESSIVE = 51
"""A seed with which the fake head smiles broadly, its jaw open and its eyes turned."""
STEP, STEP_PX = 1e-6, 1e-3
"""Of differences: radians, metres, coefficients; pixels of the principal point."""


@dataclass(frozen=True, eq=False)
class Pictured:
    """One scene, exact."""

    head: FitHead
    scene: Scene
    truth: Truth
    seen: Observation
    backdrop: Backdrop
    identity: Doubles
    view: View

    def placed(self) -> PlacedHead:
        """The head where it is."""
        return self.head.placed(self.identity, self.view)

    def cost(self, term: ViewTerm, widening: float = 1.0) -> Doubles:
        """Cost of a term here."""
        return np.array(term.evaluate(self.placed(), widening).cost)

    def gradient(self, term: ViewTerm, widening: float = 1.0) -> Doubles:
        """Gradient [P] of a term here."""
        return term.evaluate(self.placed(), widening).gradient

    def matrix(self, term: ViewTerm, widening: float = 1.0) -> Doubles:
        """Gauss-Newton matrix [P, P] of a term here."""
        return term.evaluate(self.placed(), widening).matrix(True)

    def folded(self) -> Pictured:
        """The same with identity folded into the head."""
        return replace(self, head=self.head.folded(self.identity), identity=np.zeros(0))

    def calm(self) -> Pictured:
        """The same camera before a head that looks into it, at rest."""
        view = self.head.neutral_view(replace(self.view, rotation=view_rotation(0.3, 0.0)))
        return replace(self, view=view)

    def off(self, rng: np.random.Generator, turn_rad: float = 0.03) -> Pictured:
        """The same picture, and variables that are not the truth: everything is a little off, every joint turned."""
        view, columns = self.view, self.head.columns
        turns = np.zeros_like(view.joint_rotation)
        turns[list(columns.joints)] = rng.uniform(0.1, 0.3, (len(columns.joints), 3))
        return replace(
            self,
            identity=0.5 * self.identity + rng.uniform(-0.3, 0.3, len(self.identity)),
            view=replace(
                view,
                rotation=rotation_from_vector(rng.normal(0.0, turn_rad, 3)) @ view.rotation,
                transl=view.transl + np.array([0.008, -0.004, 0.01]),
                focal_px=view.focal_px * 1.02,
                center_px=view.center_px + np.array([2.0, -1.0]),
                expression=rng.uniform(0.1, 0.5, len(view.expression)),
                joint_rotation=turns,
            ),
        )


def make_turning_head() -> HeadModel:
    """The fake head with a jaw and eyes that the solver may turn about every axis."""
    model = make_fake_head()
    limits = np.zeros((len(model.joint_names), 3, 2), np.float32)
    limits[[model.joint_names.index(name) for name in TURNING]] = (-0.8, 0.8)
    return replace(model, joint_limits=limits)


def picture(
    model: HeadModel,
    *,
    seed: int = EXPRESSIVE,
    yaw: float = 0.4,
    size: int = 256,
    dtype: torch.dtype = torch.float64,
) -> Pictured:
    """Draw a scene and look at it with perfect networks."""
    scene = draw_scene(model, np.random.default_rng(seed), yaw=yaw, pitch=0.1, size=size)
    truth = render_truth(scene)
    head = make_fit_head(model, dense=True, dtype=dtype)
    return Pictured(
        head=head,
        scene=scene,
        truth=truth,
        seen=observe(head, scene, truth),
        backdrop=make_backdrop(truth.maps),
        identity=scene.identity.astype(np.float64),
        view=true_view(scene),
    )


def observe(head: FitHead, scene: Scene, truth: Truth) -> Observation:
    """What perfect networks say of a scene: all landmarks, every pixel."""
    assert head.uv_table is not None
    assert head.surface is not None
    count = len(truth.landmarks_478)
    return Observation(
        points_px=truth.landmarks_478,
        weights=np.ones(count),
        width=scene.size,
        height=scene.size,
        focal=Focal(scene.focal_px, 0.1, "user"),
        bias_px=np.zeros((count, 2)),
        pixels=make_pixels(truth.maps, head.uv_table, head.surface),
    )


def true_view(scene: Scene) -> View:
    """The variables that made the picture."""
    return View(
        rotation=scene.rotation,
        transl=scene.transl,
        focal_px=scene.focal_px,
        expression=scene.expression.astype(np.float64),
        center_px=scene.center_px,
        joint_rotation=scene.joint_rotation,
    )


def blocks(columns: Columns) -> dict[str, slice]:
    """Columns by their names."""
    return {
        "focal": slice(FOCAL, FOCAL + 1),
        "centre": CENTER,
        "rotation": ROTATION,
        "transl": TRANSL,
        "joints": columns.joint_columns,
        "identity": columns.identity,
        "expression": columns.expression,
    }


def step_of(columns: Columns, column: int) -> Doubles:
    """A small step [P] along one column."""
    step = np.zeros(columns.count)
    step[column] = STEP_PX if CENTER.start <= column < CENTER.stop else STEP
    return step


def moved(at: Pictured, step: Doubles) -> Pictured:
    """Apply a step [P]; nothing has bounds."""
    columns = at.head.columns

    def open_bounds(*shape: int) -> Doubles:
        return np.broadcast_to([-np.inf, np.inf], (*shape, 2))

    bounds = Bounds(
        identity=open_bounds(columns.identity_count),
        expression=open_bounds(columns.expression_count),
        joints=open_bounds(*at.view.joint_rotation.shape),
    )
    identity = bounds.moved_identity(at.identity, step[columns.identity])
    return replace(at, identity=identity, view=bounds.moved(at.view, step, columns))


def by_differences(what: Callable[[Pictured], Doubles], at: Pictured) -> Doubles:
    """Derivative [..., P] of an array by all columns of a view: central differences."""
    columns = at.head.columns
    steps = [step_of(columns, column) for column in range(columns.count)]
    changes = [(what(moved(at, s)) - what(moved(at, -s))) / (2 * s.sum()) for s in steps]
    return np.stack(changes, -1)
