# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts: the pieces a head is assembled from, each bound to the cage so that it follows every displacement field.

The cage is the set of hm08 vertices around the head, helpers included: fields (identity, expression) live on
it. A part's points move by fixed weighted sums of the cage's offsets. Parts of the base mesh itself are
bound one to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixel3dmm_blender.wire import Doubles, Ints


@dataclass(frozen=True)
class Binding:
    """Offsets of M points as weighted sums of the offsets of K cage vertices each."""

    vertices: Ints
    """[M, K] cage indices."""
    weights: Doubles
    """[M, K]"""

    def carry(self, fields: Doubles) -> Doubles:
        """Carry fields [..., V, D] of the cage to the points: [..., M, D]."""
        moved = np.zeros((*fields.shape[:-2], len(self.vertices), fields.shape[-1]))
        for column, weight in zip(self.vertices.T, self.weights.T, strict=True):
            moved += fields[..., column, :] * weight[:, None]
        return moved


@dataclass(frozen=True)
class Part:
    """One piece of geometry with M points and F quads."""

    name: str
    points: Doubles
    """[M, 3] mm in the frame of hm08."""
    hm08: Ints
    """[M] ids in the base mesh, -1 for points of our own."""
    binding: Binding
    quads: Ints
    """[F, 4] indices into the part's points."""
    uv: Doubles
    """[F, 4, 2] in the head atlas."""
    body_uv: Doubles
    """[F, 4, 2] in MakeHuman's body atlas."""
    materials: tuple[str, ...]
    """[F] names."""


def bind_same(vertices: Ints) -> Binding:
    """Let each point follow the one cage vertex that it is."""
    return Binding(vertices[:, None].astype(np.int32), np.ones((len(vertices), 1)))


def bind_affinely(points: Doubles, drivers: Ints, cage_points: Doubles) -> Binding:
    """Let the points [M, 3] follow the affine motion that best explains the drivers' offsets (least squares).

    The row of weights for p is [p, 1] pinv([drivers, 1]): it reproduces p itself, and every affine motion exactly.
    """
    centre = cage_points[drivers].mean(axis=0)
    system = np.column_stack([cage_points[drivers] - centre, np.ones(len(drivers))])
    weights = np.column_stack([points - centre, np.ones(len(points))]) @ np.linalg.pinv(system)
    return Binding(np.tile(drivers.astype(np.int32), (len(points), 1)), weights)


def join(parts: tuple[Part, ...], name: str) -> Part:
    """Make one part of several; bindings are padded with weight 0."""
    starts = np.cumsum([0] + [len(part.points) for part in parts])
    width = max(part.binding.vertices.shape[1] for part in parts)
    pad = [((0, 0), (0, width - part.binding.vertices.shape[1])) for part in parts]
    return Part(
        name=name,
        points=np.concatenate([part.points for part in parts]),
        hm08=np.concatenate([part.hm08 for part in parts]),
        binding=Binding(
            np.concatenate(
                [np.pad(part.binding.vertices, by) for part, by in zip(parts, pad, strict=True)]
            ),
            np.concatenate(
                [np.pad(part.binding.weights, by) for part, by in zip(parts, pad, strict=True)]
            ),
        ),
        quads=np.concatenate(
            [part.quads + start for part, start in zip(parts, starts, strict=False)]
        ).astype(np.int32),
        uv=np.concatenate([part.uv for part in parts]),
        body_uv=np.concatenate([part.body_uv for part in parts]),
        materials=tuple(material for part in parts for material in part.materials),
    )
