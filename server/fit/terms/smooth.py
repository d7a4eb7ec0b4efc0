# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothness over time: what neighbouring frames may differ by, each block with its own sigma.

    r = (log(R2 R1') / sigma_R, (t2 - t1) / sigma_t, (e2 - e1) / sigma_e, (j2 - j1) / sigma_j) / sqrt(g)

g: time between the frames in 1/25 s (a random walk: variance grows with time). A rotation's log is differentiated as
d r = (w2 - w1) / sigma_R, which is exact in the gradient, because the log is an eigenvector of its own Jacobian. A step
of log focal moves the head too, dz = z d log f (``variables.py``). The blocks leave that out: a focal length that
frames share moves them alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ...rotation import vector_from_rotation
from ..energy import PairValue
from ..variables import FOCAL, ROTATION, TRANSL, Columns, View
from ..weights import TermWeights

REFERENCE_FPS = 25.0


@dataclass(frozen=True, eq=False)
class Smoothness:
    """Random walks of pose, expression and joints."""

    columns: Columns
    sigma: Doubles
    """[P] of the change in 1/25 s; infinite for what is not smoothed."""
    fps: float

    def evaluate_pair(self, first: View, second: View, gap: int) -> PairValue:
        """Cost, gradients and blocks between two views."""
        stiffness = 1.0 / (self.sigma**2 * gap * REFERENCE_FPS / self.fps)  # [P]
        change = self._change(first, second)
        pull = stiffness * change
        gradients = (-_with_focal(pull, first), _with_focal(pull, second))
        return PairValue(0.5 * float(change @ pull), gradients, stiffness)

    def _change(self, first: View, second: View) -> Doubles:
        columns = self.columns
        change = np.zeros(columns.count)
        change[ROTATION] = vector_from_rotation(second.rotation @ first.rotation.T)
        change[TRANSL] = second.transl - first.transl
        change[columns.expression] = second.expression - first.expression
        turned = second.joint_rotation - first.joint_rotation
        change[columns.joint_columns] = turned[list(columns.joints)].reshape(-1)
        return change


def _with_focal(pull: Doubles, view: View) -> Doubles:
    """Add what a pull on the distance does to the column of log focal."""
    result = pull.copy()
    result[FOCAL] = pull[TRANSL][2] * view.transl[2]
    return result


def smoothness(columns: Columns, fps: float, weights: TermWeights) -> Smoothness:
    """The smoothness of a clip; a frame rate of 0 counts as 25."""
    sigma = np.full(columns.count, np.inf)
    sigma[ROTATION] = weights.smooth_rotation_rad
    sigma[TRANSL] = weights.smooth_transl_m
    sigma[columns.expression] = weights.smooth_expression
    sigma[columns.joint_columns] = weights.smooth_joint_rad
    return Smoothness(columns, sigma, fps or REFERENCE_FPS)
