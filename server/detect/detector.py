# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceDetector: a frame in, the landmarks of its faces out."""

from __future__ import annotations

from pathlib import Path

import torch

from pixel3dmm_blender.wire import NoFaceFound
from server.device import choose_device
from server.footage import Frame

from .crop import Picture
from .executor import Network
from .face_box import find_boxes, search_passes
from .landmarks import JITTERS, MARGIN, FaceLandmarks, find_landmarks
from .weights import FACE_BOX, FACE_MESH, read_weights


class FaceDetector:
    """Both networks, loaded once. It keeps no state between frames."""

    def __init__(self, models: Path, device: torch.device | None = None) -> None:
        """Load from the models folder. WeightsMissing or WeightsCorrupt where a file is not what it should be."""
        device = device or choose_device()
        self._boxes = Network(read_weights(models, FACE_BOX), device)
        self._mesh = Network(read_weights(models, FACE_MESH), device)

    def faces(
        self, frame: Frame, *, thorough: bool = True, jitters: int = JITTERS
    ) -> tuple[FaceLandmarks, ...]:
        """Find all faces of a frame, the largest first; empty where there is none.

        ``thorough`` searches for small faces where no other is found, which takes a second or two. Fewer ``jitters``
        are faster and less exact.
        """
        picture = Picture(frame.pixels)
        for views in search_passes(picture, thorough=thorough):
            boxes = find_boxes(picture, views, self._boxes)
            found = [
                find_landmarks(picture, box.square(MARGIN), self._mesh, jitters=jitters)
                for box in boxes
            ]
            faces = _without_twins([face for face in found if face.is_face])
            if faces:
                return faces
        return ()

    def follow(
        self,
        frame: Frame,
        previous: FaceLandmarks,
        *,
        jitters: int = JITTERS // 2,
        refinements: int = 1,
    ) -> FaceLandmarks | None:
        """Find the same face in the next frame of a clip, from where it was; None where it is lost.

        Half the jittered crops and one refinement move the landmarks by 0.4-0.5 % of the inter-ocular distance
        (measured) and take half the time. With one crop, only the network's score tells whether it is a face; without
        a refinement the face must not have moved far: one run of the network, for live pictures.
        """
        picture = Picture(frame.pixels)
        face = find_landmarks(
            picture, previous.square, self._mesh, jitters=jitters, refinements=refinements
        )
        return face if face.is_face and _is_near(face, previous) else None


def require_face(faces: tuple[FaceLandmarks, ...]) -> FaceLandmarks:
    """Take the largest face; NoFaceFound in the user's words where there is none."""
    if not faces:
        raise NoFaceFound(
            "No face was found in the picture.",
            "Take one where the face is in focus, lit, at least 20 pixels wide and turned less than 60 degrees away.",
        )
    return faces[0]


def _without_twins(faces: list[FaceLandmarks]) -> tuple[FaceLandmarks, ...]:
    """Two boxes may lead to one face: keep the larger, which comes first."""
    kept: list[FaceLandmarks] = []
    for face in sorted(faces, key=lambda face: -face.square.side):
        if not any(_is_near(face, other) for other in kept):
            kept.append(face)
    return tuple(kept)


def _is_near(face: FaceLandmarks, other: FaceLandmarks) -> bool:
    """Whether the centres are nearer than half a face (the square is 1.5 faces wide)."""
    distance = abs(
        complex(
            face.square.center_x - other.square.center_x,
            face.square.center_y - other.square.center_y,
        )
    )
    return distance < max(face.square.side, other.square.side) / 3.0
