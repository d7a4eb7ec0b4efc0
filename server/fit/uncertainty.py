# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure a solution is: standard deviations from the Gauss-Newton matrix A = J'WJ at it.

If every residual had the sigma that its term says, the inverse of A would be the covariance of what was found
(``marginals.py``). Two things are known better than A says them:

- The priors of what is shared (K) regularise: they are tighter than people differ (P), and the gauge holds every head
  at one size. What was assumed errs as people do, so in place of K stands K P K.
- Measurements repeat each other: the frames of a clip (``Fitter.repeated``), and the parts of a picture (``ALIKE``).

Both are put right in what is shared (M in place of A in the middle: the sandwich of robust statistics), and the views
follow from it through the chain. With S the tip of A after everything else was eliminated:

    Cov(s) = S^-1 (K P K + n (S - K)) S^-1,  n = repeated . alike

All the rest is the solver's own belief: that noise and populations are as its terms have them, and its robust kernels
sorted out the wild. A variable at a bound counts as free; one that may not move has a deviation of 0. By how much
people's heads differ in size altogether is not in it: a head model may know heads of one size only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Doubles, Floats, Ints

from .marginals import Covariance, Marginal, invert_arrow
from .problem import State
from .solver import EVERYTHING, free_variables
from .terms.camera import CameraPrior
from .terms.scale import ScaleGauge
from .terms.uv import DensePoints
from .variables import FOCAL, POSE_COUNT, ROTATION, View

ALIKE = 4.0
"""How often the parts of a picture say the same: a network is wrong over whole regions, and in the next photo again.

Measured: true over predicted deviations are near 1 for the face-mesh network on 80 renders of 20 heads, alone and in
fours: identity 1.00 and 1.07, vertices 1.14 and 1.32, rotation 1.00 and 0.93, focal length 0.78 and 0.89; with 1 in
place of 4 identity 1.11 and 1.27, vertices 1.40 and 1.78. Where each landmark errs for itself they are 0.6 to 1."""
DENSE_POSE = 1.7
"""Dense maps slide over the face as a whole: of the pose and the focal length that they show, there is this many times
the deviation (measured on drawn scenes with the noise of a good network)."""
_POSE = slice(ROTATION.start, POSE_COUNT)
_LEAST_SHARE = 1e-6
"""Of the largest variance: directions with less do not show."""
_AT_ONCE = 3072
"""Coordinates of vertices: what fits into a core's cache."""


@dataclass(frozen=True)
class Belief:
    """How the matrix of a solution is to be read."""

    repeated: float = 1.0
    """How often the frames of a clip say the same; 1 for photos."""
    alike: float = ALIKE
    """How often the parts of one picture do."""
    size_known: bool = False
    """Whether the user measured the size of the head; else the gauge assumes it."""


@dataclass(frozen=True, eq=False)
class Deviation:
    """Standard deviations of N views of a person. S identity and E expression components, J joints."""

    identity_covariance: Doubles
    """[S, S]"""
    focal: Doubles
    """[N] of log focal: the share by which it may be off. The same for all where they share the camera."""
    pose_covariance: Doubles
    """[N, 6, 6] rotation (radians, a left increment) and translation (metres, the focal length's doubt included), along
    the axes of the camera."""
    expression: Doubles
    """[N, E]"""
    joints: Doubles
    """[N, J, 3] radians"""

    @property
    def identity(self) -> Doubles:
        """Of the components [S]."""
        return _roots(self.identity_covariance)

    @property
    def rotation(self) -> Doubles:
        """[N, 3] radians, about the axes of the camera."""
        return _roots(self.pose_covariance)[:, :3]

    @property
    def transl(self) -> Doubles:
        """[N, 3] metres, along the axes of the camera."""
        return _roots(self.pose_covariance)[:, 3:]

    def of_view(self, index: int) -> Deviation:
        """The same of one view alone."""
        one = slice(index, index + 1)
        return replace(
            self,
            focal=self.focal[one],
            pose_covariance=self.pose_covariance[one],
            expression=self.expression[one],
            joints=self.joints[one],
        )


