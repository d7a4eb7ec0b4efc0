# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage -> Frames: the only place where pictures are decoded.

Photos are read with Pillow (which refuses truncated files), clips with PyAV. Every Frame has the same form, whatever
the file had: 8-bit sRGB, three channels, turned upright by its EXIF or rotation tag, full size. Photos up to
150 million pixels are kept at full size, because landmarks and texture are in source pixels; larger ones are refused.
Transparent pixels are laid over mid-grey: what hides under them is arbitrary, and black or white would merge with dark
or fair hair or draw a hard contour around the face, which the landmark network would take for its outline.
"""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np
from av.container import InputContainer
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from pixel3dmm_blender.wire import Bytes, Footage, FootageUnreadable

from .focal import read_focal

MAX_PIXELS = 150_000_000
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", "TGA")
"""Pillow could open more, some of them through other programs (PostScript)."""
CLIP_SUFFIXES = frozenset(
    f".{name}"
    for names in ("mp4 m4v mov mkv webm avi mpg mpeg", "mts m2ts ts wmv flv 3gp ogv mxf gif")
    for name in names.split()
)
_GREY = (128, 128, 128)
_BAND = 256
_DEEP_GREY_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_NOT_A_PHOTO = "Open it in an image viewer and save it as JPEG or PNG; clips as MP4."
_CUT_OFF = "Copy or export it again."
_PLAYLISTS = frozenset({"concat", "hls", "dash", "imf"})
_ONLY_FILES = {"protocol_whitelist": "file"}
"""Some clips are lists of addresses; nothing is ever fetched."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture."""

    pixels: Bytes
    """[H, W, 3] sRGB, top row first, contiguous."""
    index: int = 0
    """Counted from 0 in the footage, whatever step was asked for."""
    time_s: float = 0.0
    focal_35mm: float = 0.0
    """Focal length in mm for a picture whose long side is 36 mm; 0 = unknown."""


@dataclass(frozen=True)
class Clip:
    """What a clip says about itself."""

    path: Path
    frame_count: int
    """As the file declares it; 0 where it does not."""
    frame_rate: float
    """Mean frames per second; 0 where it is unknown."""


def read_footage(footage: Footage, check: Callable[[], None] = lambda: None) -> Iterator[Frame]:
    """Read a photo as one frame, or the wanted frames of a clip, one by one.

    ``check`` is called for every decoded frame, wanted or not, and may raise to stop. Raises FootageUnreadable; for
    a clip possibly after some frames.
    """
    if footage.pixels is not None:
        yield Frame(footage.pixels, focal_35mm=footage.focal_35mm)
        return
    path = Path(footage.path)
    frames = read_clip(footage, check) if is_clip(path) else iter((read_photo(path),))
    for frame in frames:
        yield replace(frame, focal_35mm=footage.focal_35mm) if footage.focal_35mm else frame


def is_clip(path: Path) -> bool:
    """Whether a file is read as a clip, judged by its name."""
    return path.suffix.lower() in CLIP_SUFFIXES


