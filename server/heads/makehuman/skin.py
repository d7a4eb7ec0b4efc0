# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces of hm08 that are kept as they are: skin cut to a bust, mouth cavity, eye sockets, tongue and lashes."""

from __future__ import annotations

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Ints

from .atlas import HEAD_ISLANDS, Window, island_of, repack
from .cage import BUST_BEND_PER_MM, CUT_MM, Cage, bust_level
from .parts import Binding, Part, bind_same

EDGE_MM = CUT_MM - 4.0
"""Level of the bowl that the bust ends on."""
EVENING_STEPS = 14
CAP_RINGS = (1.0, 0.93, 0.75, 0.5, 0.25)
"""Sizes of the rings that close the bust, against its edge."""
BODY_WINDOW_OF_CAP = Window(0.20, 0.976, 0.56, 0.979)
MATERIAL_OF_ISLAND = {"cavity": "mouth", "tongue": "tongue"}


def build_skin(cage: Cage) -> Part:
    """Keep what belongs to the bust; its lower edge is drawn down onto a bowl."""
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
        points=_smooth_edge(cage, kept)[used],
        hm08=cage.hm08[used],
        binding=bind_same(used),
        quads=local.reshape(-1, 4).astype(np.int32),
        uv=uv,
        body_uv=cage.body_uv[kept],
        materials=tuple(_material(island) for island in islands),
    )


def build_cap(skin: Part) -> Part:
    """Close the bust from below: rings within its edge, on the same bowl, so that it looks solid, not like paper.

    The cap has an edge of its own, point on point with that of the skin, which no field moves.
    """
    loop = border_loop(skin.quads, skin.points)
    edge = skin.points[loop]
    count, centre = len(loop), np.array([0.0, 0.0, edge[:, 2].mean()])
    rings: list[Doubles] = []
    for share in CAP_RINGS:
        ring = centre + share * (edge - centre)
        ring[:, 1] = EDGE_MM + BUST_BEND_PER_MM * ring[:, 0] ** 2
        rings.append(ring)
    rings.append(np.array([[0.0, EDGE_MM, centre[2]]]))
    quads: list[tuple[int, int, int, int]] = []
    uv: list[list[tuple[float, float]]] = []
    for level in range(len(CAP_RINGS) - 1):
        low, high = level / len(CAP_RINGS), (level + 1) / len(CAP_RINGS)
        for here in range(count):
            following, start = (here + 1) % count, level * count
            quads.append(
                (start + following, start + here, start + count + here, start + count + following)
            )
            left, right = 1.0 - here / count, 1.0 - (here + 1) / count
            uv.append([(right, low), (left, low), (left, high), (right, high)])
    last, middle = (len(CAP_RINGS) - 1) * count, len(CAP_RINGS) * count
    low = (len(CAP_RINGS) - 1) / len(CAP_RINGS)
    for here in range(0, count, 2):
        two, one = last + (here + 2) % count, last + (here + 1) % count
        quads.append((middle, two, one, last + here))
        at = [1.0 - (here + step) / count for step in (2, 1, 0)]
        uv.append([(at[1], 1.0), (at[0], low), (at[1], low - 1e-3), (at[2], low)])
    drivers = np.append(
        np.tile(skin.binding.vertices[loop, 0], len(CAP_RINGS)), skin.binding.vertices[loop[0], 0]
    )
    corners = np.array(uv)
    return Part(
        name="cap",
        points=np.concatenate(rings),
        hm08=np.full(middle + 1, -1, np.int32),
        binding=Binding(np.stack([drivers, drivers], axis=1), np.zeros((middle + 1, 2))),
        quads=np.array(quads, np.int32),
        uv=HEAD_ISLANDS["cap"].place(corners),
        body_uv=BODY_WINDOW_OF_CAP.place(corners),
        materials=("skin",) * len(quads),
    )


def _kept_quads(cage: Cage) -> Bools:
    replaced = ("helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth")
    whole = np.array([group not in replaced for group in cage.groups])
    return whole & (bust_level(cage.points)[cage.quads] > CUT_MM).all(axis=1)


def _smooth_edge(cage: Cage, kept: Bools) -> Doubles:
    """Bring the cut's vertices down onto a bowl and space them evenly: [V, 3] all points of the cage."""
    points, level = cage.points.copy(), bust_level(cage.points)
    loop = border_loop(cage.quads[kept], points)
    removed = cage.quads[~kept & np.array([group == "body" for group in cage.groups])]
    for vertex, lower in _lowest_neighbours(removed, loop, level).items():
        fall = level[vertex] - level[lower]
        if fall > 1.0:
            share = (level[vertex] - EDGE_MM) / fall
            points[vertex] += share * (points[lower] - points[vertex])
    for _ in range(EVENING_STEPS):
        ring = points[loop]
        points[loop] = 0.5 * ring + 0.25 * (np.roll(ring, 1, axis=0) + np.roll(ring, -1, axis=0))
    points[loop, 1] = EDGE_MM + BUST_BEND_PER_MM * points[loop, 0] ** 2
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


def _lowest_neighbours(removed: Ints, loop: Ints, level: Doubles) -> dict[int, int]:
    """For each vertex of the loop, the lowest vertex below the bowl that a removed quad joins it to."""
    lowest: dict[int, int] = {}
    on_loop = frozenset(loop.tolist())
    for quad in removed:
        for start, end in _edges(quad):
            if start not in on_loop or level[end] >= EDGE_MM:
                continue
            if start not in lowest or level[end] < level[lowest[start]]:
                lowest[start] = end
    return lowest


def _edges(quad: Ints) -> list[tuple[int, int]]:
    around = [int(vertex) for vertex in quad]
    forward = list(zip(around, around[1:] + around[:1], strict=True))
    return forward + [(end, start) for start, end in forward]


def _material(island: str) -> str:
    return "lashes" if island.startswith("lashes") else MATERIAL_OF_ISLAND.get(island, "skin")
