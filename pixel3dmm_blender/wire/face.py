# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceTrack: one person over time, in the names of the HeadRig.

A vertex of the head is first posed (keys, then joints, see ``motion/posing.py``), then placed in the world:
``points_world = rotation @ posed + transl``. A photo has rotation 0 and transl 0: the head stands at the origin and
the camera carries the pose. In a clip the camera stands still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from .camera import Camera
from .record import Bools, Floats, Ints, Record


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FaceTrack(Record):
    """One person over T frames. S identity components, E expressions, J joints."""

    head: str
    frames: Annotated[Ints, "T"]
    """Frame numbers in the footage, counted from 0."""
    camera: Camera
    identity_names: tuple[str, ...]
    identity: Annotated[Floats, "S"]
    expression_names: tuple[str, ...]
    expression: Annotated[Floats, "T E"]
    joint_names: tuple[str, ...]
    joint_rotation: Annotated[Floats, "T J 3"]
    """Axis-angle in radians about the joint, axes of the head frame, relative to the parent."""
    rotation: Annotated[Floats, "T 3"]
    """Axis-angle in radians of the whole head in the world."""
    transl: Annotated[Floats, "T 3"]
    """Metres."""
    valid: Annotated[Bools, "T"]
    """False where no face was found; the values are bridged there."""
    error_px: Annotated[Floats, "T"]
    """Mean distance between landmarks and head, after the network's measured bias is subtracted."""
    raw_error_px: Annotated[Floats, "T"]
    """The same against the landmarks just as the network saw them."""
    face_height_px: Annotated[Floats, "T"]
    """Distance between the landmarks at the top of the forehead and the chin: what error_px is to be compared with."""
    confidence: Annotated[Floats, "T"]
    """0..1."""
    fps: float = 0.0
    """Frames per second of the footage; 0 for a photo."""
    scale_source: str = "prior"
    """Where the size of the head came from: "prior" (assumed: heads are about this large) or "user"."""
    focal_std: float | None = None
    """Standard deviation of the focal length, as a share of it. None, here and below: the engine does not say."""
    identity_std: Annotated[Floats, "S"] | None = None
    """Standard deviations of the components."""
    expression_std: Annotated[Floats, "T E"] | None = None
    """NaN in invalid frames, as in the fields below; 0 for what the solver leaves alone."""
    rotation_std: Annotated[Floats, "T 3"] | None = None
    """Radians, about the axes of the world; of the head against the camera."""
    transl_std: Annotated[Floats, "T 3"] | None = None
    """Metres, along the axes of the world; of the head against the camera."""

    def mean_error_px(self) -> float:
        """Average the error over the valid frames; 0 if there are none."""
        return float(np.mean(self.error_px[self.valid])) if self.valid.any() else 0.0

    def mean_error_percent(self) -> float:
        """Average the error over the valid frames, in percent of each frame's face height."""
        return _percent(self.error_px, self)

    def mean_raw_error_percent(self) -> float:
        """The same against the landmarks just as the network saw them."""
        return _percent(self.raw_error_px, self)

    def rotation_std_deg(self) -> float | None:
        """By how many degrees the head may be turned wrongly, root mean square over the valid frames."""
        if self.rotation_std is None or not self.valid.any():
            return None
        angles = np.sqrt((self.rotation_std[self.valid].astype(np.float64) ** 2).sum(axis=1))
        return float(np.degrees(np.sqrt((angles**2).mean())))


def _percent(errors_px: Floats, track: FaceTrack) -> float:
    if not track.valid.any():
        return 0.0
    heights = np.maximum(track.face_height_px[track.valid], 1e-6)
    return float(np.mean(100.0 * errors_px[track.valid] / heights))
