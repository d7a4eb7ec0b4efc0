# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure the solve is, as the artist finds it: an attribute of the head's points, and a line in the panel."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import bpy
import numpy as np

from pixel3dmm_blender.rig.person import Person, build_person
from pixel3dmm_blender.rig.solve import describe_doubts
from pixel3dmm_blender.wire import Tracked
from tests.fakes.tracked import make_tracked


def build(tracked: Tracked, plate: Path) -> Person:
    return build_person(bpy.context.scene, tracked, "ada", plate, None)


def test_confidence_is_an_attribute_of_the_points(photo) -> None:
    tracked = make_tracked()

    person = build(tracked, photo("ada"))

    attribute = person.head.data.attributes["confidence"]
    assert (attribute.data_type, attribute.domain) == ("FLOAT", "POINT")
    found = np.empty(len(tracked.rig.neutral), np.float32)
    attribute.data.foreach_get("value", found)
    np.testing.assert_array_equal(found, tracked.vertex_confidence)


def test_the_rig_says_how_sure_the_solve_is_or_nothing(photo) -> None:
    tracked = make_tracked()
    track = dataclasses.replace(tracked.track, focal_std=None, rotation_std=None)
    silent = dataclasses.replace(tracked, track=track, vertex_std_m=None, vertex_confidence=None)

    sure, unsure = (build(it, photo("ada")) for it in (tracked, silent))

    expected = (
        f"Uncertainty: identity ± {tracked.face_std_mm():.1f} mm, pose ± 2.0°, focal length ± 12 %"
    )
    assert describe_doubts(sure.rig) == expected
    assert describe_doubts(unsure.rig) == ""
    assert "confidence" not in unsure.head.data.attributes