def find_deviation(state: State, belief: Belief) -> Deviation:
    """Deviations of all that was found. The matrix is made anew at the solution."""
    columns, views = state.problem.head.columns, state.variables.views
    count = len(views)
    joints = np.zeros((count, *views[0].joint_rotation.shape))
    expression = np.zeros((count, columns.expression_count))
    poses, focal = np.zeros((count, 6, 6)), np.zeros(count)
    covariance = _invert(state, belief)
    for i, marginal in zip(reversed(range(count)), covariance.marginals(), strict=True):
        whole = _whole(state, covariance, marginal)
        deviations = _roots(whole)
        focal[i], expression[i] = deviations[FOCAL], deviations[columns.expression]
        joints[i, list(columns.joints)] = deviations[columns.joint_columns].reshape(-1, 3)
        poses[i] = _pose(whole, views[i])
        if any(isinstance(term, DensePoints) for term in state.problem.views[i]):
            poses[i], focal[i] = DENSE_POSE**2 * poses[i], DENSE_POSE * focal[i]
    return Deviation(covariance.shared[_identity_places(state)], focal, poses, expression, joints)


def shape_covariance(state: State, belief: Belief, index: int) -> Doubles:
    """Covariance [S + E, S + E] of identity and one view's expression together: of the head as it was seen there."""
    covariance = _invert(state, belief)
    marginals = list(covariance.marginals())
    columns = state.problem.head.columns
    shape = slice(columns.identity.start, columns.expression.stop)
    return _whole(state, covariance, marginals[-1 - index])[shape, shape]


def vertex_std(fields: Floats, covariance: Doubles) -> Floats:
    """How far vertices may be off, [V] metres: the root of the trace of each one's covariance.

    |L' B_v| with covariance = L L'. Fields [K, V, 3] move the vertices, with coefficients of this covariance [K, K].
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _LEAST_SHARE * float(values.max(initial=0.0))
    factor = (vectors[:, kept] * np.sqrt(values[kept])).T.astype(np.float32)  # [k, K]
    flat = fields.reshape(len(fields), -1)
    square = np.zeros(flat.shape[1], np.float32)
    for start in range(0, len(square), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        square[part] = np.square(factor @ flat[:, part]).sum(0)
    return np.sqrt(square.reshape(-1, 3).sum(1))


def _invert(state: State, belief: Belief) -> Covariance:
    free = free_variables(state.problem, state.variables, EVERYTHING)
    covariance = invert_arrow(state.arrow(True), free)
    times, shared = belief.repeated * belief.alike, covariance.shared
    assumed, believed = _assumptions(state, belief)
    middle = believed - times * assumed
    return replace(covariance, shared=times * shared + shared @ middle @ shared)


def _assumptions(state: State, belief: Belief) -> tuple[Doubles, Doubles]:
    """[S, S] K, what the priors of shared variables add to A, and what stands in its place: K P K."""
    problem = state.problem
    population = np.diag(problem.head.identity_sigma**2)
    assumed, known = np.zeros_like(population), np.zeros_like(population)
    for term, value in zip(problem.person, state.person, strict=True):
        measured = isinstance(term, ScaleGauge) and belief.size_known
        (known if measured else assumed)[...] += value.matrix(True)
    added, believed = (np.zeros((len(problem.shared),) * 2) for _ in range(2))
    identity = _identity_places(state)
    added[identity] = assumed + known
    believed[identity] = assumed @ population @ assumed + known
    for term in problem.views[0] if problem.shared_camera else ():
        if isinstance(term, CameraPrior):  # as many times as frames repeat each other
            added[FOCAL, FOCAL] = term.focal.sigma**-2
            believed[FOCAL, FOCAL] = belief.repeated * term.focal.sigma**-2
    return added, believed


def _identity_places(state: State) -> tuple[Ints, Ints]:
    """Where identity stands among the shared variables, as an index of a matrix."""
    columns, shared = state.problem.head.columns, state.problem.shared
    places = np.flatnonzero(
        np.isin(shared, np.arange(columns.identity.start, columns.identity.stop))
    )
    rows, across = np.ix_(places, places)
    return rows.astype(np.int32), across.astype(np.int32)


def _whole(state: State, covariance: Covariance, marginal: Marginal) -> Doubles:
    """[P, P] covariance of all columns of one view."""
    shared, local = state.problem.shared, state.problem.local
    whole = np.zeros((state.problem.head.columns.count,) * 2)
    whole[np.ix_(local, local)] = marginal.own
    whole[np.ix_(local, shared)] = marginal.across
    whole[np.ix_(shared, local)] = marginal.across.T
    whole[np.ix_(shared, shared)] = covariance.shared
    return whole


def _pose(whole: Doubles, view: View) -> Doubles:
    """[6, 6] of rotation and translation: a longer lens takes the head farther away, by the same share."""
    rows = np.zeros((6, len(whole)))
    rows[:, _POSE] = np.eye(6)
    rows[5, FOCAL] = view.transl[2]
    return rows @ whole @ rows.T


def _roots(covariance: Doubles) -> Doubles:
    """Deviations [..., M] from covariances [..., M, M], where rounding may have left less than nothing."""
    return np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0.0))
