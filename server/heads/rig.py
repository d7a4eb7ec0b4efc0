# SPDX-License-Identifier: GPL-3.0-or-later
"""One person's head as plain data: HeadModel and identity -> HeadRig on the wire."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Floats, HeadRig

from .deform import neutral
from .model import HeadModel


def make_rig(model: HeadModel, identity: Floats) -> HeadRig:
    """Fix the identity [S] of a head; its keys, bones, weights, groups and maps go with it.

    Every expression becomes a key of the same name, those that are never fitted too: an artist has use for them.
    """
    person = neutral(model, identity)
    heads = model.joints(person).astype(np.float32)
    return HeadRig(
        head=model.name,
        licence=model.licence,
        provenance=model.provenance,
        neutral=person,
        face_sizes=model.face_sizes,
        face_vertices=model.face_vertices,
        face_materials=model.face_materials,
        materials=model.materials,
        uv_names=model.uv_names,
        uv=model.uv,
        key_names=model.expression_names,
        keys=model.expression,
        key_min=np.ascontiguousarray(model.expression_bounds[:, 0]),
        key_max=np.ascontiguousarray(model.expression_bounds[:, 1]),
        bone_names=model.joint_names,
        bone_parents=model.joint_parents,
        bone_heads=heads,
        bone_tails=heads + model.bone_tails,
        skin_weights=model.skin_weights,
        group_names=model.group_names,
        groups=model.groups,
        mirror=model.mirror,
    )
