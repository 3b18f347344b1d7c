"""Which tiles of a picture are made, and together with which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylebridge_server.values import Plane, Tile

Size = tuple[int, int]  # height, width

# Tiles of a stream made at one go: bounds memory, 580,000 pixels of every frame of the window.
_TOGETHER = 112


def rectangles(tiles: Sequence[Tile]) -> list[Tile]:
    """Rectangles that cover the tiles and nothing else, as few as rows of them make."""
    runs: list[Tile] = []
    for tile in sorted(tiles, key=lambda one: (one.y0, one.x0)):
        if runs and (runs[-1].y0, runs[-1].x1) == (tile.y0, tile.x0):
            tile = Tile(runs.pop().x0, tile.y0, tile.x1, tile.y1)
        runs.append(tile)
    found: list[Tile] = []
    for run in runs:
        above = next((one for one in found if (one.x0, one.x1, one.y1) == (run.x0, run.x1, run.y0)), None)
        if above is not None:
            found.remove(above)
            run = Tile(above.x0, above.y0, run.x1, run.y1)
        found.append(run)
    return found


def overlapping(tiles: Sequence[Tile], boxes: Sequence[tuple[int, int, int, int]]) -> list[Tile]:
    """The tiles that share a pixel with one of the boxes (x0, y0, x1, y1), ends excluded."""
    x0, y0, x1, y1 = np.array(boxes).T
    a0, b0, a1, b1 = np.array([box(tile) for tile in tiles]).T[..., None]
    shared = ((a0 < x1) & (x0 < a1) & (b0 < y1) & (y0 < b1)).any(1)
    return [tile for tile, one in zip(tiles, shared, strict=True) if one]


def box(tile: Tile) -> tuple[int, int, int, int]:
    return tile.x0, tile.y0, tile.x1, tile.y1


def part(picture: NDArray[Any], piece: Tile, tile: Tile) -> NDArray[Any]:
    """A tile out of a picture of the piece that it lies in, in memory of its own."""
    rows = slice(tile.y0 - piece.y0, tile.y1 - piece.y0)
    return picture[rows, tile.x0 - piece.x0 : tile.x1 - piece.x0].copy()


def groups(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """Tiles that are made together, in order: as many as bounded memory allows."""
    for i in range(0, len(tiles), _TOGETHER):
        yield list(tiles[i : i + _TOGETHER])


def touched(tiles: Sequence[Tile], size: Size, full: Size, plane: Plane) -> list[Tile]:
    """The tiles that matter where the plane is above 0, with what enlarging reads around each pixel."""
    reach = 3  # network pixels: a cubic kernel's two, and one for rounding
    scale_y, scale_x = full[0] / size[0], full[1] / size[1]
    wanted = []
    for tile in tiles:
        rows = slice(max(0, int((tile.y0 - reach) * scale_y)), int(np.ceil((tile.y1 + reach) * scale_y)))
        columns = slice(max(0, int((tile.x0 - reach) * scale_x)), int(np.ceil((tile.x1 + reach) * scale_x)))
        if plane[rows, columns].any():
            wanted.append(tile)
    return wanted
