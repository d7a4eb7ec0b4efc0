# SPDX-License-Identifier: GPL-3.0-or-later
"""HeadRig + one frame of a FaceTrack -> vertices: what Blender will show, in numpy.

    keyed  = neutral + sum_n value_n keys_n                      (shape keys)
    posed  = sum_j weight_jv G_j keyed_v                         (linear blend skinning)
             with G_j = G_parent(j) T(h_j) R_j T(-h_j)
    world  = R posed + transl                                    (the head in the world)

Everything in wire axes and metres; h_j are the bone heads. A name in the track that the rig lacks
is an error.
"""

from __future__ import annotations

import numpy as np

from ..wire import Defect, Doubles, FaceTrack, Floats, HeadRig
from .rotation import matrix_from_axis_angle


def pose_head(rig: HeadRig, track: FaceTrack, i: int) -> Doubles:
    """Find all vertices [V, 3] in the world, metres, at the i-th frame of the track."""
    posed = skin(rig, apply_keys(rig, key_values(rig, track)[i]), joint_rotations(rig, track)[i])
    return posed @ matrix_from_axis_angle(track.rotation[i]).T + track.transl[i]


def key_values(rig: HeadRig, track: FaceTrack) -> Floats:
    """Order the track's expression by the rig's keys [T, N]; keys that it does not name are 0."""
    values = np.zeros((len(track.frames), len(rig.key_names)), np.float32)
    values[:, _places(track.expression_names, rig.key_names, "key")] = track.expression
    return values


def joint_rotations(rig: HeadRig, track: FaceTrack) -> Floats:
    """Order the track's axis-angle rotations by the rig's bones [T, J, 3]; others are 0."""
    rotations = np.zeros((len(track.frames), len(rig.bone_names), 3), np.float32)
    rotations[:, _places(track.joint_names, rig.bone_names, "bone")] = track.joint_rotation
    return rotations


def apply_keys(rig: HeadRig, values: Floats) -> Doubles:
    """Add the named keys [N] to the neutral head: [V, 3]."""
    return rig.neutral + np.tensordot(values.astype(np.float64), rig.keys, axes=1)


def skin(rig: HeadRig, vertices: Doubles, rotations: Floats) -> Doubles:
    """Bend vertices [V, 3] by the bones' axis-angle rotations [J, 3] (linear blend skinning)."""
    bones = bone_transforms(rig, rotations)
    blended = np.tensordot(rig.skin_weights.T.astype(np.float64), bones, axes=1)  # [V, 3, 4]
    return np.einsum("vab,vb->va", blended[:, :, :3], vertices) + blended[:, :, 3]


def bone_transforms(rig: HeadRig, rotations: Floats) -> Doubles:
    """Find G_j [J, 3, 4]: where each bone takes the points of the unposed head."""
    local = matrix_from_axis_angle(rotations)
    transforms = np.zeros((len(rig.bone_names), 3, 4))
    for j, parent in enumerate(rig.bone_parents):
        transforms[j, :, :3] = local[j]
        transforms[j, :, 3] = rig.bone_heads[j] - local[j] @ rig.bone_heads[j]
        if parent >= 0:
            above = transforms[parent]
            transforms[j, :, 3] = above[:, :3] @ transforms[j, :, 3] + above[:, 3]
            transforms[j, :, :3] = above[:, :3] @ transforms[j, :, :3]
    return transforms


def _places(names: tuple[str, ...], known: tuple[str, ...], kind: str) -> list[int]:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise Defect(
            f"The engine moves a {kind} named {unknown[0]!r}, which its head does not have."
        )
    return [known.index(name) for name in names]
