# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: who it is from key frames, then frame by frame, then all frames together.

1. Key frames of spread yaw give identity and the camera, which all frames share.
2. Online: the identity is folded into the head, and each frame is solved from the one before.
3. Joint: identity, camera and every frame at once, neighbours tied by a random walk, the size of the head held. The
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
from .solver import EVERYTHING, solve
from .stages import HIDDEN_RAD, Fitted, Fitter
from .terms.smooth import smoothness
from .variables import FitVariables, View

KEY_FRAMES = 10
"""Identity of a clip comes from at most so many frames, spread over yaw."""
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

    @property
    def gaps(self) -> tuple[int, ...]:
        """[N - 1] frames from each observation to the next."""
        return tuple(int(gap) for gap in np.diff(self.frames))


def fit_clip(
    fitter: Fitter, clip: FaceClip, check: Check, progress: Callable[[float], None]
) -> Fitted:
    """Solve a clip of N >= 1 frames that show the face. ``progress`` is told the share that is done."""
    person = fit_person(fitter, clip, check)
    progress(_KEYS_SHARE)

    def online(share: float) -> None:
        progress(_KEYS_SHARE + (_ONLINE_SHARE - _KEYS_SHARE) * share)

    followed = follow_clip(fitter, person, clip, check, online)
    progress(_ONLINE_SHARE)
    if len(clip.seen) == 1:
        return followed
    return fit_together(fitter, followed, clip, check)


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
        person=fitter.person_terms(len(clip.seen), repeated),
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
