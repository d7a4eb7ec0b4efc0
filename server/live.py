# SPDX-License-Identifier: GPL-3.0-or-later
"""LiveFace: pictures in as they come, the pose of one face out, each within its frame time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .detect.detector import FaceDetector
from .detect.landmarks import FaceLandmarks
from .fit.live import Live, start_live
from .fit.variables import View
from .footage import Frame
from .heads.model import HeadModel
from .sight import observe_face
from .solved import make_fitter


@dataclass(frozen=True, eq=False)
class LiveFace:
    """One person before a camera. ``push`` returns the next state; nothing is changed."""

    detector: FaceDetector
    model: HeadModel
    live: Live
    face: FaceLandmarks | None = None
    """Where the face was in the frame before; None where it was not."""

    @property
    def view(self) -> View | None:
        """Pose and expression in the last frame; None where no face was found."""
        return self.live.view

    def push(self, frame: Frame) -> LiveFace:
        """See the next frame: one run of the mesh network where the face is followed, a search where it was lost."""
        face = self._find(frame)
        seen = None
        if face is not None:
            height, width = frame.pixels.shape[:2]
            seen = observe_face(self.model, face, width, height)
        return replace(self, live=self.live.push(seen), face=face)

    def _find(self, frame: Frame) -> FaceLandmarks | None:
        face = None
        if self.face is not None:
            face = self.detector.follow(frame, self.face, jitters=1, refinements=0)
        if face is None:
            faces = self.detector.faces(frame, thorough=False, jitters=1)
            face = faces[0] if faces else None
        return face


def start_live_face(model: HeadModel, detector: FaceDetector) -> LiveFace:
    """Begin with a person who is not known yet."""
    return LiveFace(detector, model, start_live(make_fitter(model)))
