# SPDX-License-Identifier: GPL-3.0-or-later
"""The solve as custom properties of the rig: to be read, compared and taken up again later."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np

from ..wire import FaceTrack, Floats, Tracked

SOLVE: Final = "pixel3dmm_solve"


def store_solve(rig: bpy.types.Object, tracked: Tracked) -> None:
    """Store camera, identity, expression and pose as solved, with their errors."""
    track = tracked.track
    rig["pixel3dmm_head"] = tracked.rig.head
    rig["pixel3dmm_licence"] = tracked.rig.licence
    rig["pixel3dmm_error_px"] = mean_error_px(track)
    rig["pixel3dmm_error_percent"] = error_percent(track)
    rig["pixel3dmm_stages"] = dict(zip(tracked.stages, tracked.stage_s.tolist(), strict=True))
    # A float, for Blender's own integers end at 2 GiB.
    rig["pixel3dmm_engine_bytes"] = float(tracked.memory_bytes)
    rig["pixel3dmm_notes"] = "\n".join(tracked.notes)
    rig["pixel3dmm_stages"] = dict(zip(tracked.stages, tracked.stage_s.tolist(), strict=True))
    rig["pixel3dmm_engine_bytes"] = float(tracked.memory_bytes)
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
    }


def mean_error_px(track: FaceTrack) -> float:
    """Average the landmark error over the frames that show a face."""
    return float(np.mean(track.error_px[track.valid])) if track.valid.any() else 0.0


def error_percent(track: FaceTrack) -> float:
    """Average the landmark error in percent of the face's height."""
    if not track.valid.any():
        return 0.0
    return float(
        np.mean(
            100.0
            * track.error_px[track.valid]
            / np.maximum(track.face_height_px[track.valid], 1e-6)
        )
    )


def _columns(names: tuple[str, ...], values: Floats) -> dict[str, list[float]]:
    return {name: values[:, i].ravel().tolist() for i, name in enumerate(names)}
