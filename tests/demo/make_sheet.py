# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's second half, run by the engine's Python: photo and views -> one sheet."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

TILE_PX, GAP_PX, LABEL_PX = 420, 10, 34
BACKGROUND, STUDIO, INK = (24, 25, 28), (58, 61, 66), (225, 226, 230)
OVERLAY_SHARE = 0.62
TILES = (
    ("photo", "Photo"),
    ("face", "The face in it"),
    ("overlay", "Solved head on the photo"),
    ("front", "Textured, in the solved camera"),
    ("three-quarter", "Three-quarter"),
    ("side", "Side"),
    ("neutral", "Neutral"),
    ("arkit", "ARKit pose: a wink"),
)


def main() -> None:
    """Write OUTPUT/<stem>.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    views = options.output / "views" / options.image.stem
    sheet = options.output / f"{options.image.stem}.png"
    make_sheet(options.image, views).save(sheet)
    print(f"\nLook at {sheet}")
    for suffix, what in ((".blend", "open it in Blender"), (".glb", "for other programs")):
        print(f"        {sheet.with_suffix(suffix)}   {what}")


def make_sheet(photo: Path, views: Path) -> Image.Image:
    """Lay the photo and its views out in one row of labelled tiles over another."""
    picture = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    columns = (len(TILES) + 1) // 2
    step = TILE_PX + GAP_PX
    sheet = Image.new("RGB", (columns * step + GAP_PX, 2 * (step + LABEL_PX) + GAP_PX), BACKGROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for number, (name, label) in enumerate(TILES):
        x, y = GAP_PX + number % columns * step, GAP_PX + number // columns * (step + LABEL_PX)
        sheet.paste(fit(tile(name, picture, views)), (x, y))
        pen.text((x + 4, y + TILE_PX + 6), label, INK, font)
    return sheet


def tile(name: str, photo: Image.Image, views: Path) -> Image.Image:
    """One picture of the sheet, without its label."""
    if name == "photo":
        return photo
    left, top, side = json.loads((views / "crop.json").read_text(encoding="utf-8"))
    face = photo.crop((left, top, left + side, top + side))
    if name == "face":
        return face
    view = Image.open(views / f"{name}.png").convert("RGBA")
    if name == "overlay":
        face = face.resize(view.size, Image.Resampling.LANCZOS)
        mask = view.getchannel("A").point([round(level * OVERLAY_SHARE) for level in range(256)])
        return Image.composite(view.convert("RGB"), face, mask)
    ground = Image.new("RGBA", view.size, (*STUDIO, 255))
    return Image.alpha_composite(ground, view).convert("RGB")


def fit(picture: Image.Image) -> Image.Image:
    """Scale to the tile; what is too long is cut off at the bottom, where no face is."""
    return ImageOps.fit(picture, (TILE_PX, TILE_PX), Image.Resampling.LANCZOS, centering=(0.5, 0.0))


if __name__ == "__main__":
    main()
