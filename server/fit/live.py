# SPDX-License-Identifier: GPL-3.0-or-later
"""Live: frame in, pose out. The first frames tell who it is; then each frame is solved from the one before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Doubles

from ..heads.view import view_angles
from .observation import Observation
from .problem import nobody_cancels
from .stages import HIDDEN_RAD, Fitter
from .variables import View

_BOLDEST_TURN_RAD = HIDDEN_RAD / 2
"""A face turned farther says too little of who it is to start with."""


@dataclass(frozen=True, eq=False)
class Live:
    """What is known of the person so far, and the frame before. ``push`` returns the next state; nothing is changed."""

    fitter: Fitter
    """With identity folded into its head once the person is known."""
    identity: Doubles
    """[S]; 0 until then."""
    focal_px: float = 0.0
    """Of the person's first frame; 0 until then."""
    view: View | None = None
    """The frame before; None at the start and after the face was lost."""

    @property
    def knows_person(self) -> bool:
        """Whether the identity is settled."""
        return self.focal_px > 0

    def push(self, seen: Observation | None) -> Live:
        """Solve the next frame; None where no face was found. The pose is the new state's ``view``."""
        if seen is None:
            return replace(self, view=None)
        if not self.knows_person:
            return self._meet(seen)
        fixed = replace(seen, focal=replace(seen.focal, px=self.focal_px))
        start = self.fitter.start_from(self.view, fixed)
        fitted = self.fitter.follow(start, fixed, nobody_cancels)
        return replace(self, view=fitted.variables.views[0])

    def _meet(self, seen: Observation) -> Live:
        """Find out who it is from a frame that shows enough; from others only the pose."""
        fitted = self.fitter.fit_photos((seen,), nobody_cancels)
        (view,) = fitted.variables.views
        if abs(view_angles(view.rotation)[0]) > _BOLDEST_TURN_RAD:
            return replace(self, view=view, identity=fitted.variables.identity)
        schedule = self.fitter.schedule.for_frames()
        head = self.fitter.head.folded(fitted.variables.identity)
        known = replace(self.fitter, head=head, schedule=schedule)
        return Live(known, fitted.variables.identity, view.focal_px, view)


def start_live(fitter: Fitter) -> Live:
    """Begin with a person who is not known yet."""
    return Live(fitter, np.zeros(fitter.head.columns.identity_count))
