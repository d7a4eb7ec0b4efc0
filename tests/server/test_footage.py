# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos of every kind, clips of every kind, and everything that is neither."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from pixel3dmm_blender.wire import Cancelled, Footage, FootageUnreadable
from server.footage import Frame, describe_clip, is_clip, read_footage, read_photo

ORIENTATION, EXIF_IFD, FOCAL_35MM, FOCAL, WIDTH, HEIGHT = (
    0x0112,
    0x8769,
    0xA405,
    0x920A,
    0xA002,
    0xA003,
)
PITCH, PITCH_UNIT = 0xA20E, 0xA210


def ramp(width: int = 24, height: int = 16) -> Image.Image:
    """Red grows to the right, green downwards."""
    x, y = np.meshgrid(np.arange(width) * 10, np.arange(height) * 15)
    return Image.fromarray(np.stack([x, y, np.full_like(x, 60)], -1).astype(np.uint8))


def refusal(path: Path) -> FootageUnreadable:
    with pytest.raises(FootageUnreadable) as caught:
        list(read_footage(Footage(path=str(path))))
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value


# Photos


def test_a_photo_becomes_one_frame_of_contiguous_rgb_bytes(tmp_path):
    ramp().save(tmp_path / "photo.png")

    (frame,) = read_footage(Footage(path=str(tmp_path / "photo.png")))

    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.flags.c_contiguous
    assert np.array_equal(frame.pixels, np.asarray(ramp()))
    assert (frame.index, frame.time_s, frame.focal_35mm) == (0, 0.0, 0.0)


def test_pixels_are_taken_as_they_are():
    pixels = np.asarray(ramp())

    (frame,) = read_footage(Footage(pixels=pixels, focal_35mm=50.0))

    assert np.array_equal(frame.pixels, pixels)
    assert frame.focal_35mm == 50.0


@pytest.mark.parametrize(
    ("tag", "turn"), [(1, None), (3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90)]
)
def test_exif_orientation_is_turned_upright(tmp_path, tag, turn):
    stored = ramp().transpose(turn) if turn is not None else ramp()
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    stored.save(tmp_path / "turned.png", exif=exif)

    assert np.array_equal(read_photo(tmp_path / "turned.png").pixels, np.asarray(ramp()))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA", "YCbCr", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    ramp().convert(mode).save(tmp_path / "photo.tif") if mode != "P" else ramp().quantize(64).save(
        tmp_path / "photo.tif"
    )

    pixels = read_photo(tmp_path / "photo.tif").pixels

    assert pixels.shape == (16, 24, 3)
    assert pixels[:, -1].mean() > pixels[:, 0].mean() + 20


def test_sixteen_bit_grey_keeps_its_range(tmp_path):
    values = np.linspace(0, 65535, 256).round().astype(np.uint16)[None].repeat(4, 0)
    Image.fromarray(values).save(tmp_path / "deep.png")

    pixels = read_photo(tmp_path / "deep.png").pixels

    assert np.array_equal(pixels[0, :, 0], np.arange(256))


def test_transparent_pixels_become_grey_whatever_hides_under_them(tmp_path):
    image = ramp().convert("RGBA")
    image.paste((255, 0, 255, 0), (0, 0, 5, 16))
    image.save(tmp_path / "cut_out.png")

    pixels = read_photo(tmp_path / "cut_out.png").pixels

    assert (pixels[:, :5] == 128).all()
    assert np.array_equal(pixels[:, 5:], np.asarray(ramp())[:, 5:])


