# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as files: meshes, texture, overlay and track, for use without Blender.

posed.obj is in the camera's frame (OpenCV: x right, y down, z forward), metres: ``focal_px * xy / z + center_px`` are
its pixels. neutral.obj is in the head's frame (x to the subject's left, y up, z out of the face), metres. Every file
appears whole or not at all: it is written beside its place and moved there.
"""

from __future__ import annotations

import errno
import io
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from pixel3dmm_blender.wire import (
    Bytes,
    DiskFull,
    Doubles,
    FaceTrack,
    Floats,
    HeadRig,
    Texture,
    Tracked,
)

from .rotation import rotation_from_vector

MATERIALS_FILE = "head.mtl"
TEXTURE_FILE = "texture.png"


def write_photo(directory: Path, tracked: Tracked, posed: Floats, overlay: Bytes) -> None:
    """Write everything about one photo into a folder of its own.

    Args:
        directory: made if it is missing; files of an earlier run are replaced.
        tracked: a track of one frame.
        posed: [V, 3] the head with its expression, before ``rotation`` and ``transl`` of the track, metres.
        overlay: [H, W, 3] sRGB, see `server.overlay.draw_overlay`.

    Raises:
        DiskFull: a file cannot be written.
    """
    _write_looks(directory, tracked)
    camera_points = points_in_camera(tracked.track, 0, posed)
    write_file(directory / "posed.obj", encode_obj(tracked.rig, camera_points))
    write_file(directory / "neutral.obj", encode_obj(tracked.rig, tracked.rig.neutral))
    write_file(directory / "overlay.png", encode_png(overlay))
    write_file(directory / "track.json", encode_json(tracked))


def write_clip(
    directory: Path, tracked: Tracked, meshes: Iterable[Floats] = (), overlay: Bytes | None = None
) -> None:
    """Write everything about one clip into a folder of its own.

    Args:
        directory: as in `write_photo`.
        tracked: a track of T frames.
        meshes: T heads [V, 3] as ``posed`` of `write_photo`, taken one at a time and written as
            meshes/<frame>.obj; none for none.
        overlay: of one frame, if wanted.

    Raises:
        DiskFull: a file cannot be written.
    """
    _write_looks(directory, tracked)
    write_file(directory / "neutral.obj", encode_obj(tracked.rig, tracked.rig.neutral))
    write_file(directory / "track.npz", encode_npz(tracked))
    write_file(directory / "track.json", encode_json(tracked))
    if overlay is not None:
        write_file(directory / "overlay.png", encode_png(overlay))
    for index, posed in enumerate(meshes):
        points = points_in_camera(tracked.track, index, posed)
        name = f"{int(tracked.track.frames[index]):06d}.obj"
        write_file(directory / "meshes" / name, encode_obj(tracked.rig, points, "../"))


def points_in_camera(track: FaceTrack, index: int, posed: Floats) -> Doubles:
    """Bring the posed head of one frame [V, 3] into the camera's frame."""
    rotation = rotation_from_vector(track.rotation[index].astype(np.float64))
    world = posed.astype(np.float64) @ rotation.T + track.transl[index]
    return track.camera.to_camera(world)


def write_file(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all; DiskFull says why it could not."""
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise _disk_full(path, error) from error
    finally:
        if name:
            Path(name).unlink(missing_ok=True)


def encode_obj(rig: HeadRig, points: Doubles | Floats, to_materials: str = "") -> bytes:
    """Write a head as Wavefront OBJ: its own faces (quads stay quads), first UV map, one group for each material.

    Args:
        rig: gives everything but the points.
        points: [V, 3] metres.
        to_materials: relative folder of the material file.
    """
    uv, corner_uv = np.unique(rig.uv[0], axis=0, return_inverse=True)
    corners = np.stack([rig.face_vertices, corner_uv.reshape(-1)], axis=1) + 1
    starts = np.cumsum(rig.face_sizes) - rig.face_sizes
    lines = [f"# {line}" for line in (rig.head, *rig.licence.splitlines())]
    lines += [f"mtllib {to_materials}{MATERIALS_FILE}", f"o {rig.head}"]
    lines += [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in np.asarray(points, np.float64).tolist()]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in uv.tolist()]
    texts = [f"{vertex}/{at}" for vertex, at in corners.tolist()]
    for slot, material in enumerate(rig.materials):
        faces = np.flatnonzero(rig.face_materials == slot)
        if len(faces):
            lines += [f"g {material.name}", f"usemtl {material.name}", "s 1"]
        for first, size in zip(starts[faces].tolist(), rig.face_sizes[faces].tolist(), strict=True):
            lines.append("f " + " ".join(texts[first : first + size]))
    return ("\n".join(lines) + "\n").encode()


def encode_materials(rig: HeadRig, texture: Texture | None) -> bytes:
    """Write the materials as Wavefront MTL, with the texture where there is one."""
    lines: list[str] = []
    for material in rig.materials:
        color = (
            (0.8, 0.8, 0.8)
            if material.color is None or texture is not None
            else material.color.tolist()
        )
        lines += [f"newmtl {material.name}", "Kd " + " ".join(f"{part:.4f}" for part in color)]
        # Blinn exponent of the same width as a GGX lobe of that roughness.
        lines += [f"Ns {2.0 / max(material.roughness, 0.05) ** 4 - 2.0:.2f}", "illum 2"]
        if texture is not None:
            lines.append(f"map_Kd {TEXTURE_FILE}")
            lines += [f"map_d {TEXTURE_FILE}"] if material.alpha else []
        lines.append("")
    return "\n".join(lines).encode()


def encode_png(pixels: Bytes) -> bytes:
    """Write sRGB pixels [H, W, 3 or 4] as PNG."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def encode_npz(tracked: Tracked) -> bytes:
    """Write all arrays and names of a track; ``numpy.load(file, allow_pickle=False)`` reads it."""
    track = tracked.track
    names = ("frames", "identity", "expression", "joint_rotation", "rotation", "transl", "valid")
    measures = ("error_px", "raw_error_px", "face_height_px", "confidence")
    doubts = ("identity_std", "expression_std", "rotation_std", "transl_std", "focal_std")
    given = [name for name in doubts if getattr(track, name) is not None]
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        head=np.array(track.head),
        identity_names=np.array(track.identity_names),
        expression_names=np.array(track.expression_names),
        joint_names=np.array(track.joint_names),
        fps=np.array(track.fps),
        focal_px=np.array(track.camera.focal_px),
        center_px=track.camera.center_px,
        size_px=np.array([track.camera.width, track.camera.height]),
        world_to_camera=track.camera.world_to_camera,
        landmarks_px=tracked.landmarks_px,
        fitted_px=tracked.fitted_px,
        scale_source=np.array(track.scale_source),
        **{name: getattr(track, name) for name in (*names, *measures, *given)},
    )
    return stream.getvalue()


