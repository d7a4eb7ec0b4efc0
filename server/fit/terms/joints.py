# SPDX-License-Identifier: GPL-3.0-or-later
"""Joint prior: r_j = axis-angle of joint j / sigma_j, in radians: jaw, neck and eyes rest where the picture is silent.

How far they may go at most is a bound that the solver keeps (``HeadModel.joint_limits``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..energy import Value, quadratic
from ..head import PlacedHead


@dataclass(frozen=True, eq=False)
class JointPrior:
    """Normal distribution of the joints that may turn."""

    sigma_rad: float

    def evaluate(self, placed: PlacedHead, widening: float) -> Value:
        """Cost, gradient and matrix."""
        del widening
        columns = placed.head.columns
        turned = placed.view.joint_rotation[list(columns.joints)].reshape(-1)
        jacobian = np.eye(len(turned)) / self.sigma_rad
        return quadratic(turned / self.sigma_rad, jacobian, columns.joint_columns, columns.count)
