"""Makes docs/pictures/layers.jpg from the example shot: `python docs/make_layers_sheet.py [FOLDER]`.

Renders one frame by the command line, flat and as layers, with the shot's exact mattes brought in by the look, and
shows what is in the files. FOLDER keeps what is written on the way.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - as its own documentation has it
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stylebridge.command import main
from stylebridge_server import media
from stylebridge_server.media.matte import Wanted, read_matte

ROOT = Path(__file__).resolve().parent.parent
PLATE = ROOT / "examples/shot/plate.mp4"
SHEET = Path(__file__).resolve().parent / "pictures" / "layers.jpg"
FRAME, FRAMES = 56, range(96)
NAMES = ("balloon", "car", "bird")
STRENGTHS = {"background": 0.6, "balloon": 1.0, "bird": 1.0}
LOOK = """schema = "look.1"
[background]
style = "wheat-field"
strength = 0.6
[[instance]]
select = "balloon"
style = "starry-night"
[[instance]]
select = "bird"
style = "great-wave"
"""
SIZE, GAP, CAPTION = (480, 270), 8, 24
PAPER, INK = (24, 25, 28), (236, 236, 232)

Planes = Mapping[str, NDArray[np.float32]]


def render(folder: Path) -> None:
    """The frame, flat and as layers, into a folder."""
    sys.path.insert(0, str(ROOT / "examples"))
    from truth import Truth

    truth = Truth()
    look = LOOK
    for name in NAMES:
        look += f'[[matte]]\nname = "{name}"\npath = "{name}.##.png"\n'
        for number in FRAMES:
            media.save_image(folder / f"{name}.{number:02d}.png", truth.matte(number, name))
    (folder / "look.toml").write_text(look)
    for target, more in (("flat.png", []), ("layers.exr", ["--layers"])):
        given = [
            str(PLATE),
            str(folder / target),
            "--look",
            str(folder / "look.toml"),
            "--frames",
            str(FRAME),
        ]
        sys.argv = ["stylebridge", "render", *given, *more, "--quiet"]
        if main() != 0:
            raise SystemExit("the render failed")


def channels(path: Path) -> dict[str, NDArray[np.float32]]:
    """All channels of a file by name."""
    file = oiio.ImageInput.open(str(path))
    pixels = file.read_image(0, 0, 0, file.spec().nchannels, oiio.FLOAT)
    return {name: pixels[..., place] for place, name in enumerate(file.spec().channelnames)}


def colours(found: Planes, layer: str = "") -> NDArray[np.float32]:
    """Three channels of a file as one picture."""
    return np.stack([found[f"{layer}{letter}"] for letter in "RGB"], axis=-1)


def on_checks(found: Planes, layer: str) -> NDArray[np.float32]:
    """A layer over a chequered ground."""
    matte = found[f"{layer}.A"][..., None]
    rows, columns = np.indices(matte.shape[:2]) // 12
    ground = np.where((rows + columns)[..., None] % 2, 0.30, 0.22)
    return np.asarray(colours(found, f"{layer}.") + (1 - matte) * ground, np.float32)


def rebuilt(found: Planes, strengths: Mapping[str, float]) -> NDArray[np.float32]:
    """out = I + sum_i s_i (L_i - m_i I)"""
    plate = colours(found)
    out = plate.copy()
    for layer, strength in strengths.items():
        out += strength * (colours(found, f"{layer}.") - found[f"{layer}.A"][..., None] * plate)
    return out


def picks(path: Path) -> dict[str, NDArray[np.float32]]:
    """The mattes in the Cryptomatte, by name."""
    read = {name: read_matte([path], Wanted(thing=name))(path) for name in NAMES}
    return {name: part.plane for name, part in read.items() if part is not None}


def sheet(folder: Path) -> Image.Image:
    """What is in the files, with captions."""
    path = folder / "layers.exr"
    found, mattes = channels(path), picks(path)
    tints = dict(zip(NAMES, ((0.98, 0.72, 0.2), (0.9, 0.25, 0.3), (0.3, 0.6, 1.0)), strict=True))
    ids = sum((mattes[name][..., None] * np.array(tint, np.float32) for name, tint in tints.items()))
    flat = media.load_image(folder / "flat.png").pixels / np.float32(255)
    again = rebuilt(found, STRENGTHS)
    off = float(np.abs(again - flat).max() * 255)
    grey = {name: np.repeat(matte[..., None], 3, axis=-1) for name, matte in mattes.items()}
    names = [one["layer"] for one in json.loads(_attribute(path, "stylebridge:layers"))]
    rows = [
        [
            ("R, G, B: the plate", colours(found)),
            ("StylebridgeObject: ids", np.asarray(ids, np.float32)),
            ("the flattened render", flat),
        ],
        [(f"{name}.R, .G, .B, .A", on_checks(found, name)) for name in names],
        [(f"picked by name: {name}", grey[name]) for name in NAMES],
        [
            ("rebuilt: I + sum of s (L - m I)", again),
            (f"its distance from the render, x 100 (at most {off:.2f} of 255)", 100 * np.abs(again - flat)),
            ("the same with the background at 0", rebuilt(found, {**STRENGTHS, "background": 0.0})),
        ],
    ]
    wide = max(len(row) for row in rows)
    page = Image.new(
        "RGB", (wide * (SIZE[0] + GAP) + GAP, len(rows) * (SIZE[1] + GAP + CAPTION) + GAP), PAPER
    )
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for down, row in enumerate(rows):
        for across, (caption, picture) in enumerate(row):
            x, y = GAP + across * (SIZE[0] + GAP), GAP + down * (SIZE[1] + GAP + CAPTION)
            whole = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
            page.paste(Image.fromarray(whole).resize(SIZE, Image.Resampling.LANCZOS), (x, y))
            pen.text((x, y + SIZE[1] + 3), caption, INK, font)
    return page


def _attribute(path: Path, name: str) -> str:
    return str(oiio.ImageInput.open(str(path)).spec().getattribute(name))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch)
        folder.mkdir(parents=True, exist_ok=True)
        render(folder)
        page = sheet(folder)
        page.save(SHEET, quality=88)
        page.save(folder / "layers.png")
