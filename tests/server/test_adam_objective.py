# SPDX-License-Identifier: GPL-3.0-or-later
"""The energy that Adam goes down in the benchmarks is the solver's: two writings that check each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pixel3dmm_blender.wire import Doubles
from server.fit.head import FitHead, make_fit_head
from server.fit.stages import Fitter
from server.fit.variables import CAMERA, CENTER, ROTATION, TRANSL, FitVariables
from server.fit.weights import DENSE_SCHEDULE, TermWeights
from tests.bench.fit.cases import (
    SIZED_WEIGHTS,
    Studio,
    draw_photo,
    photo_problem,
    true_variables,
)
from tests.bench.fit.leaves import PlainHead
from tests.bench.fit.objective import Objective, mix_fast, mix_plainly
from tests.fakes.head import make_fake_head
from tests.truth.noise import HARD
from tests.truth.sized import make_sized_head

EVERY_PRIOR = TermWeights(identity=0.7, expression=1.3, expression_l1=2.0, coupling=5.0)


def off_the_truth(variables: FitVariables, head: FitHead, rng: np.random.Generator) -> FitVariables:
    """Joints turned, and everything a little wrong, so that kernels and normals are at work."""
    step = 0.1 * rng.normal(size=head.columns.count)
    step[CAMERA], step[ROTATION], step[TRANSL] = 0.05, 0.05, 0.003
    step[CENTER] = 0.0
    view = head.bounds.moved(variables.views[0], step, head.columns)
    return FitVariables(variables.identity + step[head.columns.identity], (view,))


def solver_says(fitter: Fitter, seen, variables: FitVariables) -> tuple[float, Doubles]:
    problem = photo_problem(fitter, seen)
    state = problem.evaluate(variables, 1.0)
    slope = state.slope()
    gradient = problem.whole(slope.shared, slope.views[0])
    return state.cost, np.delete(gradient, [1, 2])  # the principal point stands


def torch_says(fitter: Fitter, seen, variables: FitVariables, mix) -> tuple[float, Doubles]:
    plain = PlainHead(fitter.head, variables.views[0])
    leaves = plain.leaves(variables)
    cost = Objective(plain, seen, fitter.weights, mix).cost(leaves)
    cost.backward()
    return cost.item(), np.concatenate([leaf.grad.flatten().numpy() for leaf in leaves.all()])


@pytest.mark.parametrize("mix", [mix_plainly, mix_fast])
@pytest.mark.parametrize("weights", [SIZED_WEIGHTS, EVERY_PRIOR], ids=["sized", "every prior"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 1e-4), (torch.float64, 1e-9)],
    ids=["float32", "float64"],
)
def test_cost_and_gradient_of_both_writings_agree(mix, weights, dtype, tolerance) -> None:
    rng = np.random.default_rng(2)
    model = make_sized_head(make_fake_head(), identity=12, expression=8)
    fitter = Fitter(make_fit_head(model, dense=True, dtype=dtype), None, weights, DENSE_SCHEDULE)
    photo = draw_photo(Studio(model, fitter), 3, HARD, stride=4)
    variables = off_the_truth(true_variables(photo.scene), fitter.head, rng)

    cost, gradient = solver_says(fitter, photo.seen, variables)
    other_cost, other_gradient = torch_says(fitter, photo.seen, variables, mix)

    assert variables.views[0].joint_rotation.any()
    assert other_cost == pytest.approx(cost, rel=tolerance)
    assert np.abs(other_gradient - gradient).max() < tolerance * np.abs(gradient).max()


def test_the_energy_is_half_the_sum_of_its_squared_residuals() -> None:
    rng = np.random.default_rng(2)
    model = make_sized_head(make_fake_head(), identity=12, expression=8)
    head = make_fit_head(model, dense=True, dtype=torch.float64)
    fitter = Fitter(head, None, SIZED_WEIGHTS, DENSE_SCHEDULE)
    photo = draw_photo(Studio(model, fitter), 3, HARD, stride=4)
    variables = off_the_truth(true_variables(photo.scene), head, rng)
    plain = PlainHead(head, variables.views[0])
    objective = Objective(plain, photo.seen, fitter.weights)

    residuals = objective.residuals(plain.leaves(variables))

    cost, _ = solver_says(fitter, photo.seen, variables)
    assert 0.5 * residuals.square().sum().item() == pytest.approx(cost, rel=1e-9)
