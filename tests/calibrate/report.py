# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person checks after a measurement: numbers by region of the face, and points on pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pixel3dmm_blender.wire import Doubles, Floats
from server.detect import topology
from tests.calibrate.measure import Scatter
from tests.calibrate.pictures import picture_path
from tests.calibrate.place import Placement
from tests.calibrate.scenes import Shot
from tests.calibrate.subjects import Subjects

REGIONS: dict[str, tuple[int, ...]] = {
    "outer lips": topology.LIPS_OUTER,
    "inner lips": topology.LIPS_INNER,
    "eyelids": topology.LEFT_EYE + topology.RIGHT_EYE,
    "brows": topology.LEFT_BROW + topology.RIGHT_BROW,
    "iris": topology.LEFT_IRIS + topology.RIGHT_IRIS,
    "contour": topology.FACE_OVAL,
    "all": tuple(range(topology.COUNT)),
}
ZOOM = 3
CROP_PX = (90, 60, 430, 440)
NETWORK_COLOUR, HEAD_COLOUR = (255, 50, 40), (50, 255, 60)


def table(scatter: Scatter, spread_m: Floats, before: Doubles, after: Doubles) -> str:
    """Format scatter and offsets before and after calibration by region, millimetres."""
    lines = [f"{'region':12}{'spread':>8}{'max':>6}{'missed':>8}{'offset':>8}{'left':>6}"]
    for name, points in REGIONS.items():
        chosen = list(points)
        spread = 1000.0 * spread_m[chosen]
        offsets = [
            1000.0 * np.sqrt((part[:, chosen] ** 2).sum(axis=2).mean()) for part in (before, after)
        ]
        missed = 1.0 - scatter.direct[:, chosen].mean()
        lines.append(
            f"{name:12}{spread.mean():8.2f}{spread.max():6.2f}{missed:8.1%}{offsets[0]:8.2f}{offsets[1]:6.2f}"
        )
    everywhere = 1000.0 * spread_m
    lines.append(
        f"spread: median {np.median(everywhere):.2f}, p95 {np.percentile(everywhere, 95):.2f}"
    )
    return "\n".join(lines)


def draw(
    subjects: Subjects,
    shot: Shot,
    number: int,
    points_px: Doubles,
    placement: Placement,
    folder: Path,
) -> Path:
    """Draw the network's points (red) and the head's own (green) on one picture; return its path."""
    coarse = subjects.coarse(subjects.offsets_mm(shot.head, shot.expression))
    points = np.einsum(
        "km,kmc->kc", placement.weights, coarse[subjects.cage.index[placement.vertices]]
    )
    projected, _ = shot.project(points)
    picture = Image.open(picture_path(folder, number)).convert("RGB").crop(CROP_PX)
    picture = picture.resize((ZOOM * picture.width, ZOOM * picture.height))
    pen = ImageDraw.Draw(picture)
    for marks, colour in ((points_px, NETWORK_COLOUR), (projected, HEAD_COLOUR)):
        for x, y in (marks - np.array(CROP_PX[:2])) * ZOOM:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
    path = folder / f"points_{number:03d}.png"
    picture.save(path)
    return path
