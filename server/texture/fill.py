# SPDX-License-Identifier: GPL-3.0-or-later
"""Harmonic fill: colours for the vertices that nobody saw, from those that were seen, over the mesh itself.

Minimises ``sum_edges |x_i - x_j|^2 + sum_i w_i |x_i - c_i|^2 + sum_i p_i |x_i - t|^2`` with the combinatorial Laplacian
D - A. That matrix (plus a positive diagonal) is an M-matrix, so every colour is a mean of seen colours and the target:
nothing can leave their convex hull. Working on vertices, the fill crosses the seams of the UV map unseen.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from server.heads.model import HeadModel
from server.raster import Indices, Reals


def mesh_edges(model: HeadModel) -> Indices:
    """List the edges [E, 2] of all faces, each once."""
    sizes, corners = model.face_sizes, model.face_vertices
    starts = np.cumsum(sizes) - sizes
    face = np.repeat(np.arange(len(sizes)), sizes)
    following = np.arange(len(corners)) + 1
    last = following == (starts + sizes)[face]
    after = corners[np.where(last, starts[face], np.minimum(following, len(corners) - 1))]
    pairs = np.sort(np.stack([corners, after], axis=1), axis=1)
    return np.unique(pairs, axis=0).astype(np.int32)


def mesh_laplacian(edges: Indices, vertex_count: int) -> sparse.csc_array:
    """Combinatorial Laplacian D - A of the edge graph, [V, V]."""
    ones = np.ones(len(edges))
    shape = (vertex_count, vertex_count)
    adjacency = sparse.coo_array((ones, (edges[:, 0], edges[:, 1])), shape=shape).tocsc()
    adjacency = adjacency + adjacency.T
    return sparse.csc_array(sparse.diags_array(adjacency.sum(axis=0)) - adjacency)


def fill_harmonic(
    laplacian: sparse.csc_array, values: Reals, weight: Reals, target: Reals, pull: Reals
) -> Reals:
    """Fill a field over the vertices.

    Args:
        laplacian: [V, V] of `mesh_laplacian`.
        values: [V, C] what was seen.
        weight: [V] >= 0, how much it counts against one edge; 0 = unseen.
        target: [C] or [V, C] where unseen places drift to.
        pull: [V] > 0, how strongly they do: 1 / n^2 reaches n edges.
    """
    system = sparse.csc_array(laplacian + sparse.diags_array((weight + pull).astype(np.float64)))
    right = weight[:, None] * values + pull[:, None] * target
    # The matrix is symmetric and diagonally dominant: no pivoting, and the ordering for symmetric matrices.
    factors = splu(
        system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    return factors.solve(right.astype(np.float64)).astype(np.float32)
