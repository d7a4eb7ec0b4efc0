# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases with known answers: the sized head, and photos of it as a network would describe them.

Seeds below 100 are for tuning, those from 1000 on for reporting; what was looked at while tuning is never reported.
The head has 300 identity and 100 expression components, jaw and two eyes: 418 columns, 416 of them free in a photo
(the principal point stands). The focal length is known to 25 %: its prior is centred on a draw about the true one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles
from server.fit.head import FitHead, make_fit_head
from server.fit.observation import Focal, Observation
from server.fit.pixels import make_pixels
from server.fit.problem import Problem, nobody_cancels
from server.fit.solver import EVERYTHING, Solution, solve
from server.fit.stages import Fitter
from server.fit.variables import FitVariables, View
from server.fit.weights import DENSE_SCHEDULE, TermWeights
from server.heads.catalogue import load_head
from server.heads.model import HeadModel
from server.priors.maps import PriorMaps
from tests.truth.noise import Degradation, degrade, degrade_landmarks
from tests.truth.render import Truth, render_truth
from tests.truth.scene import Scene, draw_scene
from tests.truth.sized import make_sized_head
from tests.truth.surface import model_triangles

TUNING, REPORTING = 0, 1000
"""First seed of the cases for tuning (0 to 99) and of those for reporting."""
FOCAL_SIGMA = 0.25
STRIDE = 2
"""Every second row and column of a photo's maps, as the prototype had it."""
SIZED_WEIGHTS = TermWeights(identity=1.0, expression_l1=0.0, coupling=0.0)
"""Coefficients of the sized head are drawn from their sigmas, and its expressions know no sides."""
LANDMARKS = 478


@dataclass(frozen=True, eq=False)
class Studio:
    """The sized head and the solver on it."""

    model: HeadModel
    fitter: Fitter

    @property
    def head(self) -> FitHead:
        """The head as the solver has it."""
        return self.fitter.head

    @property
    def free_count(self) -> int:
        """How many variables of a photo may move."""
        return self.head.columns.count - 2


@dataclass(frozen=True, eq=False)
class Photo:
    """One photo, what was seen of it, and the truth."""

    seed: int
    scene: Scene
    truth: Truth
    maps: PriorMaps
    seen: Observation
    visible: Bools
    """[N] vertices of the face's surface that the maps show."""
    landmarks_68: Doubles
    """[68, 2] px, as a network would see them; the solver does not get them."""


def make_studio(models: Path, identity: int = 300, expression: int = 100) -> Studio:
    """Make the sized head and the solver on it."""
    model = make_sized_head(load_head("makehuman", models), identity, expression)
    head = make_fit_head(model, dense=True)
    return Studio(model, Fitter(head, weights=SIZED_WEIGHTS, schedule=DENSE_SCHEDULE))


def draw_photo(
    studio: Studio,
    seed: int,
    degradation: Degradation,
    *,
    most_yaw: float = 45.0,
    stride: int = STRIDE,
) -> Photo:
    """Draw a photo: yaw uniform up to ``most_yaw`` degrees to either side; the same seed is the same scene."""
    rng = np.random.default_rng(seed)
    yaw = np.radians(rng.uniform(-most_yaw, most_yaw))
    scene = draw_scene(studio.model, rng, yaw, rng.uniform(-0.2, 0.2), rng.uniform(-0.1, 0.1))
    focal = scene.focal_px * float(np.exp(rng.normal(0.0, FOCAL_SIGMA)))
    truth = render_truth(scene)
    landmarks = degrade_landmarks(truth.landmarks_68, scene, degradation, rng)
    maps = degrade(truth.maps, degradation, rng, studio.model)
    seen = observe_maps(studio.head, maps, focal, stride=stride)
    return Photo(seed, scene, truth, maps, seen, _visible(studio, truth, maps), landmarks)


def observe_maps(head: FitHead, maps: PriorMaps, focal_px: float, *, stride: int) -> Observation:
    """What the solver gets of maps: no landmarks, a focal length that is known to 25 %."""
    assert head.surface is not None and head.uv_table is not None, "the studio's head is dense"
    height, width = maps.confidence.shape
    return Observation(
        points_px=np.full((LANDMARKS, 2), np.nan),
        weights=np.zeros(LANDMARKS),
        width=width,
        height=height,
        focal=Focal(focal_px, FOCAL_SIGMA, "prior"),
        bias_px=np.zeros((LANDMARKS, 2)),
        pixels=make_pixels(maps, head.uv_table, head.surface, stride=stride),
    )


def photo_problem(fitter: Fitter, seen: Observation) -> Problem:
    """The energy of one photo."""
    return Problem(
        fitter.head,
        fitter.views_terms((seen,), shared_camera=False),
        fitter.person_terms(),
        check=nobody_cancels,
    )


def solve_from(fitter: Fitter, seen: Observation, start: View) -> Solution:
    """Solve one photo from any start, the average person."""
    variables = FitVariables(np.zeros(fitter.head.columns.identity_count), (start,))
    return solve(photo_problem(fitter, seen), variables, EVERYTHING, fitter.schedule)


def true_variables(scene: Scene) -> FitVariables:
    """The truth as the solver would say it."""
    view = View(
        rotation=scene.rotation,
        transl=scene.transl,
        focal_px=scene.focal_px,
        expression=scene.expression.astype(np.float64),
        center_px=scene.center_px.astype(np.float64),
        joint_rotation=scene.joint_rotation.astype(np.float64),
    )
    return FitVariables(scene.identity.astype(np.float64), (view,))


def _visible(studio: Studio, truth: Truth, maps: PriorMaps) -> Bools:
    """Corners of the triangles under the pixels of which the maps say something."""
    assert studio.head.surface is not None, "the studio's head is dense"
    triangles = np.unique(truth.triangle[maps.confidence > 0])
    return np.isin(studio.head.surface.vertices, model_triangles(studio.model)[triangles])