def test_an_embedded_colour_profile_is_applied(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = Image.new("RGB", (8, 8), (200, 100, 50))
    grey.save(tmp_path / "srgb.png", icc_profile=lab)
    grey.save(tmp_path / "broken.png", icc_profile=b"not a profile")

    for name in ("srgb.png", "broken.png"):
        assert (read_photo(tmp_path / name).pixels == (200, 100, 50)).all()


def exif_photo(path: Path, size: tuple[int, int], **tags: float) -> Frame:
    exif = Image.Exif()
    numbers = {"focal_35mm": FOCAL_35MM, "focal": FOCAL, "width": WIDTH, "height": HEIGHT}
    numbers |= {"pitch": PITCH, "unit": PITCH_UNIT}
    exif.get_ifd(EXIF_IFD).update({numbers[name]: value for name, value in tags.items()})
    Image.new("RGB", size).save(path, exif=exif)
    return read_photo(path)


def test_the_focal_length_comes_from_exif(tmp_path):
    frame = exif_photo(tmp_path / "a.jpg", (300, 200), focal_35mm=50)

    assert frame.focal_35mm == pytest.approx(50.0)


def test_a_35_mm_equivalent_compares_diagonals(tmp_path):
    frame = exif_photo(tmp_path / "phone.jpg", (400, 300), focal_35mm=26)

    field_of_view_diagonal = 2 * np.arctan(np.hypot(400, 300) / 2 / (frame.focal_35mm / 36 * 400))
    assert field_of_view_diagonal == pytest.approx(2 * np.arctan(np.hypot(36, 24) / 2 / 26))


def test_the_focal_length_comes_from_the_pixel_pitch(tmp_path):
    frame = exif_photo(
        tmp_path / "a.jpg",
        (300, 200),
        focal=35.0,
        pitch=300 / 23.5 * 10,
        unit=3,
        width=300,
        height=200,
    )

    assert frame.focal_35mm == pytest.approx(35.0 * 36 / 23.5, rel=1e-3)


def test_the_focal_length_of_a_cropped_photo_is_unknown(tmp_path):
    frame = exif_photo(tmp_path / "a.jpg", (200, 200), focal_35mm=50, width=300, height=200)

    assert frame.focal_35mm == 0.0


def test_a_focal_length_that_cannot_be_is_unknown(tmp_path):
    assert exif_photo(tmp_path / "a.jpg", (300, 200), focal_35mm=0).focal_35mm == 0.0
    assert exif_photo(tmp_path / "b.jpg", (300, 200), focal=35.0).focal_35mm == 0.0


def test_the_users_focal_length_goes_before_exif(tmp_path):
    exif_photo(tmp_path / "a.jpg", (300, 200), focal_35mm=50)

    (frame,) = read_footage(Footage(path=str(tmp_path / "a.jpg"), focal_35mm=85.0))

    assert frame.focal_35mm == 85.0


def test_a_truncated_jpeg_is_refused(tmp_path, astronaut_path):
    whole = tmp_path / "whole.jpg"
    Image.open(astronaut_path).convert("RGB").save(whole)
    content = whole.read_bytes()

    for share in (0.9, 0.5, 0.1):
        (tmp_path / "cut.jpg").write_bytes(content[: int(len(content) * share)])
        assert "damaged" in refusal(tmp_path / "cut.jpg").message


def test_a_truncated_png_is_refused(tmp_path, astronaut_path):
    (tmp_path / "cut.png").write_bytes(astronaut_path.read_bytes()[:300_000])

    assert "damaged" in refusal(tmp_path / "cut.png").message


def test_a_text_file_named_jpg_is_refused(tmp_path):
    (tmp_path / "notes.jpg").write_text("This is not a picture.\n" * 40)

    assert "notes.jpg is not a picture" in refusal(tmp_path / "notes.jpg").message


def test_a_missing_file_a_folder_and_an_empty_file_are_refused(tmp_path):
    (tmp_path / "empty.png").touch()

    assert "no file" in refusal(tmp_path / "missing.jpg").message
    assert "folder" in refusal(tmp_path).message
    assert "empty" in refusal(tmp_path / "empty.png").message


@pytest.mark.skipif(
    os.name == "nt" or getattr(os, "geteuid", lambda: 1)() == 0, reason="root may read everything"
)
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    ramp().save(tmp_path / "locked.png")
    (tmp_path / "locked.png").chmod(0)

    assert "may not be read" in refusal(tmp_path / "locked.png").message


def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded(tmp_path):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "huge.png")

    assert "150 million pixels" in refusal(tmp_path / "huge.png").message


# Clips


def write_clip(path: Path, pictures: list[Image.Image], times: list[int] | None = None) -> Path:
    """Write pictures as a clip, losslessly enough; times in 1/25 s."""
    width, height = pictures[0].size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264rgb" if width % 2 or height % 2 else "libx264", rate=25
        )
        stream.width, stream.height = width, height
        stream.pix_fmt = "rgb24" if width % 2 or height % 2 else "yuv444p"
        stream.options = {"crf": "1"}
        stream.time_base = Fraction(1, 25)
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = (times[i] if times else i), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def shades(count: int, size: tuple[int, int] = (64, 48)) -> list[Image.Image]:
    return [Image.new("RGB", size, (20 * i, 20 * i, 20 * i)) for i in range(count)]


def shade_of(frame: Frame) -> int:
    return round(float(frame.pixels.mean()) / 20)


