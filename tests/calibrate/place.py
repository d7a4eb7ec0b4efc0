# SPDX-License-Identifier: GPL-3.0-or-later
"""From a point near the head to a weighted mean of twelve cage vertices that lies on its surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from pixel3dmm_blender.wire import Doubles, Floats, Ints
from server.detect.topology import MIRROR
from tests.calibrate.measure import IRIS, seen_triangles
from tests.calibrate.subjects import EYES, Subjects

SUPPORT = 12
NEIGHBOURS = 16


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The 478 landmarks on the cage."""

    vertices: Ints
    """[478, 12] hm08 ids."""
    weights: Floats
    """[478, 12], sum 1."""
    points: Doubles
    """[478, 3] metres, where they lie on the subdivided neutral."""
    moved_m: Doubles
    """[478] how far the twelve weights miss that point."""


def place_landmarks(subjects: Subjects, middle: Doubles) -> Placement:
    """Put the measured centres [478, 3] on the surface; mirror twins get mirrored weights.

    A skin point takes its twelve strongest cage vertices (subdivision folded in), corrected so
    that the point stays where it was. An iris point takes twelve vertices of MakeHuman's own eye,
    by which any affine motion of the eye carries it exactly.
    """
    neutral = subjects.shape(0, None)
    triangles, is_eye = seen_triangles(subjects)
    cage_points = subjects.coarse(np.zeros_like(subjects.cage.points))[: len(subjects.cage.points)]
    vertices = np.zeros((len(middle), SUPPORT), dtype=np.int32)
    weights = np.zeros((len(middle), SUPPORT))
    points = np.zeros_like(middle)
    own = np.flatnonzero(np.arange(len(middle)) <= np.array(MIRROR))
    skin = closest_points(neutral, triangles[~is_eye], middle[own])
    ball = closest_points(neutral, triangles[is_eye], middle[own])
    for i, k in enumerate(own):
        corners, bary = (part[i] for part in (ball if IRIS[k] else skin))
        points[k] = bary @ neutral[corners]
        if MIRROR[k] == k:
            points[k, 0] = 0.0
        if IRIS[k]:
            support = _eye_support(subjects, cage_points, points[k])
            start = np.full(SUPPORT, 1.0 / SUPPORT)
        else:
            support, start = _skin_support(subjects, corners, bary, MIRROR[k] == k)
        vertices[k], weights[k] = support, _keep_point(cage_points[support], start, points[k])
        twin = MIRROR[k]
        if twin != k:
            vertices[twin], weights[twin] = subjects.cage.mirror[support], weights[k]
            points[twin] = points[k] * np.array([-1.0, 1.0, 1.0])
    placed = np.einsum("km,kmc->kc", weights, cage_points[vertices])
    return Placement(
        vertices=subjects.cage.hm08[vertices],
        weights=weights.astype(np.float32),
        points=points,
        moved_m=np.linalg.norm(placed - points, axis=1),
    )


def closest_points(points: Doubles, triangles: Ints, targets: Doubles) -> tuple[Ints, Doubles]:
    """Find the points of a mesh nearest to the targets [K, 3]: vertices and weights [K, 3].

    Only triangles around the nearest vertices are looked at, which is enough on an even mesh.
    """
    used = np.unique(triangles)
    count = min(NEIGHBOURS, len(used))
    near = np.asarray(KDTree(points[used]).query(targets, count)[1])
    order = np.argsort(triangles.ravel(), kind="stable")
    owners, sorted_vertices = order // 3, triangles.ravel()[order]
    corners = np.zeros((len(targets), 3), dtype=np.int32)
    weights = np.zeros((len(targets), 3))
    for k, target in enumerate(targets):
        vertices = used[near[k]]
        first = np.searchsorted(sorted_vertices, vertices, side="left")
        last = np.searchsorted(sorted_vertices, vertices, side="right")
        rows = np.unique(np.concatenate([owners[a:b] for a, b in zip(first, last, strict=True)]))
        around = triangles[rows]
        options = _closest_weights(points[around], target)
        found = np.einsum("tj,tjc->tc", options, points[around])
        best = int(np.argmin(np.linalg.norm(found - target, axis=1)))
        corners[k], weights[k] = around[best], options[best]
    return corners, weights


def _closest_weights(corners: Doubles, target: Doubles) -> Doubles:
    """Barycentric weights [T, 3] of the point nearest to the target in each triangle [T, 3, 3]."""
    edges = corners[:, 1:] - corners[:, :1]
    gram = np.einsum("tic,tjc->tij", edges, edges) + 1e-18 * np.eye(2)
    flat = np.linalg.solve(gram, np.einsum("tic,tc->ti", edges, target - corners[:, 0])[..., None])
    inside = np.concatenate([1.0 - flat.sum(axis=1), flat[..., 0]], axis=1)
    candidates = [np.where(np.all(inside >= 0.0, axis=1, keepdims=True), inside, np.eye(3)[0])]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        along = corners[:, j] - corners[:, i]
        share = np.einsum("tc,tc->t", target - corners[:, i], along)
        share = np.clip(share / np.maximum((along**2).sum(axis=1), 1e-18), 0.0, 1.0)[:, None]
        candidates.append((1.0 - share) * np.eye(3)[i] + share * np.eye(3)[j])
    options = np.stack(candidates)  # [4, T, 3]
    distance = np.linalg.norm(np.einsum("otj,tjc->otc", options, corners) - target, axis=2)
    return options[distance.argmin(axis=0), np.arange(len(corners))]


def _skin_support(
    subjects: Subjects, corners: Ints, bary: Doubles, midline: bool
) -> tuple[Ints, Doubles]:
    """Choose the strongest cage vertices of a fine point; on the midline in mirrored pairs."""
    rows = subjects.surface.matrix[corners].toarray()
    dense = (bary @ rows)[: len(subjects.cage.points)]
    twins = subjects.cage.mirror
    if midline:
        dense = 0.5 * (dense + dense[twins])
    chosen: list[int] = []
    for vertex in np.argsort(-dense, kind="stable"):
        group = {int(vertex), int(twins[vertex])} if midline else {int(vertex)}
        if vertex not in chosen and len(chosen) + len(group) <= SUPPORT:
            chosen += sorted(group)
        if len(chosen) == SUPPORT:
            break
    support = np.array(chosen, dtype=np.int32)
    return support, dense[support] / dense[support].sum()


def _eye_support(subjects: Subjects, cage_points: Doubles, target: Doubles) -> Ints:
    """Choose vertices of the nearest helper eye, each as far as possible from those before."""
    groups = [subjects.cage.group(group) for group in EYES.values()]
    ball = min(groups, key=lambda group: float(np.linalg.norm(cage_points[group[0]] - target)))
    away: npt.NDArray[np.float64] = np.linalg.norm(cage_points[ball] - target, axis=1)
    chosen = [int(np.argmin(away))]
    while len(chosen) < SUPPORT:
        away = np.minimum(
            away, np.linalg.norm(cage_points[ball] - cage_points[ball[chosen[-1]]], axis=1)
        )
        chosen.append(int(np.argmax(away)))
    return ball[chosen]


def _keep_point(corners: Doubles, start: Doubles, target: Doubles) -> Doubles:
    """Change the weights [M] least so that they sum to 1 and give the target."""
    size = float(np.abs(corners - target).max())
    system = np.vstack([(corners - target).T / size, np.ones(len(start))])
    wanted = np.array([0.0, 0.0, 0.0, 1.0])
    return start + np.linalg.pinv(system, rcond=1e-3) @ (wanted - system @ start)
