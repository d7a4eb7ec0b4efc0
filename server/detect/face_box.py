# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the faces are in a picture: upright, turned, upside down, small, several.

The detector sees 128 x 128 pixels and misses faces below a tenth of that, and it half believes an upside-down face
(score 0.65 against 0.92, measured), which the mesh network then believes fully. So the picture is looked at in four
orientations and in ever smaller tiles; every candidate is looked at again from near, in four orientations, and the
best one counts. Whether it is a face, only the landmarks tell (``detector.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixel3dmm_blender.wire import Doubles

from .crop import Picture, Square, cut_squares
from .executor import Network

CANDIDATE_SCORE = 0.5
"""Below this the detector's answer is noise."""
CLOSE_LOOK = 2.0
"""Side of the second look over the size of the face: the detector is at its best where a face fills half its view."""
TILE_LEVELS = (2, 4, 8)
"""Tiles are the picture's long side over these numbers, half overlapping."""
SMALLEST_TILE = 180.0
"""Pixels; a face needs a tenth of a tile, and below 18 pixels landmarks mean nothing."""
BATCH = 16
_OVERLAP = 0.3
_ANCHOR_GRIDS = ((16, 2), (8, 6))
"""Cells per side, anchors per cell: 896 together, in the order of the network's output."""


@dataclass(frozen=True)
class Candidate:
    """What the detector sees, in source pixels."""

    center_x: float
    center_y: float
    size: float
    """Longer side of its box."""
    angle_rad: float
    """Direction from the right eye to the left eye."""
    score: float

    def is_same_face(self, other: Candidate) -> bool:
        """Whether two boxes are too near to be two faces."""
        distance = math.hypot(self.center_x - other.center_x, self.center_y - other.center_y)
        return distance < 0.5 * max(self.size, other.size)

    def square(self, margin: float, turn_rad: float = 0.0) -> Square:
        """Frame it, eyes level if it is not turned, with ``margin`` times its size as side."""
        return Square(self.center_x, self.center_y, self.size * margin, self.angle_rad + turn_rad)


def search_passes(picture: Picture, *, thorough: bool = True) -> Iterator[list[Square]]:
    """Where to look, in passes: each only if those before it found no face.

    The first is the whole picture in four orientations and tiles of half its size; the others, only if ``thorough``,
    ever smaller tiles, upright before turned.
    """
    yield _whole_views(picture) + _tiles(picture, TILE_LEVELS[0])
    if not thorough:
        return
    for turn in range(4):
        for level in TILE_LEVELS[1:] if turn == 0 else TILE_LEVELS[:-1]:
            yield [tile.moved(0.0, 0.0, 1.0, turn * math.pi / 2) for tile in _tiles(picture, level)]


def find_boxes(picture: Picture, views: Sequence[Square], detector: Network) -> list[Candidate]:
    """Look at some views, then at each candidate from near; each possible face once, best first."""
    near = [
        _look_closely(picture, candidate, detector)
        for candidate in _distinct(detect(picture, views, detector))
    ]
    return _distinct(candidate for candidate in near if candidate)


def detect(picture: Picture, views: Sequence[Square], detector: Network) -> list[Candidate]:
    """Run the detector on square views of a picture; overlapping answers within one view are averaged."""
    found: list[Candidate] = []
    for start in range(0, len(views), BATCH):
        batch = views[start : start + BATCH]
        crops = cut_squares(picture, batch, detector.side, extend=False)
        boxes, logits = detector.run(crops * 2.0 - 1.0)
        for view, raw, scores in zip(batch, boxes.cpu(), logits.cpu(), strict=True):
            found += _decode(view, raw, scores, detector.side)
    return found


def _whole_views(picture: Picture) -> list[Square]:
    """Return the picture as one square in four orientations."""
    side = float(max(picture.width, picture.height))
    return [
        Square(picture.width / 2, picture.height / 2, side, turn * math.pi / 2) for turn in range(4)
    ]


def _tiles(picture: Picture, level: int) -> list[Square]:
    side = max(picture.width, picture.height) / level
    if side < SMALLEST_TILE:
        return []
    rows, columns = _tile_centers(picture.height, side), _tile_centers(picture.width, side)
    return [Square(x, y, side) for y in rows for x in columns]


def _tile_centers(length: int, side: float) -> list[float]:
    if length <= side:
        return [length / 2]
    count = math.ceil((length - side) / (side / 2)) + 1
    return [side / 2 + (length - side) * i / (count - 1) for i in range(count)]


def _distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Keep the best of all that show the same face."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.score):
        if not any(candidate.is_same_face(other) for other in kept):
            kept.append(candidate)
    return kept


def _look_closely(picture: Picture, candidate: Candidate, detector: Network) -> Candidate | None:
    """Look again from near, in four orientations; the best answer that is still the same face, if any."""
    views = [candidate.square(CLOSE_LOOK, turn * math.pi / 2) for turn in range(4)]
    answers = [
        answer for answer in detect(picture, views, detector) if answer.is_same_face(candidate)
    ]
    return max(answers, key=lambda answer: answer.score, default=None)


def _decode(view: Square, raw: Tensor, logits: Tensor, side: int) -> list[Candidate]:
    """Anchors' raw boxes [896, 16] and logits [896, 1] of one view -> candidates."""
    scores = torch.sigmoid(logits[:, 0].clamp(-100.0, 100.0)).double().numpy()
    good = np.flatnonzero(scores >= CANDIDATE_SCORE)
    values = raw.double().numpy()[good] / side
    # Box centre and key points are relative to the anchor's cell, sizes to the view.
    centers = _anchor_centers()[good]
    boxes = np.concatenate([values[:, :2] + centers, values[:, 2:4]], 1)
    eyes = values[:, 4:8].reshape(-1, 2, 2) + centers[:, None]
    merged = _average_overlapping(boxes, eyes, scores[good])
    return [_to_candidate(view, box, pair, score) for box, pair, score in merged]


def _anchor_centers() -> Doubles:
    """[896, 2] in 0..1."""
    grids: list[Doubles] = []
    for cells, repeats in _ANCHOR_GRIDS:
        steps = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
        grids.append(grid.repeat(repeats, 0))
    return np.concatenate(grids)


def _average_overlapping(
    boxes: Doubles, eyes: Doubles, scores: Doubles
) -> list[tuple[Doubles, Doubles, float]]:
    """Blend boxes that overlap, weighted by score (weighted non-maximum suppression); the best score stays."""
    order = np.argsort(-scores, kind="stable")
    merged: list[tuple[Doubles, Doubles, float]] = []
    while len(order):
        same = _overlap(boxes[order[0]], boxes[order]) > _OVERLAP
        same[0] = True
        group = order[same]
        weights = scores[group] / scores[group].sum()
        eye_pair = np.tensordot(weights, eyes[group], 1)
        merged.append((weights @ boxes[group], eye_pair, float(scores[order[0]])))
        order = order[~same]
    return merged


def _overlap(box: Doubles, others: Doubles) -> Doubles:
    """Intersection over union of boxes (centre, size)."""
    low = np.maximum(box[:2] - box[2:] / 2, others[:, :2] - others[:, 2:] / 2)
    high = np.minimum(box[:2] + box[2:] / 2, others[:, :2] + others[:, 2:] / 2)
    shared = np.clip(high - low, 0.0, None).prod(1)
    return shared / np.maximum(box[2:].prod() + others[:, 2:].prod(1) - shared, 1e-12)


def _to_candidate(view: Square, box: Doubles, eyes: Doubles, score: float) -> Candidate:
    x, y = view.to_source(box[:2])
    right, left = view.to_source(eyes)
    angle = math.atan2(left[1] - right[1], left[0] - right[0])
    return Candidate(float(x), float(y), float(box[2:].max()) * view.side, angle, score)
