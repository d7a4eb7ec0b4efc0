# SPDX-License-Identifier: GPL-3.0-or-later
"""How strongly each term pulls. One docstring for each number; presets are instances."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TermWeights:
    """Weights of the energy that ``solver.py`` minimises: a sum of squares in units of each term's own sigma."""

    landmark_sigma: float = 0.012
    """One standard deviation of a landmark, as a share of the face height in the picture (measured)."""
    landmark_kernel: float = 3.0
    """Width of the Cauchy kernel, in sigmas: landmarks much farther away hardly pull (measured)."""
    spread_m: float = 0.0012
    """A landmark whose measured scatter is this large has half the weight of a sharp one: 1 / (1 +
    (spread / this)^2)."""
    oval: float = 0.4
    """Weight of the face contour, which slides with the view."""
    iris: float = 2.0
    """Weight of the iris points: gaze is what people look at first."""
    identity: float = 2.0
    """Weight of the identity prior sum((c / sigma)^2) (measured: flat between 1 and 3; below 1
    coefficients hit their bounds)."""
    expression: float = 1.0
    """Weight of the quadratic expression prior sum((e / sigma)^2)."""
    expression_l1: float = 10.0
    """Weight of sum(|e|): keeps a neutral face neutral, where the square alone leaks smiles (measured)."""
    coupling: float = 30.0
    """Weight of sum((e_left - e_right)^2): faces move both sides unless the picture says otherwise."""
    pitch_sigma_rad: float = 0.21
    """People look at the camera: standard deviation of the pitch, 12 degrees. Focal length and
    pitch trade against each other."""
    focal_sigma: float = 0.25
    """Standard deviation of log focal where it is assumed."""
    focal_sigma_known: float = 0.01
    """Standard deviation of log focal where the user or EXIF tells it."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long the solver tries."""

    pose_steps: int = 8
    """Steps on pose alone, from the closed-form start."""
    steps: int = 30
    """Steps on everything, at most."""
    tolerance: float = 1e-5
    """Stop when a step lowers the cost by less than this share."""
    calibrations: int = 2
    """How often the view-dependent bias of the landmarks is subtracted anew."""


DEFAULT_WEIGHTS = TermWeights()
DEFAULT_SCHEDULE = Schedule()
