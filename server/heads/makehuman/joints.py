# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints of the MakeHuman head: neck, head, jaw and eyes, with skin weights taken from the default rig.

``jawOpen`` and the other keys already move the jaw, so the jaw joint is for artists and for trackers that
think in joints. The data's joint markers do not turn with the jaw: its hinge is computed from how
``jawOpen`` carries the lower teeth.
"""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from .archive import MakeHumanArchive
from .cage import ARKIT_NAMES, Cage
from .parts import bind_affinely

JOINT_NAMES = ("neck", "head", "jaw", "eye_L", "eye_R")
JOINT_PARENTS = (-1, 0, 1, 1, 1)
MARKERS = {"neck": (14534, 14542), "head": (14070, 14078)}
"""hm08 ids of the cubes that mark joints."""
NECK_SHARE_OF_HEAD = {"neck01": 0.1, "neck02": 0.4, "neck03": 0.75}
"""The rig bends the neck in three bones, we in two joints."""
DRIVER_REACH_MM = {"neck": 75.0, "head": 85.0, "jaw": 45.0}


def joint_positions(adult: Doubles, cage: Cage, eye_centres: tuple[Doubles, Doubles]) -> Doubles:
    """Place the five joints on the average adult, [5, 3] mm; ``adult`` is the whole hm08 with its markers."""
    marked = [adult[slice(*MARKERS[name])].mean(axis=0) for name in ("neck", "head")]
    return np.stack([*marked, jaw_hinge(cage), *eye_centres]) * _on_axis()


def jaw_hinge(cage: Cage) -> Doubles:
    """Find the point [3] about which ``jawOpen`` turns the lower teeth.

    Kabsch gives the turn; its fixed point in the y-z plane is the hinge.
    """
    teeth = cage.group("helper-lower-teeth")
    before = cage.points[teeth]
    after = before + cage.expression[ARKIT_NAMES.index("jawOpen")][teeth]
    middle, moved = before.mean(axis=0), after.mean(axis=0)
    left, _, right = np.linalg.svd((after - moved).T @ (before - middle))
    rotation = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
    shift = moved - rotation @ middle
    fixed = np.linalg.solve(np.eye(2) - rotation[1:, 1:], shift[1:])
    return np.array([0.0, *fixed])


def joint_drivers(cage: Cage, usable: Bools, joint: str, position: Doubles) -> tuple[Ints, Doubles]:
    """Choose usable [V] skin whose affine motion carries a joint.

    Returns cage indices [K] and weights [K] that sum to 1.
    """
    skin = cage.skin[usable[cage.skin]]
    away = np.linalg.norm(cage.points[skin] - position, axis=1)
    if joint == "jaw":  # the hinge lies inside, near both ears
        away = np.linalg.norm((cage.points[skin] - position) * [0.3, 1.0, 1.0], axis=1)
    binding = bind_affinely(position[None], skin[away < DRIVER_REACH_MM[joint]], cage.points)
    return binding.vertices[0], binding.weights[0]


def skin_weights(archive: MakeHumanArchive, cage: Cage) -> Doubles:
    """Weights of the five joints on the cage, [5, V], symmetric, summing to 1 over the joints."""
    parents = archive.bone_parents()
    weights = np.zeros((len(JOINT_NAMES), len(cage.hm08)))
    for bone, dense in archive.bone_weights().items():
        for joint, share in _joints_of(bone, parents):
            weights[JOINT_NAMES.index(joint)] += share * dense[cage.hm08]
    weights[1] += (
        weights[3] + weights[4]
    )  # the rig lets eyes drag their lids a little; the keys do that
    weights[3:] = 0.0
    for row, side in ((3, "l"), (4, "r")):
        helper = cage.group(f"helper-{side}-eye")
        weights[:, helper] = 0.0
        weights[row, helper] = 1.0
    swapped = weights[[0, 1, 2, 4, 3]][:, cage.mirror]
    weights = 0.5 * (weights + swapped)
    total = weights.sum(axis=0)
    weights[1, total < 1e-6] = 1.0
    return weights / weights.sum(axis=0)


def _joints_of(bone: str, parents: dict[str, str]) -> tuple[tuple[str, float], ...]:
    """Which of our joints a bone of the rig belongs to, by its ancestors."""
    chain = [bone]
    while parents.get(chain[-1]):
        chain.append(parents[chain[-1]])
    if "jaw" in chain:
        return (("jaw", 1.0),)
    if bone in ("eye.L", "eye.R"):
        return ((f"eye_{bone[-1]}", 1.0),)
    if "head" in chain:
        return (("head", 1.0),)
    share = NECK_SHARE_OF_HEAD.get(bone, 0.0)
    return (("head", share), ("neck", 1.0 - share))


def _on_axis() -> Doubles:
    """Neck, head and jaw lie in the plane of symmetry."""
    middle = [0.0, 1.0, 1.0]
    return np.array([middle, middle, middle, [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
