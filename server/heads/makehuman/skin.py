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
EVENING_STEPS = 6
MATERIAL_OF_ISLAND = {"cavity": "mouth", "tongue": "tongue"}


def build_skin(cage: Cage) -> Part:
    """Keep what belongs to the bust; its lower edge is drawn down onto a plane."""
    kept = _kept_quads(cage)
    used, local = np.unique(cage.quads[kept], return_inverse=True)
    islands = tuple(island_of(uv) for uv in cage.body_uv[kept])
    uv = np.stack(
        [
            repack(corners, island)
            for corners, island in zip(cage.body_uv[kept], islands, strict=True)
        ]
    )
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
    """Bring the cut's vertices down onto a plane and space them evenly: [V, 3] all points of the cage."""
    points = cage.points.copy()
    loop = border_loop(cage.quads[kept], points)
    removed = cage.quads[~kept & np.array([group == "body" for group in cage.groups])]
    for vertex, lower in _lowest_neighbours(removed, loop, points).items():
        start, end = cage.points[vertex], cage.points[lower]
        fall = start[1] - end[1]
        if fall > 1.0:
            points[vertex] = start + (start[1] - EDGE_MM) / fall * (end - start)
    points[loop, 1] = EDGE_MM
    for _ in range(EVENING_STEPS):
        ring = points[loop]
        points[loop] = 0.5 * ring + 0.25 * (np.roll(ring, 1, axis=0) + np.roll(ring, -1, axis=0))
    return points


def border_loop(quads: Ints, points: Doubles) -> Ints:
    """Find the lowest closed loop of border edges, as vertices in order."""
    edges = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    directed = {(int(start), int(end)) for start, end in edges}
    following = {start: end for start, end in directed if (end, start) not in directed}
    first = min(following, key=lambda vertex: points[vertex, 1])
    loop = [first]
    while following[loop[-1]] != first:
        loop.append(following[loop[-1]])
    return np.array(loop, np.int32)


def _lowest_neighbours(removed: Ints, loop: Ints, points: Doubles) -> dict[int, int]:
    """For each vertex of the loop, the lowest vertex below the plane that a removed quad joins it to."""
    lowest: dict[int, int] = {}
    on_loop = frozenset(loop.tolist())
    for quad in removed:
        for start, end in _edges(quad):
            if start not in on_loop or points[end, 1] >= EDGE_MM:
                continue
            if start not in lowest or points[end, 1] < points[lowest[start], 1]:
                lowest[start] = end
    return lowest


def _edges(quad: Ints) -> list[tuple[int, int]]:
    around = [int(vertex) for vertex in quad]
    forward = list(zip(around, around[1:] + around[:1], strict=True))
    return forward + [(end, start) for start, end in forward]


def _material(island: str) -> str:
    return "lashes" if island.startswith("lashes") else MATERIAL_OF_ISLAND.get(island, "skin")
