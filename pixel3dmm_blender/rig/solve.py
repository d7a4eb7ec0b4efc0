# SPDX-License-Identifier: GPL-3.0-or-later
"""The solve as custom properties of the rig: to be read, compared and taken up again later."""

from __future__ import annotations

from typing import Final

import bpy

from ..wire import Floats, Tracked

SOLVE: Final = "pixel3dmm_solve"


def store_solve(rig: bpy.types.Object, tracked: Tracked) -> None:
    """Store camera, identity, expression and pose as solved, with their errors."""
    track = tracked.track
    rig["pixel3dmm_head"] = tracked.rig.head
    rig["pixel3dmm_licence"] = tracked.rig.licence
    rig["pixel3dmm_error_px"] = track.mean_error_px()
    rig["pixel3dmm_error_percent"] = track.mean_error_percent()
    rig["pixel3dmm_raw_error_percent"] = track.mean_raw_error_percent()
    rig["pixel3dmm_stages"] = dict(zip(tracked.stages, tracked.stage_s.tolist(), strict=True))
    # A float, for Blender's own integers end at 2 GiB.
    rig["pixel3dmm_engine_bytes"] = float(tracked.memory_bytes)
    rig["pixel3dmm_notes"] = "\n".join(tracked.notes)
    _store_doubts(rig, tracked)
    camera = track.camera
    rig[SOLVE] = {
        "frames": track.frames.tolist(),
        "identity": dict(zip(track.identity_names, track.identity.tolist(), strict=True)),
        "expression": _columns(track.expression_names, track.expression),
        "joint_rotation": _columns(track.joint_names, track.joint_rotation),
        "rotation": track.rotation.ravel().tolist(),
        "transl": track.transl.ravel().tolist(),
        "error_px": track.error_px.tolist(),
        "confidence": track.confidence.tolist(),
        "camera": {
            "width": camera.width,
            "height": camera.height,
            "focal_px": camera.focal_px,
            "center_px": camera.center_px.tolist(),
            "world_to_camera": camera.world_to_camera.ravel().tolist(),
            "focal_source": camera.focal_source,
        },
        "scale_source": track.scale_source,
    }


def describe_doubts(rig: bpy.types.Object) -> str:
    """Say how sure the solve is, in one line; empty where the engine did not say."""
    doubts = [
        f"{name} ± {rig[key]:{precision}}{unit}"
        for name, key, precision, unit in _DOUBTS
        if key in rig
    ]
    return f"Uncertainty: {', '.join(doubts)}" if doubts else ""


_DOUBTS: Final = (
    ("identity", "pixel3dmm_identity_std_mm", ".1f", " mm"),
    ("pose", "pixel3dmm_pose_std_deg", ".1f", "°"),
    ("focal length", "pixel3dmm_focal_std_percent", ".0f", " %"),
)


def _store_doubts(rig: bpy.types.Object, tracked: Tracked) -> None:
    focal = tracked.track.focal_std
    percent = None if focal is None else 100.0 * focal
    doubts = (tracked.face_std_mm(), tracked.track.rotation_std_deg(), percent)
    for (_, key, _, _), value in zip(_DOUBTS, doubts, strict=True):
        if value is not None:
            rig[key] = value


def _columns(names: tuple[str, ...], values: Floats) -> dict[str, list[float]]:
    return {name: values[:, i].ravel().tolist() for i, name in enumerate(names)}
