# SPDX-License-Identifier: GPL-3.0-or-later
"""Short ways to the parts and expressions of a HeadModel, for tests."""

from __future__ import annotations

import numpy as np

from server.heads.deform import expressed
from server.heads.model import HeadModel


def group(head: HeadModel, name: str):
    return head.groups[head.group_names.index(name)] > 0.5


def express(head: HeadModel, **values: float):
    expression = np.zeros(len(head.expression_names), np.float32)
    for name, value in values.items():
        expression[head.expression_names.index(name)] = value
    return expressed(head, head.template, expression)


def quads(head: HeadModel):
    return head.face_vertices.reshape(-1, 4)


def of_material(head: HeadModel, name: str):
    return quads(head)[head.face_materials == [m.name for m in head.materials].index(name)]
