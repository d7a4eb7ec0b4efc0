# SPDX-License-Identifier: GPL-3.0-or-later
"""Refine: solve again from the present result, after the user pinned a point, masked a region or locked a variable.

In a clip a pin says that the network is wrong around this frame: the offset that it asks for fades over the neighbours,
which are solved with it, tied by the smoothness of the clip; the frames beyond stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Bools, Doubles, Floats, Ints

from ..heads.model import Embedding, HeadModel
from .energy import ViewTerm
from .marks import Marks
from .masks import mask_observation
from .observation import Observation
from .problem import Check, Problem
from .solver import EVERYTHING, Freedom, solve
from .stages import Fitted, Fitter
from .terms.pins import Pins
from .terms.smooth import smoothness
from .variables import FitVariables

REACH = 8
"""Frames on either side of a pin that follow it."""
SIGMA_PX = 0.04
"""How near to its place a pinned point has to come, one standard deviation."""
AROUND = 0.06
"""Landmarks so near to a pin, as a share of the face height, give way to it."""


@dataclass(frozen=True, eq=False)
class Pin:
    """A point of the head, a weighted mean of M vertices, that belongs on a pixel."""

    vertices: Ints
    """[M]"""
    weights: Floats
    """[M], sum to 1."""
    px: Doubles
    """[2]"""


@dataclass(frozen=True, eq=False)
class Correction:
    """What the user said of one view."""

    view: int
    pins: tuple[Pin, ...] = ()
    mask: Bools | None = None
    """[H, W] of the picture, True where it is not to be believed."""


@dataclass(frozen=True, eq=False)
class Corrections:
    """Corrections of views, and which variables are not locked."""

    of_views: tuple[Correction, ...]
    freedom: Freedom = EVERYTHING


@dataclass(frozen=True, eq=False)
class Timing:
    """How the views of a clip lie in time; None of it for photos."""

    gaps: tuple[int, ...] = ()
    """[N - 1] frames from each view to the next; empty for photos."""
    fps: float = 0.0


def refine(
    fitter: Fitter,
    model: HeadModel,
    present: Fitted,
    corrections: Corrections,
    timing: Timing,
    check: Check,
) -> Fitted:
    """Solve again where the corrections are, from what was found before.

    Args:
        fitter: as in the first solve.
        model: the head that it was made from.
        present: the result to start from.
        corrections: of some views, and what is locked. Identity and camera of a clip stay as they are.
        timing: of a clip.
        check: may raise to cancel.
    """
    seen = list(present.seen)
    for correction in corrections.of_views:
        if correction.mask is not None:
            seen[correction.view] = mask_observation(seen[correction.view], correction.mask)
    masked = replace(present, seen=tuple(seen))
    if not timing.gaps:
        return _refine_photos(fitter, model, masked, corrections, check)
    variables = masked.variables
    for views in _windows(corrections.of_views, len(seen)):
        window = Window(fitter, model, masked, views, timing)
        variables = window.solve(variables, corrections, check)
    return Fitted(variables, tuple(seen))


def _refine_photos(
    fitter: Fitter, model: HeadModel, present: Fitted, corrections: Corrections, check: Check
) -> Fitted:
    fitter = fitter.steadied(present.variables.views, shared_camera=False)
    anchors = anchored(fitter, model, present, corrections)
    pinned = [pinned_view(anchors, present, i) for i in range(len(present.seen))]
    seen = tuple(view.seen for view in pinned)
    terms = fitter.views_terms(seen, shared_camera=False)
    problem = Problem(
        fitter.head,
        tuple((*own, *view.terms) for own, view in zip(terms, pinned, strict=True)),
        fitter.person_terms(),
        check=check,
    )
    schedule = fitter.schedule.unwidened()
    solution = solve(problem, present.variables, corrections.freedom, schedule)
    return Fitted(solution.variables, present.seen, solution)


def _windows(corrections: tuple[Correction, ...], count: int) -> tuple[range, ...]:
    """Runs of views around the corrections, joined where they meet."""
    near = np.zeros(count + 1, bool)
    for correction in corrections:
        near[max(0, correction.view - REACH) : min(count, correction.view + REACH + 1)] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], near]).astype(int)))
    return tuple(range(int(a), int(b)) for a, b in edges.reshape(-1, 2))


@dataclass(frozen=True, eq=False)
class Window:
    """A run of views of a clip that is solved again, and the views beside it, which hold its ends."""

    fitter: Fitter
    model: HeadModel
    present: Fitted
    views: range
    timing: Timing

    def solve(
        self,
        variables: FitVariables,
        corrections: Corrections,
        check: Check,
    ) -> FitVariables:
        """Solve pose and expression of the window; identity and camera stay."""
        first = max(0, self.views.start - 1)
        last = min(len(variables.views), self.views.stop + 1)
        head = self.fitter.head.folded(variables.identity)
        fitter = replace(self.fitter, head=head)
        present = Fitted(FitVariables(np.zeros(0), variables.views), self.present.seen)
        anchors = anchored(fitter, self.model, present, corrections)
        pinned = [pinned_view(anchors, present, i) for i in range(first, last)]
        held = tuple(i - first for i in range(first, last) if i not in self.views)
        problem = Problem(
            head,
            tuple((*fitter.view_terms(view.seen), *view.terms) for view in pinned),
            pairs=(smoothness(head.columns, self.timing.fps, fitter.weights),),
            gaps=self.timing.gaps[first : last - 1],
            held=held,
            check=check,
        )
        start = FitVariables(np.zeros(0), variables.views[first:last])
        freedom = replace(corrections.freedom, identity=False, focal=False, center=False)
        schedule = fitter.schedule.for_refining()
        found = solve(problem, start, freedom, schedule).variables.views
        views = (*variables.views[:first], *found, *variables.views[last:])
        return FitVariables(variables.identity, views)


@dataclass(frozen=True, eq=False)
class Anchor:
    """A pin on the head that is solved."""

    view: int
    marks: Marks
    asked_px: Doubles
    """[2] from where the point is to where it belongs."""


def anchored(
    fitter: Fitter, model: HeadModel, present: Fitted, corrections: Corrections
) -> tuple[Anchor, ...]:
    """Find the pinned points on the head."""
    anchors: list[Anchor] = []
    for correction in corrections.of_views:
        for pin in correction.pins:
            embedding = Embedding(
                vertices=pin.vertices[None].astype(np.int32),
                weights=pin.weights[None].astype(np.float32),
                spread_m=np.zeros(1, np.float32),
            )
            marks = fitter.head.marks_of(model, embedding)
            asked_px = pin.px - _pixel(marks, present.variables, correction.view)
            anchors.append(Anchor(correction.view, marks, asked_px))
    return tuple(anchors)


@dataclass(frozen=True, eq=False)
class PinnedView:
    """What one view says once its pins, and what is left here of those of its neighbours, were heard."""

    seen: Observation
    terms: tuple[ViewTerm, ...]


def pinned_view(anchors: tuple[Anchor, ...], present: Fitted, view: int) -> PinnedView:
    """Pins as terms; the landmarks around them, which say otherwise, give way."""
    seen = present.seen[view]
    weights, terms = seen.weights.copy(), list[ViewTerm]()
    for anchor in anchors:
        away = abs(anchor.view - view)
        if away > REACH:
            continue
        left = float(np.cos(0.5 * np.pi * away / (REACH + 1)) ** 2)
        here = _pixel(anchor.marks, present.variables, view)
        terms.append(Pins(anchor.marks, (here + left * anchor.asked_px)[None], SIGMA_PX / left))
        distance = np.linalg.norm(seen.corrected_px - here, axis=1) / seen.face_height_px
        weights *= 1.0 - left * np.exp(-0.5 * (distance / AROUND) ** 2)
    return PinnedView(replace(seen, weights=np.nan_to_num(weights)), tuple(terms))


def _pixel(marks: Marks, variables: FitVariables, view: int) -> Doubles:
    placed = marks.placed(variables.identity, variables.views[view])
    return placed.px[0].cpu().double().numpy()