def test_a_clip_gives_its_frames_in_order(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", shades(8))

    frames = list(read_footage(Footage(path=str(path))))

    assert [shade_of(frame) for frame in frames] == list(range(8))
    assert [frame.index for frame in frames] == list(range(8))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 25 for i in range(8)])
    assert describe_clip(path).frame_count == 8
    assert describe_clip(path).frame_rate == pytest.approx(25.0)


def test_first_last_and_step_choose_frames(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", shades(10))

    frames = list(read_footage(Footage(path=str(path), first=2, last=8, step=3)))

    assert [frame.index for frame in frames] == [2, 5, 8]
    assert [shade_of(frame) for frame in frames] == [2, 5, 8]


def test_a_clip_of_one_frame_is_read(tmp_path):
    path = write_clip(tmp_path / "one.mp4", shades(1))

    assert len(list(read_footage(Footage(path=str(path))))) == 1


def test_uneven_time_stamps_are_kept(tmp_path):
    path = write_clip(tmp_path / "uneven.mkv", shades(4), times=[0, 1, 5, 6])

    times = [frame.time_s for frame in read_footage(Footage(path=str(path)))]

    assert times == pytest.approx([0.0, 0.04, 0.2, 0.24], abs=1e-3)


def test_odd_sizes_are_read(tmp_path):
    path = write_clip(tmp_path / "odd.mkv", shades(2, (63, 47)))

    assert next(read_footage(Footage(path=str(path)))).pixels.shape == (47, 63, 3)


def test_a_gif_is_read_as_a_clip(tmp_path):
    first, *others = shades(3)
    first.save(tmp_path / "moving.gif", save_all=True, append_images=others, duration=80)

    assert is_clip(tmp_path / "moving.gif")
    assert len(list(read_footage(Footage(path=str(tmp_path / "moving.gif"))))) == 3


def turn_in_header(path: Path, matrix: tuple[int, ...]) -> None:
    """Write a rotation into the track header of an mp4: that is all that a phone does when it is turned."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40  # version 0: the matrix is 40 bytes behind the name
    for i, value in enumerate(matrix):
        content[place + 4 * i : place + 4 * i + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [
        ((0, 1 << 16, 0, -1 << 16, 0, 0), 1),
        ((-1 << 16, 0, 0, 0, -1 << 16, 0), 2),
        ((0, -1 << 16, 0, 1 << 16, 0, 0), 3),
    ],
)
def test_a_clip_is_turned_upright(tmp_path, matrix, turns):
    stored = ramp().resize((64, 48), Image.Resampling.NEAREST)
    path = write_clip(tmp_path / "turned.mp4", [stored])
    turn_in_header(path, matrix)

    (frame,) = read_footage(Footage(path=str(path)))

    upright = np.rot90(np.asarray(stored), -turns)  # the matrix turns clockwise on the screen
    assert frame.pixels.shape == upright.shape
    assert np.abs(frame.pixels.astype(int) - upright).mean() < 4


def test_a_truncated_clip_is_refused(tmp_path):
    path = write_clip(tmp_path / "cut.mp4", shades(8))
    path.write_bytes(path.read_bytes()[:600])

    assert "cut.mp4" in refusal(path).message


def test_a_text_file_named_mp4_is_refused(tmp_path):
    (tmp_path / "notes.mp4").write_text("This is not a clip.\n" * 40)

    assert "not a clip" in refusal(tmp_path / "notes.mp4").message


def test_a_clip_that_lists_other_files_is_refused(tmp_path):
    write_clip(tmp_path / "clip.mp4", shades(2))
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile clip.mp4\n")

    assert "list of other files" in refusal(tmp_path / "list.mp4").message


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names")
def test_a_colon_in_a_clips_name_is_no_protocol(tmp_path, monkeypatch):
    write_clip(tmp_path / "clip.mp4", shades(2)).rename(tmp_path / "take:2.mp4")
    monkeypatch.chdir(tmp_path)

    assert len(list(read_footage(Footage(path="take:2.mp4")))) == 2


def test_frames_before_the_first_wanted_one_can_be_stopped(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", shades(5))

    def stop() -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        list(read_footage(Footage(path=str(path), first=4), stop))


def test_a_range_behind_the_end_of_a_clip_is_refused(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", shades(3))

    with pytest.raises(FootageUnreadable, match="no frame in the chosen range"):
        list(read_footage(Footage(path=str(path), first=10)))
