# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part of which person an object is: told by custom properties, so renaming breaks nothing."""

from __future__ import annotations

from enum import Enum
from typing import Final

import bpy

PERSON: Final = "pixel3dmm_person"
ROLE: Final = "pixel3dmm_role"


class Role(Enum):
    """What an object is to its person."""

    RIG = "rig"
    HEAD = "head"
    CAMERA = "camera"


def stamp(owner: bpy.types.Object, person: str, role: Role) -> None:
    """Mark an object as a part of a person."""
    owner[PERSON] = person
    owner[ROLE] = role.value


def free_name(wanted: str) -> str:
    """Find a name that no person of this file has, whatever their collections are called by now."""
    taken = {person_of(each) for each in bpy.data.objects}
    number, name = 1, wanted
    while name in taken:
        number, name = number + 1, f"{wanted} {number + 1}"
    return name


def person_of(owner: bpy.types.Object | None) -> str:
    """Name the person that an object belongs to; empty for objects that are not ours."""
    return str(owner.get(PERSON, "")) if owner is not None else ""


def part_of(scene: bpy.types.Scene, person: str, role: Role) -> bpy.types.Object | None:
    """Find the rig, head or camera of a person in a scene."""
    return next(
        (
            each
            for each in scene.objects
            if each.get(PERSON) == person and each.get(ROLE) == role.value
        ),
        None,
    )


def has_people(scene: bpy.types.Scene) -> bool:
    """Say whether a scene holds a reconstructed person."""
    return any(PERSON in each for each in scene.objects)
