"""What the embedded style network costs: beside MicroAST, run eagerly as published, and for many styles at once."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from stylebridge_models.microast import MicroAst
from stylebridge_server import style
from stylebridge_server.values import Tile

from . import peer
from .timing import median_ms

WIDTH, HEIGHT = 640, 360
DISCS, COVERED, PLACEMENTS = 8, 0.4, 10

Place = NDArray[np.float64]


def discs(seed: int) -> tuple[list[Place], float]:
    """Centres (x, y) of discs that do not overlap and lie in the picture, and their common radius, pixels."""
    radius = math.sqrt(COVERED * WIDTH * HEIGHT / DISCS / math.pi)
    rng = np.random.default_rng(seed)
    places: list[Place] = []
    tries = 0
    while len(places) < DISCS:
        place = rng.uniform((radius, radius), (WIDTH - radius, HEIGHT - radius))
        if all(np.hypot(*(place - other)) >= 2 * radius for other in places):
            places.append(place)
        tries += 1
        if tries % 3000 == 0:  # these leave no room for the rest
            places.clear()
    return places, radius


def touches(tile: Tile, place: Place, radius: float) -> bool:
    """Whether a disc covers part of a tile."""
    x, y = place
    across, down = max(tile.x0 - x, 0, x - tile.x1), max(tile.y0 - y, 0, y - tile.y1)
    return math.hypot(across, down) < radius


def report(threads: int) -> list[str]:
    """Tables of both comparisons."""
    engine = style.load()
    picture = np.random.default_rng(0).random((HEIGHT, WIDTH, 3), np.float32)
    features, scene = engine.features(picture), engine.statistics([picture])
    codes = [preset.code for preset in engine.presets().values()][:DISCS]
    tiles = style.tiles(HEIGHT, WIDTH)
    encode = median_ms(lambda: engine.features(picture))
    whole_frame = style.pieces(tiles)
    decode = median_ms(lambda: [engine.decode(features, scene, codes[0], piece) for piece in whole_frame])
    rows = [
        ("embedded: the picture encoded", encode),
        ("embedded: one style, all tiles", decode),
        ("embedded: one frame", encode + decode),
    ]
    theirs = peer.network()
    if theirs:
        rows.append(("MicroAST, eager, one frame", _milliseconds(theirs)))
    whole = encode + decode
    lines = [
        f"## Style networks, {WIDTH}x{HEIGHT}, {threads} threads",
        "",
        "| what | ms | against one frame |",
        "|---|---:|---:|",
        *[f"| {name} | {ms:.1f} | {ms / whole:.2f} |" for name, ms in rows],
        "",
    ]
    counts, times = [], []
    for seed in range(PLACEMENTS):
        places, radius = discs(seed)
        wanted = [[tile for tile in tiles if touches(tile, place, radius)] for place in places]
        work = [
            (code, piece) for code, some in zip(codes, wanted, strict=True) for piece in style.pieces(some)
        ]
        counts.append(sum(map(len, wanted)))
        times.append(median_ms(lambda work=work: [engine.decode(features, scene, *one) for one in work], 3))
    mean = encode + float(np.mean(times))
    return [
        *lines,
        f"Eight discs in eight styles, {COVERED:.0%} of the picture, mean of {PLACEMENTS} placements: {mean:.1f} ms, "
        f"{mean / whole:.2f} times one frame; {np.mean(counts):.1f} tiles decoded, of {len(tiles)} a frame.",
        "",
    ]


def _milliseconds(network: MicroAst) -> float:
    """For a frame, its style's signals made before."""
    content = torch.rand(1, 3, HEIGHT, WIDTH)
    with torch.inference_mode():
        signals = network.signals(torch.rand(1, 3, 512, 512))
        return median_ms(lambda: network.stylise(content, signals))
