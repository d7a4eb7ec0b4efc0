# SPDX-License-Identifier: GPL-3.0-or-later
"""How strongly each term pulls. One docstring for each number; presets are instances."""

from __future__ import annotations

from dataclasses import dataclass, replace


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
    lid_sigma: float = 0.002
    """One standard deviation of how far a lid is open, as a share of the face height: small, as blinks are (measured
    on two clips: correlation of openings 0.1 to 0.4 without this row, 0.8 to 0.94 with it, same landmark error)."""
    lip_sigma: float = 0.005
    """The same of the inner lips (measured: 0.96 without, 0.99 with it)."""
    gaze_sigma: float = 0.006
    """The same of where an iris lies between the corners of its eye."""
    identity: float = 2.0
    """Weight of the identity prior sum((c / sigma)^2) (measured: flat between 1 and 3; below 1
    coefficients hit their bounds)."""
    expression: float = 1.0
    """Weight of the quadratic expression prior sum((e / sigma)^2)."""
    expression_one_sided: float = 0.3
    """Times as much of it for components that cannot be negative: they pay the next row as well (measured)."""
    expression_l1: float = 6.0
    """Weight of sum(|e|): keeps a neutral face neutral, where the square alone leaks smiles (measured: at 10 half of a
    smile went into identity, at 5 a neutral face began to frown)."""
    coupling: float = 30.0
    """Weight of sum((e_left - e_right)^2): faces move both sides unless the picture says otherwise."""
    pitch_sigma_rad: float = 0.21
    """People look at the camera: standard deviation of the pitch, 12 degrees. Focal length and
    pitch trade against each other."""
    joint_sigma_rad: float = 0.35
    """Standard deviation of the joints that may turn, 20 degrees."""
    uv_sigma: float = 0.006
    """One standard deviation of a pixel's UV, as a share of the face height in the picture."""
    uv_kernel: float = 3.0
    """Width of the Geman-McClure kernel of the dense points, in sigmas."""
    normal_sigma: float = 0.15
    """One standard deviation of a pixel's normal: the length of a difference of unit vectors, about 9 degrees."""
    normal_kernel: float = 3.0
    """Width of the Geman-McClure kernel of the normals, in sigmas."""
    silhouette_sigma: float = 0.008
    """How far the face may reach into the background, one standard deviation, as a share of the face height."""
    silhouette_kernel: float = 3.0
    """Width of the Cauchy kernel of the outline, in sigmas."""
    silhouette: float = 300.0
    """How many independent measurements the outline of a face counts for (measured: 300 costs no steps, 1000 does)."""
    dense_share: float = 1 / 150
    """How many independent measurements a pixel counts for: a network's errors are smooth over the picture."""
    dense_face_px: float = 300.0
    """Height of a face, in pixels, for which that holds; in a larger face a pixel says less."""
    smooth_rotation_rad: float = 0.02
    """How far the head turns in 1/25 s, standard deviation."""
    smooth_transl_m: float = 0.004
    """How far it moves in 1/25 s."""
    smooth_expression: float = 0.2
    """How much an expression of range 0..1 changes in 1/25 s: a blink closes in three frames."""
    smooth_joint_rad: float = 0.1
    """How far a joint turns in 1/25 s."""
    scale_sigma: float = 0.001
    """How far the size of the head may be from its gauge, as a share: tight, since nothing else knows it."""
    independent_frames: int = 3
    """A clip's frames repeat each other's errors: for identity and camera they count for at most so many pictures
    (measured: 2 to 4 alike, 12 worse than frame by frame)."""
    center_sigma: float = 0.02
    """Standard deviation of the principal point where it may move, as a share of the picture's longer side."""
    focal_sigma: float = 0.25
    """Standard deviation of log focal where it is assumed."""
    focal_sigma_known: float = 0.01
    """Standard deviation of log focal where the user or EXIF tells it."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long the solver tries."""

    pose_steps: int = 8
    """Steps on pose alone, from the closed-form start; 0 where the start is good enough (dense maps)."""
    widenings: tuple[float, ...] = ()
    """Factors on the width of the robust kernels, one step at each, before they have their true width."""
    steps: int = 30
    """Steps on everything, at most."""
    matrix_age: int = 1
    """For so many steps one Gauss-Newton matrix serves; the steps teach what it gets wrong (``memory.py``)."""
    tolerance: float = 1e-5
    """Stop when a step lowers the cost by less than this share."""
    frame_tolerance: float = 1e-3
    """The same for a frame of a clip, which starts near its end."""
    joint_steps: int = 8
    """Steps on all frames of a clip together, at most."""
    calibrations: int = 2
    """How often the view-dependent bias of the landmarks is subtracted anew."""

    def for_pose(self) -> Schedule:
        """The same for the few steps on pose alone."""
        return replace(self, steps=self.pose_steps)

    def for_frames(self) -> Schedule:
        """The same for a frame that is solved from the one before: kernels need not open wide."""
        return replace(self, widenings=self.widenings[-1:], tolerance=self.frame_tolerance)

    def for_refining(self) -> Schedule:
        """The same for a window of a clip that the user corrects and waits for."""
        tolerance = self.frame_tolerance
        return replace(
            self, widenings=(), steps=self.joint_steps, matrix_age=3, tolerance=tolerance
        )

    def unwidened(self) -> Schedule:
        """The same from a start so near that kernels need not open at all."""
        return replace(self, widenings=())

    def for_joint(self) -> Schedule:
        """The same for all frames of a clip together, from a good start."""
        return replace(self, widenings=(), steps=self.joint_steps, tolerance=self.frame_tolerance)


DEFAULT_WEIGHTS = TermWeights()
DEFAULT_SCHEDULE = Schedule()
DENSE_SCHEDULE = Schedule(pose_steps=0, widenings=(4.0, 2.0), matrix_age=8)
"""For prior maps: robust closed-form start, kernels that open from afar, few matrices (measured, see bench fit)."""
