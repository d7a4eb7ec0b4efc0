# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked: numbers without a sensible answer are refused before any work is done."""

from __future__ import annotations

from pixel3dmm_blender.wire import Footage, FootageUnreadable, StreamCorrupt, TrackFace

FOCAL_35MM = (8.0, 1200.0)
"""Shortest and longest lens that anybody takes a portrait with, mm on a 36 mm wide picture."""
TEXTURE_SIZE = (16, 8192)


def check_request(request: TrackFace) -> None:
    """Refuse a request that cannot be met: FootageUnreadable for what a user chose, StreamCorrupt for what none can."""
    _check_footage(request.footage)
    low, high = TEXTURE_SIZE
    if request.texture_size and not low <= request.texture_size <= high:
        raise StreamCorrupt(
            f"A texture cannot be {request.texture_size} pixels wide.", f"Take {low} to {high}."
        )
    if not 0.0 <= request.personal_shape <= 1.0:
        raise StreamCorrupt(
            f"Personal shape cannot be {request.personal_shape:g}.", "Take a number from 0 to 1."
        )


def _check_footage(footage: Footage) -> None:
    low, high = FOCAL_35MM
    if footage.focal_35mm != 0.0 and not low <= footage.focal_35mm <= high:
        raise FootageUnreadable(
            f"A focal length of {footage.focal_35mm:g} mm cannot be.",
            f"Type {low:g} to {high:g} mm (35 mm equivalent), or 0 if you do not know it.",
        )
    if footage.pixels is not None and not footage.pixels.size:
        raise FootageUnreadable("The picture has no pixels.", "Choose another photo.")
    if footage.first < 0 or footage.step < 1:
        raise FootageUnreadable(
            f"Frames from {footage.first} in steps of {footage.step} cannot be read.",
            "Begin at 0 or later, and take steps of 1 or more.",
        )
    if 0 <= footage.last < footage.first:
        raise FootageUnreadable(
            f"The last frame, {footage.last}, lies before the first, {footage.first}.",
            "Choose a later last frame.",
        )
