# SPDX-License-Identifier: GPL-3.0-or-later
"""The cage: the hm08 vertices around the head with their shape, identity and expressions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from .archive import VERTEX_COUNT, BaseMesh, MakeHumanArchive
from .eyes import lid_ring, refit_eye, turn_eye
from .population import Ground, remove_similarity, span_population
from .sliders import OWN_PARAMETERS, Slider, average_adult, read_macros, read_slider, read_sliders

CUT_MM = 522.0
"""Level of the bust's edge, see `bust_level`: one loop, still by every expression."""
BUST_BEND_PER_MM = 0.0037
"""How much the edge rises towards the shoulders: it leaves about 115 mm of them at each side."""
CAGE_MM = 492.0
COMPONENTS = 80
NECK_SIGMA = 0.25
"""What 1 means for the neck's own parameters, in slider units."""
LAST_SKIN = 13379
HELPERS = (
    "helper-l-eye",
    "helper-r-eye",
    "helper-tongue",
    "helper-upper-teeth",
    "helper-lower-teeth",
)
TONGUE_OUT = "tongueOut"
ARKIT_NAMES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft",
    "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip


@dataclass(frozen=True)
class Cage:
    """V vertices of hm08, mm."""

    hm08: Ints
    """[V] ids in the base mesh, rising."""
    index: Ints
    """[19158] cage index of each hm08 vertex, -1 outside."""
    points: Doubles
    """[V, 3] the average adult."""
    quads: Ints
    """[F, 4] cage indices."""
    groups: tuple[str, ...]
    """[F] group of each quad."""
    body_uv: Doubles
    """[F, 4, 2]"""
    mirror: Ints
    """[V]"""
    identity_names: tuple[str, ...]
    identity: Doubles
    """[S, V, 3] mm at value 1."""
    expression: Doubles
    """[52, V, 3] mm at value 1, in the order of ARKIT_NAMES."""

    def group(self, name: str) -> Ints:
        """Cage indices of one group's vertices."""
        return np.unique(self.quads[[group == name for group in self.groups]])

    @property
    def skin(self) -> Ints:
        """Cage indices of the skin, mouth cavity and eye sockets included."""
        return np.flatnonzero(self.hm08 <= LAST_SKIN).astype(np.int32)


def read_cage(archive: MakeHumanArchive) -> Cage:
    """Read everything that lives on the cage and compute its identity basis."""
    mesh = archive.base_mesh()
    adult = average_adult(archive, mesh.points)
    bare = _select(mesh, adult, archive.mirror())
    ground = _ground(bare)
    sliders, macros = read_sliders(archive, bare.hm08), read_macros(archive, bare.hm08)
    people = span_population(sliders, macros, ground, COMPONENTS)
    necks = np.stack([_neck_parameter(archive, name, bare, ground) for name in OWN_PARAMETERS])
    identity = np.concatenate([people.components, necks])
    mean = people.mean[None].copy()
    expression = _expressions(archive, bare.hm08)
    for side in ("l", "r"):
        helper = bare.group(f"helper-{side}-eye")
        ring = lid_ring(helper, bare.skin, bare.points)
        refit_eye(identity, helper, ring, bare.points)
        refit_eye(mean, helper, ring, bare.points)
        turn_eye(expression, helper, bare.points)
    return replace(
        bare,
        points=bare.points + mean[0],
        identity_names=(
            *(f"shape_{index:03d}" for index in range(COMPONENTS)), "neck_width", "neck_depth",
        ),
        identity=identity,
        expression=expression,
    )  # fmt: skip


def bust_level(points: Doubles) -> Doubles:
    """Height of points [V, 3] against a bowl that opens upwards: a classic bust ends on one level of it, [V] mm."""
    return points[:, 1] - BUST_BEND_PER_MM * points[:, 0] ** 2


def _select(mesh: BaseMesh, adult: Doubles, mirror: Ints) -> Cage:
    of_head = np.isin(mesh.groups, ("body", *HELPERS)) | (
        np.char.find(mesh.groups, "eyelashes") >= 0
    )
    kept = of_head & np.all(bust_level(adult)[mesh.quads] > CAGE_MM, axis=1)
    hm08 = np.unique(mesh.quads[kept])
    index = np.full(len(adult), -1, np.int32)
    index[hm08] = np.arange(len(hm08))
    return Cage(
        hm08=hm08.astype(np.int32),
        index=index,
        points=adult[hm08],
        quads=index[mesh.quads[kept]],
        groups=tuple(str(group) for group in mesh.groups[kept]),
        body_uv=mesh.uv[kept],
        mirror=index[mirror[hm08]],
        identity_names=(),
        identity=np.zeros((0, len(hm08), 3)),
        expression=np.zeros((0, len(hm08), 3)),
    )


def _ground(cage: Cage) -> Ground:
    points = cage.points
    return Ground(
        points=points,
        face=_face_front(cage),
        weights=np.where(cage.hm08 <= LAST_SKIN, 1.0, 0.1),
        fade=_identity_fade(points),
        mirror=cage.mirror,
    )


def _face_front(cage: Cage) -> Bools:
    """Mark the skin between the ears, forehead to chin: what defines the pose of a face."""
    x, y, z = cage.points.T
    return (np.abs(x) < 72) & (y > 630) & (y < 795) & (z > 75) & (cage.hm08 <= LAST_SKIN)


def _identity_fade(points: Doubles) -> Doubles:
    """Fall from 1 to 0 between the chin and the bust's edge, lower in front of the neck than under the chin.

    Heads aligned by their faces swing their shoulders by 13 to 16 mm: that is posture, not identity.
    """
    height = points[:, 1] + 0.25 * (points[:, 2] - 60.0)
    rise = np.clip((height - 577.0) / (638.0 - 577.0), 0.0, 1.0)
    return rise * rise * (3.0 - 2.0 * rise)


def _neck_parameter(archive: MakeHumanArchive, name: str, cage: Cage, ground: Ground) -> Doubles:
    slider = Slider(f"neck/{name}-incr", f"neck/{name}-decr")
    odd, _ = read_slider(archive, slider, cage.hm08)
    free = remove_similarity(odd[None], ground.points, ground.face)[0]
    edge = np.clip((cage.points[:, 1] - 580.0) / 30.0, 0.0, 1.0)
    own = odd if np.abs(odd[ground.face]).max() < 0.5 else free
    return NECK_SIGMA * edge[:, None] * own


def _expressions(archive: MakeHumanArchive, hm08: Ints) -> Doubles:
    return np.stack([archive.face_unit(name).dense(VERTEX_COUNT)[hm08] for name in ARKIT_NAMES])
