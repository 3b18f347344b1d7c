"""Makes the pictures of the documentation from the example shot: `python docs/make_pictures.py out/demo/styled.mp4`.

The argument is what `make demo` wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylebridge_server import colour, media, style

ROOT = Path(__file__).resolve().parent.parent
PICTURES = Path(__file__).resolve().parent / "pictures"
PLATE = ROOT / "examples/shot/plate.mp4"
BEFORE_AFTER = 84  # the balloon is all paint and the bird well away from it
STYLES = 58
MIXED = ("starry-night", "fauve")
COLUMNS, WIDTH = 4, 400
PAPER, INK = (24, 25, 28), (236, 236, 232)


def before_after(styled: Path) -> None:
    """The source and the demo's result, side by side."""
    with media.open_source(PLATE) as before, media.open_source(styled) as after:
        pair = [before.read(BEFORE_AFTER).pixels, after.read(BEFORE_AFTER).pixels]
    gap = np.full((pair[0].shape[0], 8, 3), 255, np.uint8)
    Image.fromarray(np.hstack([pair[0], gap, pair[1]])).save(PICTURES / "before-after.jpg", quality=88)


def styles() -> None:
    """One frame in every preset style, with its name."""
    engine = style.load()
    with media.open_source(PLATE) as source:
        plate = colour.to_working(source.read(STYLES).pixels)
    height, width = plate.shape[:2]
    features, scene = engine.features(plate), engine.statistics([plate])
    size = (WIDTH, round(WIDTH * height / width))
    presets = list(engine.presets().values())
    rows = -(-len(presets) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * (size[0] + 8) + 8, rows * (size[1] + 34) + 8), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(16)
    for place, preset in enumerate(presets):
        canvas = np.zeros_like(plate)
        for piece in style.pieces(style.tiles(height, width)):
            canvas[piece.slices] = engine.decode(features, scene, preset.code, piece)
        small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
        x, y = 8 + place % COLUMNS * (size[0] + 8), 8 + place // COLUMNS * (size[1] + 34)
        page.paste(Image.fromarray(colour.from_working(small, np.uint8)), (x, y))
        pen.text((x, y + size[1] + 6), preset.name, INK, font)
    page.save(PICTURES / "styles.jpg", quality=88)


def mixes() -> None:
    """One frame in two styles and at three places between their codes."""
    engine = style.load()
    with media.open_source(PLATE) as source:
        plate = colour.to_working(source.read(STYLES).pixels)
    height, width = plate.shape[:2]
    features, scene = engine.features(plate), engine.statistics([plate])
    first, second = (engine.presets()[name].code for name in MIXED)
    size = (WIDTH * 3 // 4, round(WIDTH * 3 / 4 * height / width))
    page = Image.new("RGB", (5 * (size[0] + 8) + 8, size[1] + 42), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(16)
    for place in range(5):
        share = place / 4
        code = (1 - share) * first + share * second
        canvas = np.zeros_like(plate)
        for piece in style.pieces(style.tiles(height, width)):
            canvas[piece.slices] = engine.decode(features, scene, code, piece)
        small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
        x = 8 + place * (size[0] + 8)
        page.paste(Image.fromarray(colour.from_working(small, np.uint8)), (x, 8))
        name = {0: MIXED[0], 4: MIXED[1]}.get(place, f"{share:g}")
        pen.text((x, size[1] + 14), name, INK, font)
    page.save(PICTURES / "mixes.jpg", quality=88)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    before_after(Path(sys.argv[1]))
    styles()
    mixes()
