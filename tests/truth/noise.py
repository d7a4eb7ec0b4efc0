# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact maps and landmarks made as wrong as a network's: Degradation, its presets, and applying it.

UV amounts are in heights of the face in the UV map, landmark amounts in heights of the face in the
picture: 0.01 is about 2 mm on the face. A network's bias is a function of its seed and of the place
on the face, the same in all pictures; the rest is drawn anew for each picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from pixel3dmm_blender.wire import Doubles, Floats
from server.heads.model import HeadModel
from server.heads.view import view_angles, view_roll
from server.priors.maps import PriorMaps
from server.raster import corner_triangles

from .damage import blot, occlude, salt
from .scene import Scene
from .surface import face_skin, triangle_mask

WAVES = 128
"""Cosines that make up a smooth field over the UV map."""
FLATTEN_LIMIT = 6.0
"""No normal is moved further than this many times its way to the local mean."""


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """How wrong the maps and landmarks are. All amounts are rms over the face; 0 is exact."""

    uv_smooth: float = 0.0
    """Correlated error of u and of v, in face heights."""
    uv_white: float = 0.0
    """Independent error of each pixel's u and v, in face heights."""
    normal_smooth_deg: float = 0.0
    """Angle by which normals are turned, correlated."""
    normal_white_deg: float = 0.0
    """Angle by which normals are turned, independent in each pixel."""
    length_px: float = 24.0
    """Distance at which correlated errors have correlation exp(-1/2)."""
    blobs: float = 0.0
    """Share of the face's pixels that show coherent garbage."""
    salt: float = 0.0
    """Share of the face's pixels that are wrong alone."""
    occlusion: float = 0.0
    """Share of the face's pixels behind one occluder, after everything else."""
    uv_bias: float = 0.0
    """The network's own error of u and of v, a smooth field over the UV map, in face heights."""
    bias_length: float = 0.25
    """Distance at which that field has correlation exp(-1/2), in face heights."""
    flatten_deg: float = 0.0
    """Angle by which normals are turned towards the mean of their neighbourhood: networks smooth."""
    flatten_px: float = 24.0
    """Side of that neighbourhood."""
    landmark_bias: float = 0.0
    """Fixed error of each landmark's x and y, in face heights."""
    landmark_view: float = 0.0
    """The same, times the sine of yaw, and again of pitch, over sin 45 degrees."""
    landmark_white: float = 0.0
    """Error of each landmark's x and y in each picture, in face heights."""
    network: int = 0
    """Seed of all that is the same in all pictures."""


CLEAN = Degradation()
NETWORK = Degradation(
    uv_smooth=0.004,
    uv_white=0.002,
    normal_smooth_deg=6.0,
    normal_white_deg=3.0,
    uv_bias=0.005,
    flatten_deg=3.0,
    landmark_bias=0.006,
    landmark_view=0.006,
    landmark_white=0.004,
)
"""A good network: uv off by about 0.9 % of the face's height altogether, normals by about 7 degrees."""
HARD = replace(NETWORK, blobs=0.05, salt=0.02, occlusion=0.30)
"""The same network on a bad day: garbage in places, and something before a third of the face."""


def degrade(
    maps: PriorMaps, degradation: Degradation, rng: np.random.Generator, model: HeadModel
) -> PriorMaps:
    """Degrade exact maps: bias, then noise, garbage, wrong pixels and the occluder."""
    known = maps.confidence > 0
    uv = maps.uv + face_uv_height(model) * _uv_noise(maps, degradation, rng)
    uv[known] += uv_bias(maps.uv[known], degradation, model)
    flat = _flattened(maps, degradation)
    normals = _unit(flat + _across(flat, _normal_noise(maps, degradation, rng)))
    noisy = replace(
        maps,
        uv=np.where(known[..., None], uv, 0.0).astype(np.float32),
        normals=np.where(known[..., None], normals, 0.0).astype(np.float32),
    )
    spoilt = salt(blot(noisy, degradation.blobs, rng), degradation.salt, rng)
    return occlude(spoilt, degradation.occlusion, rng)


def degrade_landmarks(
    points_px: Doubles, scene: Scene, degradation: Degradation, rng: np.random.Generator
) -> Doubles:
    """Return landmarks [K, 2] px as a network would see them.

    offset = b_k + (sin yaw Y_k + sin pitch P_k) / sin 45 deg, turned with the head's roll (networks
    straighten their crop), + white noise; b, Y and P are the network's, N(0, rms) each.
    """
    fixed = np.random.default_rng([degradation.network, 478, len(points_px)])
    bias, by_yaw, by_pitch = fixed.normal(size=(3, *points_px.shape))
    yaw, pitch = np.sin(view_angles(scene.rotation)) / np.sin(np.pi / 4)
    upright = degradation.landmark_bias * bias
    upright += degradation.landmark_view * (yaw * by_yaw + pitch * by_pitch)
    cos, sin = np.cos(roll := view_roll(scene.rotation)), np.sin(roll)
    turned = upright @ np.array([[cos, sin], [-sin, cos]])
    white = degradation.landmark_white * rng.normal(size=points_px.shape)
    return points_px + scene.face_height_px * (turned + white)