def encode_json(tracked: Tracked) -> bytes:
    """Write a track for people: camera, pose and named weights of each frame, errors, notes, units."""
    track = tracked.track
    frames = [_frame(track, index) for index in range(len(track.frames))]
    story = {
        "units": _UNITS,
        "head": track.head,
        "licence": tracked.rig.licence,
        "provenance": tracked.rig.provenance,
        "camera": _camera(track),
        "fps": track.fps,
        "scale_source": track.scale_source,
        "identity": _named(track.identity_names, track.identity),
        "identity_std": _named(track.identity_names, track.identity_std),
        "frames": frames,
        "notes": list(tracked.notes),
        "stages_s": _named(tracked.stages, tracked.stage_s),
    }
    return (json.dumps(story, indent=1, allow_nan=False) + "\n").encode()


_UNITS = {
    "length": "metres",
    "angle": "radians, rotations as axis times angle",
    "pixel": "origin at the top left corner, x right, y down, the first pixel's centre is (0.5, 0.5)",
    "camera frame": "OpenCV: x right, y down, z forward; camera = world_to_camera * world",
    "head frame": "x to the subject's left, y up, z out of the face; world = rotation * head + transl",
    "posed.obj": "camera frame",
    "neutral.obj": "head frame",
    "error": "mean distance between landmarks and head, the network's measured bias subtracted",
    "raw_error": "the same against the landmarks as the network saw them",
    "face_height": "distance between the landmarks at the top of the forehead and the chin",
    "std": "standard deviation; of rotation and transl: of the head against the camera, along the axes of the world",
    "focal_std": "share of the focal length",
    "scale_source": "prior: the size of the head is assumed; user: it was measured",
}


def _frame(track: FaceTrack, index: int) -> dict[str, object]:
    error, height = float(track.error_px[index]), float(track.face_height_px[index])
    return {
        "frame": int(track.frames[index]),
        "valid": bool(track.valid[index]),
        "confidence": _number(track.confidence[index]),
        "error_px": _number(error),
        "raw_error_px": _number(float(track.raw_error_px[index])),
        "error_percent_of_face_height": _number(100.0 * error / height) if height > 0 else None,
        "face_height_px": _number(height),
        "rotation": _numbers(track.rotation[index]),
        "transl": _numbers(track.transl[index]),
        "joints": {
            name: _numbers(track.joint_rotation[index, j])
            for j, name in enumerate(track.joint_names)
        },
        "expression": _named(track.expression_names, track.expression[index]),
        "rotation_std": _numbers(_row(track.rotation_std, index)),
        "transl_std": _numbers(_row(track.transl_std, index)),
        "expression_std": _named(track.expression_names, _row(track.expression_std, index)),
    }


def _row(values: Floats | None, index: int) -> Floats | None:
    return None if values is None else values[index]


def _camera(track: FaceTrack) -> dict[str, object]:
    camera = track.camera
    return {
        "width_px": camera.width,
        "height_px": camera.height,
        "focal_px": _number(camera.focal_px),
        "focal_source": camera.focal_source,
        "focal_std": None if track.focal_std is None else _number(track.focal_std),
        "center_px": _numbers(camera.center_px),
        "world_to_camera": [_numbers(row) for row in camera.world_to_camera],
    }


def _named(names: tuple[str, ...], values: Floats | None) -> dict[str, float | None] | None:
    if values is None:
        return None
    return {name: _number(value) for name, value in zip(names, values.tolist(), strict=True)}


def _numbers(values: Floats | Doubles | None) -> list[float | None] | None:
    return None if values is None else [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    """Nine digits; JSON has no word for what is not a number."""
    return float(f"{value:.9g}") if np.isfinite(value) else None


def _write_looks(directory: Path, tracked: Tracked) -> None:
    write_file(directory / MATERIALS_FILE, encode_materials(tracked.rig, tracked.texture))
    if tracked.texture is not None:
        write_file(directory / TEXTURE_FILE, encode_png(tracked.texture.pixels))


def _disk_full(path: Path, error: OSError) -> DiskFull:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DiskFull(
            f"The disk is full: {path.name} was not written.",
            "Free some space, or choose another folder.",
        )
    reason = error.strerror or str(error)
    return DiskFull(
        f"{path} cannot be written: {reason}.", "Choose a folder that you may write to."
    )
