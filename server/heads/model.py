# SPDX-License-Identifier: GPL-3.0-or-later
"""HeadModel: the mathematics of a head, the same record whatever its origin.

Frame: metres, x to the subject's left, y up, z out of the face; the origin is the head joint of the
template. A head is ``neutral = template + identity_basis . identity``, then ``+ expression_basis .
expression``, then posed by its joints (linear blend skinning). All geometry (eyes, teeth, tongue,
lashes, hair) is part of the one vertex list, and what follows something else (eyeballs the lids, teeth
the jaw) does so through the bases and the skin weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pixel3dmm_blender.wire import Bools, Floats, Ints, Material, Record


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Embedding(Record):
    """Where K landmarks lie on the surface: each a weighted mean of M vertices."""

    vertices: Annotated[Ints, "K M"]
    weights: Annotated[Floats, "K M"]
    """Sum to 1 over M."""
    spread_m: Annotated[Floats, "K"]
    """How far the network's answers scatter around the point, metres (measured)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ViewCalibration(Record):
    """How far the network's landmarks lie off their surface points, as a polynomial of the view, in metres.

    offset = coefficients . [1, yaw, pitch, yaw^2, pitch^2, yaw*pitch, yaw^3], yaw and pitch in radians of the head
    against the camera (yaw > 0: the subject turns to its left; pitch > 0: looks up), in the camera's image plane
    (x right, y down): to be multiplied by focal / depth and subtracted from the landmarks.
    """

    coefficients: Annotated[Floats, "7 K 2"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeadModel(Record):
    """V vertices, F faces, L face corners, S identity and E expression components, J joints, G groups, U UV maps."""

    name: str
    licence: str
    provenance: str
    commercial_use: bool

    template: Annotated[Floats, "V 3"]
    face_sizes: Annotated[Ints, "F"]
    face_vertices: Annotated[Ints, "L"]
    face_materials: Annotated[Ints, "F"]
    materials: tuple[Material, ...]
    uv_names: tuple[str, ...]
    uv: Annotated[Floats, "U L 2"]

    identity_names: tuple[str, ...]
    identity: Annotated[Floats, "S V 3"]
    """Offsets at value 1; the population's coefficients are N(0, identity_sigma)."""
    identity_sigma: Annotated[Floats, "S"]
    identity_bounds: Annotated[Floats, "S 2"]

    expression_names: tuple[str, ...]
    expression: Annotated[Floats, "E V 3"]
    expression_sigma: Annotated[Floats, "E"]
    expression_bounds: Annotated[Floats, "E 2"]
    expression_mirror: Annotated[Ints, "E"]
    """Index of the same expression on the other side; itself when it has no side."""
    expression_fitted: Annotated[Bools, "E"]
    """False for keys that the solver leaves at 0 (tongueOut)."""

    joint_names: tuple[str, ...]
    """From neck, head, jaw, eye_L, eye_R; a parent stands before its children."""
    joint_parents: Annotated[Ints, "J"]
    joint_regressor: Annotated[Floats, "J V"]
    """Joint positions are regressor @ neutral; rows sum to 1."""
    bone_tails: Annotated[Floats, "J 3"]
    """Tail of each bone minus its head, metres."""
    skin_weights: Annotated[Floats, "J V"]

    group_names: tuple[str, ...]
    groups: Annotated[Floats, "G V"]
    mirror: Annotated[Ints, "V"]

    landmarks_478: Embedding
    """In the order of the face-mesh network: 468 surface points, 5 of the subject's right iris, 5 of the left."""
    landmarks_68: Embedding
    """iBUG order."""
    calibration_478: ViewCalibration | None = None
    joint_limits: Annotated[Floats, "J 3 2"] | None = None
    """Bounds of each joint's axis-angle vector in the fit, radians; 0 where shape keys do its work (None: all)."""

    def joints(self, neutral: Floats) -> Floats:
        """Positions [J, 3] of the joints of one neutral head."""
        return self.joint_regressor @ neutral