def read_photo(path: Path) -> Frame:
    """Read a photo. FootageUnreadable for anything that is not a whole picture."""
    _check_file(path)
    try:
        with _open_file(path) as stream, warnings.catch_warnings():
            # Pillow warns from 89 million pixels on; our own limit stands below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter(
                "ignore", UserWarning
            )  # broken EXIF is no reason to refuse a picture
            with Image.open(stream, formats=PHOTO_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_large(path)
                image.load()
                focal = read_focal(image)
                return Frame(_to_pixels(image), focal_35mm=focal)
    except UnidentifiedImageError as error:
        raise FootageUnreadable(
            f"{path.name} is not a picture in a format we can read.", _NOT_A_PHOTO
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise FootageUnreadable(
            f"{path.name} is damaged: the picture ends early or makes no sense.",
            _CUT_OFF,
            detail=str(error),
        ) from error


def describe_clip(path: Path) -> Clip:
    """Read what a clip says about itself, without decoding it."""
    with _open_clip(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        return Clip(path, stream.frames, float(rate) if rate else 0.0)


def read_clip(footage: Footage, check: Callable[[], None] = lambda: None) -> Iterator[Frame]:
    """Decode the frames first..last (inclusive), every step-th, turned upright, with their own time stamps."""
    path = Path(footage.path)
    first, step = max(footage.first, 0), max(footage.step, 1)
    given = 0
    with _open_clip(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(_decode(path, container)):
            check()
            if 0 <= footage.last < index:
                break
            if index < first or (index - first) % step:
                continue
            given += 1
            yield Frame(_turn_upright(frame), index, float(frame.time or 0.0))
    if not given and not first:
        raise FootageUnreadable(f"{path.name} has no frame that can be read.", _CUT_OFF)
    if not given:
        raise FootageUnreadable(
            f"{path.name} has no frame in the chosen range.",
            "Choose a first frame that lies within the clip.",
        )


def _check_file(path: Path) -> None:
    try:
        found = path.stat()
    except (
        OSError,
        ValueError,
    ) as error:  # not there, a name that is too long, a drive that is gone
        raise FootageUnreadable(
            f"There is no file {path}.", "Choose the file again; it may have been moved."
        ) from error
    if stat.S_ISDIR(found.st_mode):
        raise FootageUnreadable(f"{path} is a folder.", "Choose a photo or a clip in it.")
    if not stat.S_ISREG(found.st_mode):  # reading a pipe or a device may never end
        raise FootageUnreadable(f"{path} is no file.", "Choose a photo or a clip.")
    if found.st_size == 0:
        raise FootageUnreadable(f"{path.name} is empty.", _CUT_OFF)


def _open_file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except PermissionError as error:
        raise FootageUnreadable(
            f"{path} may not be read.", "Allow reading the file, or copy it."
        ) from error
    except OSError as error:
        raise FootageUnreadable(f"{path} cannot be read: {error.strerror}.", _CUT_OFF) from error


def _too_large(path: Path) -> FootageUnreadable:
    return FootageUnreadable(
        f"{path.name} has more than {MAX_PIXELS // 1_000_000} million pixels.",
        "Scale it down and try again.",
    )


def _to_pixels(image: Image.Image) -> Bytes:
    """Any mode -> uint8 [H, W, 3], upright, sRGB; the image itself may be changed."""
    profile = image.info.get("icc_profile")
    ImageOps.exif_transpose(image, in_place=True)
    upright = image
    if upright.mode == "F":
        upright = _float_to_8_bit(upright)
    elif profile:
        upright = _to_srgb(upright, profile)
    return _rows(upright)


def _rows(image: Image.Image) -> Bytes:
    """Copy an image out of Pillow in bands: in one piece it would stand in memory three times more."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _BAND):
        bottom = min(top + _BAND, image.height)
        pixels[top:bottom] = np.asarray(_to_rgb(image.crop((0, top, image.width, bottom))))
    return pixels


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP_GREY_MODES:
        image = _to_8_bit(image)
    if image.has_transparency_data:
        image = _over_grey(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit grey, which Pillow would clip at 255; the full range 0..65535 becomes 0..255."""
    values = np.clip(np.asarray(image).astype(np.float32), 0.0, 65535.0)
    return Image.fromarray(np.round(values / 257.0).astype(np.uint8))


def _float_to_8_bit(image: Image.Image) -> Image.Image:
    """Float grey has no declared white: take the smallest of 1, 255 and 65535 that nothing exceeds."""
    values = np.nan_to_num(np.asarray(image, np.float32), posinf=0.0, neginf=0.0)
    white = next((top for top in (1.0, 255.0) if values.max() <= top), 65535.0)
    return Image.fromarray(np.round(np.clip(values / white, 0.0, 1.0) * 255.0).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Apply an embedded colour profile (phones write Display P3, printers CMYK); an unusable one is ignored."""
    if image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    target = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        # Pillow leaves the type of its own profiles open.
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))  # pyright: ignore
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode=target)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image


def _over_grey(image: Image.Image) -> Image.Image:
    colors = image.convert("RGBA")
    ground = Image.new("RGB", image.size, _GREY)
    ground.paste(colors, mask=colors.getchannel("A"))
    return ground


def _open_clip(path: Path) -> InputContainer:
    _check_file(path)
    try:
        # Absolute, for FFmpeg takes what stands before a colon for a protocol.
        container = av.open(str(path.absolute()), options=_ONLY_FILES)
    except PermissionError as error:
        raise FootageUnreadable(
            f"{path} may not be read.", "Allow reading the file, or copy it."
        ) from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise FootageUnreadable(
            f"{path.name} is not a clip we can read, or its end is missing.",
            _CUT_OFF,
            detail=str(error),
        ) from error
    if _PLAYLISTS.intersection(container.format.name.split(",")):
        container.close()
        raise FootageUnreadable(f"{path.name} is a list of other files.", "Choose the clip itself.")
    if not container.streams.video:
        container.close()
        raise FootageUnreadable(f"{path.name} has no picture, only sound.", "Choose another clip.")
    return container


def _decode(path: Path, container: InputContainer) -> Iterator[av.VideoFrame]:
    count = 0
    try:
        for frame in container.decode(video=0):
            count += 1
            yield frame
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise FootageUnreadable(
            f"{path.name} is damaged after frame {count}.",
            "Choose a last frame before that, or export it again.",
        ) from error


def _turn_upright(frame: av.VideoFrame) -> Bytes:
    pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))
