# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: who it is from key frames, then frame by frame, then all frames together.

1. Key frames of spread yaw give identity and the camera, which all frames share.
2. Online: the identity is folded into the head, and each frame is solved from the one before.
3. Frames whose face is nowhere near those around it, or that meet nothing, are left out: something was before it.
4. Joint: identity, camera and every frame at once, neighbours tied by a random walk, the size of the head held. The
   normal equation is an arrow with a chain, so this is linear in the number of frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pixel3dmm_blender.wire import Doubles, Ints

from ..heads.view import view_angles
from .observation import Observation
from .problem import Check, Problem
from .project import project
from .solver import EVERYTHING, solve
from .stages import HIDDEN_RAD, Fitted, Fitter
from .terms.smooth import smoothness
from .variables import FitVariables, View

KEY_FRAMES = 10
"""Identity of a clip comes from at most so many frames, spread over yaw."""
NEAR, LEAP = 7, 0.5
"""A face that is so much nearer or farther than in so many frames on either side was not seen."""
WORST_ERROR, WORSE = 0.04, 3.0
"""Share of the face height, and times the clip's median, that the landmarks of a frame may be off (measured: good
frames 0.7 to 1.5 %, a face behind a hand to 3 %)."""
_KEYS_SHARE, _ONLINE_SHARE = 0.15, 0.5
"""How far each stage takes the progress."""


@dataclass(frozen=True, eq=False)
class FaceClip:
    """N observations of one face over time."""

    seen: tuple[Observation, ...]
    frames: Ints
    """[N] numbers of the frames, ascending; where they skip there was no face."""
    fps: float
    """Frames per second; 0 counts as 25."""

    def only(self, kept: Ints) -> FaceClip:
        """Some of the frames, by index, ascending."""
        return FaceClip(tuple(self.seen[i] for i in kept), self.frames[kept], self.fps)

    @property
    def gaps(self) -> tuple[int, ...]:
        """[N - 1] frames from each observation to the next."""
        return tuple(int(gap) for gap in np.diff(self.frames))


@dataclass(frozen=True, eq=False)
class FittedClip:
    """What a solve found, and in which of the clip's frames it believes."""

    fitted: Fitted
    """Of the frames that are kept."""
    kept: Ints
    """Indices of these, ascending."""


def fit_clip(
    fitter: Fitter, clip: FaceClip, check: Check, progress: Callable[[float], None]
) -> FittedClip:
    """Solve a clip of N >= 1 frames that show the face. ``progress`` is told the share that is done."""
    person = fit_person(fitter, clip, check)
    fitter = fitter.steadied(person.variables.views, shared_camera=True)
    progress(_KEYS_SHARE)

    def online(share: float) -> None:
        progress(_KEYS_SHARE + (_ONLINE_SHARE - _KEYS_SHARE) * share)

    followed = follow_clip(fitter, person, clip, check, online)
    progress(_ONLINE_SHARE)
    kept = believable(fitter, followed)
    views = tuple(followed.variables.views[i] for i in kept)
    seen = tuple(followed.seen[i] for i in kept)
    believed = Fitted(FitVariables(followed.variables.identity, views), seen)
    if len(kept) > 1:
        believed = fit_together(fitter, believed, clip.only(kept), check)
    progress(1.0)
    return FittedClip(believed, kept)


def fit_person(fitter: Fitter, clip: FaceClip, check: Check) -> Fitted:
    """Find identity and camera from the key frames."""
    starts = tuple(fitter.start(observation) for observation in clip.seen)
    keys = key_frames(starts)
    return fitter.fit_photos(tuple(clip.seen[index] for index in keys), check, shared_camera=True)


def follow_clip(
    fitter: Fitter, person: Fitted, clip: FaceClip, check: Check, progress: Callable[[float], None]
) -> Fitted:
    """Solve frame by frame for a person whose identity and camera are known."""
    identity, camera = person.variables.identity, person.variables.views[0]
    folded = replace(
        fitter, head=fitter.head.folded(identity), schedule=fitter.schedule.for_frames()
    )
    views: list[View] = []
    believed: list[Observation] = []
    for index, observation in enumerate(clip.seen):
        fixed = replace(observation, focal=replace(observation.focal, px=camera.focal_px))
        start = folded.start_from(views[-1] if views else None, fixed)
        fitted = folded.follow(replace(start, center_px=camera.center_px), fixed, check)
        views.append(fitted.variables.views[0])
        believed.append(replace(fitted.seen[0], focal=observation.focal))
        progress((index + 1) / len(clip.seen))
    return Fitted(FitVariables(identity, tuple(views)), tuple(believed))


def fit_together(fitter: Fitter, followed: Fitted, clip: FaceClip, check: Check) -> Fitted:
    """Solve identity, camera and all frames together, from what the online pass found."""
    problem = joint_problem(fitter, followed, clip, check)
    schedule = fitter.schedule.for_joint()
    solution = solve(problem, followed.variables, EVERYTHING, schedule)
    return Fitted(solution.variables, followed.seen, solution)


def joint_problem(fitter: Fitter, followed: Fitted, clip: FaceClip, check: Check) -> Problem:
    """The energy of a whole clip.

    Frames repeat each other's errors: for identity and camera they count for at most ``independent_frames`` pictures.
    """
    repeated = fitter.repeated(len(clip.seen))
    return Problem(
        head=fitter.head,
        views=fitter.views_terms(followed.seen, shared_camera=True, repeated=repeated),
        person=fitter.person_terms(repeated),
        pairs=(smoothness(fitter.head.columns, clip.fps, fitter.weights),),
        gaps=clip.gaps,
        shared_camera=True,
        check=check,
    )


def key_frames(starts: tuple[View, ...]) -> tuple[int, ...]:
    """Choose the frames that tell who it is: of spread yaw, profiles only where there is nothing else."""
    yaws: Doubles = np.array([view_angles(view.rotation)[0] for view in starts])
    usable = np.flatnonzero(np.abs(yaws) < HIDDEN_RAD)
    if len(usable) == 0:
        usable = np.arange(len(starts))
    order = usable[np.argsort(yaws[usable], kind="stable")]
    picks = np.linspace(0, len(order) - 1, min(KEY_FRAMES, len(order))).round().astype(int)
    return tuple(sorted(int(order[pick]) for pick in set(picks.tolist())))


def believable(fitter: Fitter, followed: Fitted) -> Ints:
    """Indices of the frames whose depth is like that of the frames around, and whose error like that of the clip.

    At least one is kept.
    """
    views = followed.variables.views
    depth = np.log([max(float(view.transl[2]), 1e-3) for view in views])
    usual = np.array([np.median(depth[max(0, i - NEAR) : i + NEAR + 1]) for i in range(len(depth))])
    errors = np.array(
        [
            _error(fitter, followed.variables.identity, view, observation)
            for view, observation in zip(views, followed.seen, strict=True)
        ]
    )
    good = np.abs(depth - usual) < np.log(1.0 + LEAP)
    good &= errors <= max(WORST_ERROR, WORSE * float(np.median(errors)))
    if not good.any():
        good[int(np.argmin(errors))] = True
    return np.flatnonzero(good).astype(np.int32)


def _error(fitter: Fitter, identity: Doubles, view: View, seen: Observation) -> float:
    """Median distance of the landmarks from the head, as a share of the face height; 0 where there are none."""
    if not seen.has_landmarks:
        return 0.0
    placed = project(fitter.head.landmarks(identity, view), view.focal_px, view.center_px)
    away = np.linalg.norm((placed - seen.corrected_px)[seen.counts], axis=1)
    return float(np.median(away)) / seen.face_height_px
