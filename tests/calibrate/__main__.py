# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.calibrate --blender PYTHON --models FOLDER`: measure embedding and calibration.

About five minutes on two cores. Pictures that already lie in the folder are used again.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import torch

from server.heads.makehuman.archive import WHEEL
from tests.calibrate import calibration, report
from tests.calibrate.measure import centre, detect_landmarks, scatter_landmarks
from tests.calibrate.pictures import render_shots
from tests.calibrate.place import place_landmarks
from tests.calibrate.scenes import all_shots
from tests.calibrate.subjects import read_subjects

NETWORK = "face_landmark_with_attention.tflite"
RESULT = Path(__file__).parents[2] / "server" / "heads" / "makehuman_landmarks.npz"
DRAWN = (12, 14, 2, 37, 75, 77)


def main() -> None:
    """Render, measure, report, and write `server/heads/makehuman_landmarks.npz`."""
    arguments = _parse()
    torch.set_num_threads(1)  # many small layers: more threads are slower
    models, folder = arguments.models, arguments.folder
    shots, subjects = all_shots(), read_subjects(models)
    render_shots(subjects, shots, models, arguments.blender, folder)
    points_px = detect_landmarks(folder, len(shots), models)
    scatter = scatter_landmarks(subjects, shots, points_px)
    middle, spread = centre(scatter)
    placement = place_landmarks(subjects, middle)
    views = calibration.measure_offsets(subjects, shots, points_px, placement)
    fitted = calibration.fit_calibration(views)
    left = calibration.residuals(views, fitted)
    unseen = calibration.leave_one_head_out(views)
    np.savez_compressed(
        arguments.result,
        vertices_478=placement.vertices.astype(np.int32),
        weights_478=placement.weights,
        spread_m_478=spread.astype(np.float32),
        calibration=fitted.coefficients,
        wheel_sha256=_digest(models / WHEEL),
        network_sha256=_digest(models / NETWORK),
    )
    lines = [report.table(scatter, spread.astype(np.float32), views.offsets, left)]
    for name, rest in (("before", views.offsets), ("after", left), ("left out", unseen)):
        lines.append(f"offset {name}: {calibration.root_mean_square_mm(rest):.2f} mm")
    lines.append(f"twelve weights miss their point by {1000 * placement.moved_m.max():.3f} mm")
    for number in DRAWN:
        drawn = report.draw(subjects, shots[number], number, points_px[number], placement, folder)
        lines.append(str(drawn))
    sys.stdout.write("\n".join(lines) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.calibrate", description=__doc__)
    parser.add_argument("--blender", type=Path, required=True, help="a Python that has bpy")
    parser.add_argument("--models", type=Path, required=True, help="folder of the open models")
    parser.add_argument("--folder", type=Path, default=Path("out/calibrate"), help="for pictures")
    parser.add_argument("--result", type=Path, default=RESULT, help="the file to write")
    return parser.parse_args()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
