# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces of hm08 that are kept as they are: skin cut to a bust, mouth cavity, eye sockets, tongue and lashes."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from .atlas import island_of, repack
from .cage import CUT_MM, Cage
from .parts import Part, bind_same

EDGE_MM = CUT_MM - 4.0
"""Height of the plane that the bust ends on."""
MATERIAL_OF_ISLAND = {"cavity": "mouth", "tongue": "tongue"}


def build_skin(cage: Cage) -> Part:
    """Keep what belongs to the bust; its lower edge is drawn down onto a plane."""
    kept = _kept_quads(cage)
    used, local = np.unique(cage.quads[kept], return_inverse=True)
    islands = tuple(island_of(uv) for uv in cage.body_uv[kept])
    uv = np.stack([repack(corners, island) for corners, island in zip(cage.body_uv[kept], islands)])
    return Part(
        name="skin",
        points=_straight_edge(cage, kept)[used],
        hm08=cage.hm08[used],
        binding=bind_same(used),
        quads=local.reshape(-1, 4).astype(np.int32),
        uv=uv,
        body_uv=cage.body_uv[kept],
        materials=tuple(_material(island) for island in islands),
    )


def _kept_quads(cage: Cage) -> Bools:
    replaced = ("helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth")
    whole = np.array([group not in replaced for group in cage.groups])
    return whole & (cage.points[cage.quads, 1] > CUT_MM).all(axis=1)


def _straight_edge(cage: Cage, kept: Bools) -> Doubles:
    """Move each vertex of the cut along an edge of the removed quads to where that edge meets the plane."""
    points = cage.points.copy()
    below: dict[int, int] = {}
    removed = cage.quads[~kept & np.array([group == "body" for group in cage.groups])]
    edge = np.intersect1d(np.unique(cage.quads[kept]), np.unique(removed))
    for quad in removed:
        for start, end in _edges(quad):
            if start in edge and points[end, 1] < min(
                EDGE_MM, points[below.get(start, end), 1] + 1e-9
            ):
                below[start] = end
    for vertex in edge:
        point = points[vertex].copy()
        target = cage.points[below[vertex]] if vertex in below else point
        fall = point[1] - target[1]
        share = (point[1] - EDGE_MM) / fall if fall > 1.0 else 0.0
        points[vertex] = point + share * (target - point)
        points[vertex, 1] = EDGE_MM
    return points


def _edges(quad: Ints) -> list[tuple[int, int]]:
    around = [int(vertex) for vertex in quad]
    forward = list(zip(around, around[1:] + around[:1]))
    return forward + [(end, start) for start, end in forward]


def _material(island: str) -> str:
    return "lashes" if island.startswith("lashes") else MATERIAL_OF_ISLAND.get(island, "skin")
