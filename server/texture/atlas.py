# SPDX-License-Identifier: GPL-3.0-or-later
"""Atlas: which point of the surface each texel shows. Constant for a head and a texture size, so it is kept.

Only texels under a face are listed (row-major); the empty ones copy the nearest of them, so that no background bleeds
over the edges of the islands, however far away the texture is looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage, sparse

from pixel3dmm_blender.wire import Bools, Bytes
from server.heads.model import HeadModel
from server.raster import Indices, Reals, corner_triangles, rasterise_uv
from server.texture.noise import value_noise

_VERSION = 3
"""Part of the digest: raised when the content changes its meaning."""
_FIELDS = ("covered", "vertices", "weights", "material", "grain", "source")


@dataclass(frozen=True)
class Atlas:
    """N covered texels of a texture of ``size`` squared, for a head of V vertices and T triangles."""

    size: int
    covered: Indices
    """[N] row-major index into the texture."""
    vertices: Indices
    """[N, 3] vertices around each texel."""
    weights: Reals
    """[N, 3], sum 1."""
    material: Bytes
    """[N] material slot."""
    grain: Reals
    """[N] noise of the surface, about -1..1, fine and broad mixed; float16."""
    source: Indices
    """[size * size] which of the N texels colours each texel of the texture."""

    def spread(self, values: Reals, texels: Indices | slice = slice(None)) -> Reals:
        """Interpolate one row per vertex [V, C] to the texels [N, C] (or to the listed ones)."""
        vertices, weights = self.vertices[texels], self.weights[texels]
        starts = np.arange(0, 3 * len(vertices) + 1, 3, dtype=np.int32)
        matrix = sparse.csr_array(
            (weights.ravel(), vertices.ravel(), starts), shape=(len(vertices), len(values))
        )
        return np.asarray(matrix @ np.asarray(values, np.float32))

    def of_slot(self, model: HeadModel, *words: str) -> Indices:
        """List the texels of the materials whose name holds one of the words."""
        slots = [
            i
            for i, material in enumerate(model.materials)
            if any(w in material.name.lower() for w in words)
        ]
        return np.flatnonzero(np.isin(self.material, slots)).astype(np.int32)


def load_atlas(model: HeadModel, size: int, cache: Path | None = None) -> Atlas:
    """Take the atlas of a head from the cache folder, or make it and leave it there (2 s at 2048).

    A damaged or foreign file is made anew; a folder that cannot be written is no reason to fail.
    """
    path = None if cache is None else cache / f"atlas-{_digest(model, size)}.npz"
    known = _stored(size, path) if path is not None and path.is_file() else None
    if known is not None:
        return known
    atlas = make_atlas(model, size)
    if path is not None:
        with contextlib.suppress(OSError):
            _store(atlas, path)
    return atlas


def make_atlas(model: HeadModel, size: int) -> Atlas:
    """Rasterise the first UV map of a head."""
    corners = corner_triangles(model.face_sizes)
    raster = rasterise_uv(model.uv[0], corners, size)
    empty: Bools = raster.triangle.ravel() < 0
    covered = np.flatnonzero(~empty).astype(np.int32)
    triangle = raster.triangle.ravel()[covered]
    second_third = raster.barycentric.reshape(-1, 2)[covered]
    weights = _three(second_third.astype(np.float16))
    slots = np.repeat(model.face_materials, model.face_sizes - 2).astype(np.uint8)
    vertices = model.face_vertices[corners][triangle]
    rest = (model.template[vertices] * weights[..., None]).sum(axis=1)
    return Atlas(
        size=size,
        covered=covered,
        vertices=vertices,
        weights=weights,
        material=slots[triangle],
        grain=_grain(rest),
        source=_nearest(empty.reshape(size, size), covered),
    )


def _three(second_third: Reals) -> Reals:
    """Weights of all three corners from those of two in half precision, as they are stored."""
    two = second_third.astype(np.float32)
    return np.concatenate([1.0 - two.sum(axis=1, keepdims=True), two], axis=1)


def _grain(rest: Reals) -> Reals:
    fine = value_noise(rest, np.full(3, 700.0), 1)
    broad = value_noise(rest, np.full(3, 90.0), 2)
    return (0.6 * fine + 0.4 * broad).astype(np.float16)


def _nearest(empty: Bools, covered: Indices) -> Indices:
    rows, columns = np.asarray(
        ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
    )
    number = np.zeros(empty.size, np.int32)
    number[covered] = np.arange(len(covered), dtype=np.int32)
    return number[(rows * empty.shape[1] + columns).ravel()]


def _digest(model: HeadModel, size: int) -> str:
    digest = hashlib.sha256(f"{_VERSION} {size} {model.template.shape}".encode())
    for array in (
        model.uv[0],
        model.face_sizes,
        model.face_vertices,
        model.face_materials,
        model.template,
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:24]


def _stored(size: int, path: Path) -> Atlas | None:
    try:
        # numpy leaves a file open that it opened and then cannot read.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = {name: file[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    found["vertices"] = found["vertices"].astype(np.int32)
    found["weights"] = _three(found["weights"])
    return Atlas(size=size, **found)


def _store(atlas: Atlas, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            fields = {name: getattr(atlas, name) for name in _FIELDS}
            small = np.uint16 if atlas.vertices.max(initial=0) < 2**16 else np.int32
            fields["vertices"] = atlas.vertices.astype(small)
            fields["weights"] = atlas.weights[:, 1:].astype(np.float16)
            np.savez(file, **fields)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
