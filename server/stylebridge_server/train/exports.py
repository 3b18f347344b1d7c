"""From a trained network to what ships: weights, preset codes, and the index with their checksums."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import safetensors.torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import registry
from stylebridge_models.fitting import FITTING_SIDE
from stylebridge_models.network import StyleNetwork
from stylebridge_server.style import Engine

from .pictures import Rgb8, find, load
from .textures import ink
from .trainer import FIELDS

WEIGHTS = "embedded-style"
PRESETS = "embedded-style-presets"
_LICENCE = "Apache-2.0"

# Preset name, file it is made from (without suffix), title, credit.
PAINTINGS = (
    ("starry-night", "starry_night", "The Starry Night", "Vincent van Gogh, 1889"),
    ("wheat-field", "vg_wheat_field", "Wheat Field with Cypresses", "Vincent van Gogh, 1889"),
    ("cottages", "vg_houses", "Thatched Cottages in the Sunshine", "Vincent van Gogh, 1890"),
    ("straw-hat", "vg_self", "Self-Portrait with a Straw Hat", "Vincent van Gogh, 1887"),
    ("olive-grove", "vg_olive", "Olive Trees", "Vincent van Gogh, 1889"),
    ("great-wave", "wave", "The Great Wave off Kanagawa", "Katsushika Hokusai, about 1831"),
    ("shipwreck", "shipwreck", "The Shipwreck of the Minotaur", "J. M. W. Turner, about 1810"),
    ("fauve", "matisse_1905_woman_with_hat", "Woman with a Hat", "Henri Matisse, 1905"),
    ("machine-dance", "udnie", "Udnie (Young American Girl, The Dance)", "Francis Picabia, 1913"),
    ("tahiti", "tahiti_guaguin", "Three Tahitian Women", "Paul Gauguin, 1896"),
    ("mosaic", "delaunay_1906_portrait", "Portrait of Jean Metzinger", "Robert Delaunay, 1906"),
)
# Presets are of styles that the network mostly knows: it paints them crisply with less asked for than of others, and
# the steadier.
_CRISP = 1.15
# A style that no painter made: `textures.ink`.
_INK = ("ink", "Ink lines on paper", "Stylebridge, drawn by its own code")


def _code(engine: Engine, picture: Rgb8) -> list[float]:
    return engine.code(picture, _CRISP).tolist()


def export(network: StyleNetwork, styles: Path, folder: Path = registry.FOLDER) -> None:
    """Writes weights (float16), preset codes made with them, and the index into `folder`.

    Args:
        network: on the CPU; rounded to float16 by this, in place, so that the codes fit what ships.
        styles: the folder of paintings that `PAINTINGS` names.

    Raises:
        StylebridgeError: NOT_FOUND where a painting is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rounded = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    network.load_state_dict({name: value.float() for name, value in rounded.items()})
    network.eval()
    weights = folder / f"{WEIGHTS}.safetensors"
    weights.write_bytes(safetensors.torch.save(rounded))
    files = {path.stem: path for path in find(styles)}
    engine = Engine(network.state_dict(), {}, "", "cpu")
    presets = {}
    for name, stem, title, credit in PAINTINGS:
        if stem not in files:
            raise StylebridgeError(
                Code.NOT_FOUND, f"The painting {stem} is not in {styles}: add it for {name!r}."
            )
        presets[name] = {"title": title, "credit": credit, "code": _code(engine, load(files[stem]))}
    name, title, credit = _INK
    presets[name] = {"title": title, "credit": credit, "code": _code(engine, ink(FITTING_SIDE))}
    codes = folder / f"{PRESETS}.json"
    codes.write_text(json.dumps(presets, indent=1) + "\n", encoding="utf-8")
    index = [
        registry.describe(weights, WEIGHTS, _LICENCE, "any style on any picture, trained by this project"),
        registry.describe(codes, PRESETS, _LICENCE, "style codes of paintings in the public domain"),
    ]
    text = json.dumps([asdict(entry) for entry in index], indent=1)
    (folder / registry.INDEX).write_text(text + "\n", encoding="utf-8")


def export_log(log: Path, target: Path, every: int = 25) -> None:
    """Writes the curve of a run, every number the mean over `every` steps, to go beside the weights."""
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with target.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        for i in range(0, len(rows), every):
            part = rows[i : i + every]
            means = [[float(row[name]) for row in part if row[name]] for name in FIELDS[2:]]
            last = [int(part[-1]["step"]) + 1, round(float(part[-1]["seconds"]))]
            writer.writerow(last + [f"{sum(m) / len(m):.4g}" if m else "" for m in means])
