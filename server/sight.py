# SPDX-License-Identifier: GPL-3.0-or-later
"""Sighting: what the networks see in one frame; and its translation into what the solver is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixel3dmm_blender.wire import Footage

from .detect.detector import FaceDetector, require_face
from .detect.landmarks import FaceLandmarks
from .detect.topology import FACE_OVAL
from .fit.observation import Observation, focal_of, landmark_weights
from .fit.weights import DEFAULT_WEIGHTS
from .footage import Frame, describe_clip, is_clip, read_clip, read_footage
from .heads.model import HeadModel
from .job import Job


@dataclass(frozen=True, eq=False)
class Sighting:
    """One frame without its pixels, and the landmarks of the one face in it that is followed."""

    footage: Footage
    index: int
    width: int
    height: int
    focal_35mm: float
    fps: float
    landmarks: FaceLandmarks | None
    face_count: int


def is_clip_footage(footage: Footage) -> bool:
    """Whether the footage is a clip: pixels are always a photo."""
    return footage.pixels is None and is_clip(Path(footage.path))


def sight_photo(photo: Footage, detector: FaceDetector, job: Job) -> Sighting:
    """Read one photo and find its largest face; NoFaceFound where there is none."""
    frame = next(iter(read_footage(photo)))
    job.check()
    faces = detector.faces(frame)
    job.check()
    return _sighting(photo, frame, 0.0, require_face(faces), len(faces))


def sight_clip(clip: Footage, detector: FaceDetector, job: Job) -> tuple[Sighting, ...]:
    """Read a clip frame by frame and follow one face through it; frames without it have no landmarks."""
    described = describe_clip(Path(clip.path))
    expected = _expected(clip, described.frame_count)
    sightings: list[Sighting] = []
    for frame, face, count in _follow(clip, detector, job.check):
        number = len(sightings) + 1
        share = min(1.0, number / expected) if expected else 0.5
        told = f"{number} of {expected}" if number <= expected else str(number)
        job.report(0.05 + 0.5 * share, "Finding the face", told)
        sightings.append(_sighting(clip, frame, described.frame_rate, face, count))
    return tuple(sightings)


def _expected(clip: Footage, declared: int) -> int:
    """How many frames will come; 0 where the clip does not say how long it is."""
    last = min(clip.last, declared - 1) if clip.last >= 0 and declared else clip.last
    if last < 0:
        last = declared - 1
    return max(0, (last - clip.first) // clip.step + 1)


def _follow(
    clip: Footage, detector: FaceDetector, check: Callable[[], None]
) -> Iterator[tuple[Frame, FaceLandmarks | None, int]]:
    face: FaceLandmarks | None = None
    for frame in read_clip(clip, check):
        face = detector.follow(frame, face) if face is not None else None
        count = 1 if face is not None else 0
        if face is None:
            faces = detector.faces(frame, thorough=False)
            face, count = (faces[0] if faces else None), len(faces)
        yield frame, face, count


def _sighting(
    footage: Footage, frame: Frame, fps: float, face: FaceLandmarks | None, face_count: int
) -> Sighting:
    return Sighting(
        footage=footage,
        index=frame.index,
        width=frame.pixels.shape[1],
        height=frame.pixels.shape[0],
        focal_35mm=frame.focal_35mm,
        fps=fps,
        landmarks=face,
        face_count=face_count,
    )


def observe(model: HeadModel, sighting: Sighting) -> Observation:
    """Translate a sighting with a face into an observation of this head."""
    found = sighting.landmarks
    assert found is not None, "frames without a face are left out before"
    focal_35mm = (sighting.focal_35mm, sighting.footage.focal_35mm)
    return observe_face(model, found, sighting.width, sighting.height, focal_35mm)


def shows_face(model: HeadModel, sighting: Sighting) -> bool:
    """Whether there is a face, and enough of it for a pose."""
    return sighting.landmarks is not None and observe(model, sighting).says_enough


def observe_face(
    model: HeadModel,
    found: FaceLandmarks,
    width: int,
    height: int,
    focal_35mm: tuple[float, float] = (0.0, 0.0),
) -> Observation:
    """The same from landmarks in a picture of this size; focal lengths as the photo and the user say, 0 = silent."""
    return Observation(
        points_px=found.points_px,
        weights=landmark_weights(model.landmarks_478, FACE_OVAL, DEFAULT_WEIGHTS),
        width=width,
        height=height,
        focal=focal_of(width, height, *focal_35mm, DEFAULT_WEIGHTS),
        bias_px=np.zeros_like(found.points_px),
    )
