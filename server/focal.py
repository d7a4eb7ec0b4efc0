# SPDX-License-Identifier: GPL-3.0-or-later
"""The focal length that a camera wrote into a photo."""

from __future__ import annotations

import math

from PIL import ExifTags, Image

_DIAGONAL_35MM = math.hypot(36.0, 24.0)
_MM_PER_UNIT = {2: 25.4, 3: 10.0}


def read_focal(image: Image.Image) -> float:
    """Read the focal length in mm for a long side of 36 mm out of EXIF; 0 where it is not told or cannot be trusted.

    EXIF's 35 mm equivalent compares diagonals, ours long sides. A picture whose sides are not in the ratio that the
    camera noted has been cropped, and then the number means nothing.
    """
    exif = image.getexif()
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    noted = (
        _number(tags.get(ExifTags.Base.ExifImageWidth)),
        _number(tags.get(ExifTags.Base.ExifImageHeight)),
    )
    long_px, short_px = max(image.size), min(image.size)
    if (
        min(noted) > 0
        and abs(max(noted) / min(noted) - long_px / short_px) > 0.01 * long_px / short_px
    ):
        return 0.0
    equivalent = _number(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))
    focal = equivalent * 36.0 / _DIAGONAL_35MM * math.hypot(long_px, short_px) / long_px
    if not focal:
        # The sensor's long side from its pixel pitch: the only other way that needs no list of cameras.
        pitch = _number(tags.get(ExifTags.Base.FocalPlaneXResolution))
        unit = _MM_PER_UNIT.get(
            int(_number(tags.get(ExifTags.Base.FocalPlaneResolutionUnit))) or 2, 0.0
        )
        sensor = max(noted) / pitch * unit if pitch > 0 else 0.0
        focal = _number(tags.get(ExifTags.Base.FocalLength)) * 36.0 / sensor if sensor > 0 else 0.0
    return focal if 8.0 <= focal <= 1200.0 else 0.0


def _number(value: object) -> float:
    """An EXIF value as a number; 0 where it is none (missing text, 0/0)."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return number if math.isfinite(number) else 0.0
