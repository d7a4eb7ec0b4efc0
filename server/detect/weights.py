# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network files the detector runs, and that they are byte for byte the ones it was measured with.

Both come from the ``mediapipe`` 0.10.21 wheel (Google, Apache-2.0); nothing of that package is ever imported.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pixel3dmm_blender.wire import WeightsCorrupt, WeightsMissing


@dataclass(frozen=True)
class WeightsFile:
    """One network file by name and checksum."""

    name: str
    sha256: str


FACE_BOX = WeightsFile(
    "face_detection_short_range.tflite",
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
)
FACE_MESH = WeightsFile(
    "face_landmark_with_attention.tflite",
    "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
)
LICENCE = (
    "Face detector and face mesh networks: Google MediaPipe, Apache-2.0; commercial use allowed."
)
REINSTALL = "Install the engine's models again."


def read_weights(models: Path, file: WeightsFile) -> bytes:
    """Read one network file from the models folder.

    Raises WeightsMissing where it is not there, WeightsCorrupt where its sha-256 is another.
    """
    path = models / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsMissing(
            f"The network file {file.name} is not in {models}.", REINSTALL
        ) from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise WeightsCorrupt(f"The network file {path} is damaged or another version.", REINSTALL)
    return content