def face_uv_height(model: HeadModel) -> float:
    """Return the extent in v of the face's skin in the first UV map."""
    return float(np.ptp(_face_uv(model)[:, 1]))


def uv_bias(uv: Floats | Doubles, degradation: Degradation, model: HeadModel) -> Doubles:
    """Return the network's error [N, 2] at places [N, 2] of the UV map, in its units; rms over the corners."""
    if degradation.uv_bias == 0:
        return np.zeros(uv.shape)
    rng = np.random.default_rng([degradation.network, 2])
    height = face_uv_height(model)
    waves = rng.normal(0.0, 1.0 / (degradation.bias_length * height), (2, WAVES))
    phases = rng.uniform(0, 2 * np.pi, WAVES)
    amounts = rng.normal(size=(WAVES, 2))
    on_face = np.cos(_face_uv(model) @ waves + phases) @ amounts
    present = np.sqrt((on_face**2).mean(axis=0))
    return degradation.uv_bias * height * (np.cos(uv @ waves + phases) @ (amounts / present))


def smooth_noise(
    shape: tuple[int, int], count: int, length_px: float, rng: np.random.Generator
) -> Doubles:
    """Return fields [H, W, count] of variance 1 and correlation exp(-d^2 / (2 length^2)).

    White noise on a grid of spacing length / 2, spread by Gaussians of sigma = length / sqrt 2; the
    spreading is separable, and its rows have norm 1.
    """
    across = [_spreading(side, length_px) for side in shape]
    white = rng.normal(size=(count, across[0].shape[1], across[1].shape[1]))
    return np.moveaxis(across[0] @ white @ across[1].T, 0, -1)


def _face_uv(model: HeadModel) -> Doubles:
    """The corners [N, 2] of the face's triangles in the first UV map."""
    corners = corner_triangles(model.face_sizes)[triangle_mask(model, face_skin(model))]
    return model.uv[0][np.unique(corners)].astype(np.float64)


def _spreading(side: int, length_px: float) -> Doubles:
    nodes = np.arange(-3.0 * length_px, side + 3.0 * length_px, length_px / 2)
    away = (np.arange(side) + 0.5)[:, None] - nodes
    weights = np.exp(-((away / length_px) ** 2))
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def _uv_noise(maps: PriorMaps, degradation: Degradation, rng: np.random.Generator) -> Doubles:
    smooth = smooth_noise(maps.confidence.shape, 2, degradation.length_px, rng)
    white = rng.normal(size=maps.uv.shape)
    return degradation.uv_smooth * smooth + degradation.uv_white * white


def _normal_noise(maps: PriorMaps, degradation: Degradation, rng: np.random.Generator) -> Doubles:
    """Vectors [H, W, 3], radians: two of their three axes will turn the normal, so each has 1 / sqrt 2."""
    smooth = smooth_noise(maps.confidence.shape, 3, degradation.length_px, rng)
    white = rng.normal(size=maps.normals.shape)
    sigmas = np.radians([degradation.normal_smooth_deg, degradation.normal_white_deg])
    return (sigmas[0] * smooth + sigmas[1] * white) / np.sqrt(2.0)


def _flattened(maps: PriorMaps, degradation: Degradation) -> Doubles:
    """Normals [H, W, 3] turned towards the mean of the known ones around, by the wanted angle in rms."""
    normals, known = maps.normals.astype(np.float64), maps.confidence > 0
    if degradation.flatten_deg == 0 or not known.any():
        return normals
    side = round(degradation.flatten_px)
    mean = ndimage.uniform_filter(normals, side, axes=(0, 1))
    away = _across(normals, _unit(ndimage.uniform_filter(mean, side, axes=(0, 1))))
    rms = np.sqrt((away[known] ** 2).sum(axis=1).mean())
    amount = min(np.radians(degradation.flatten_deg) / max(rms, 1e-9), FLATTEN_LIMIT)
    return _unit(normals + amount * away)


def _across(normals: Doubles, vectors: Doubles) -> Doubles:
    """The parts of vectors [..., 3] that lie in the tangent planes of unit normals [..., 3]."""
    return vectors - (vectors * normals).sum(axis=-1, keepdims=True) * normals


def _unit(vectors: Doubles) -> Doubles:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
