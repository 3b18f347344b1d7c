"""Sizes: what the network works at, and the fixed tiles and bands that a picture is cut into.

Everything here depends on sizes alone, never on memory, load or what is cached, so results repeat.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.values import Tile

TILE = 72  # longest side of a tile, in pixels at network size
_CELL = 4  # the network's stride: tiles begin at whole cells
_LINES = 540  # short side that the network works at for a stroke of 1
_RIM = 48  # what the decoder reads beyond a piece, in pixels, both sides together
_PIECE = 640_000  # pixels decoded at one go at most, about: bounds memory
_BAND_CELLS = 40_000  # feature cells encoded at one go, about: bounds memory, 640,000 pixels


def network_size(height: int, width: int, stroke: float) -> tuple[int, int]:
    """The size (height, width) at which a picture is styled: a short side of 540 over `stroke`, never
    enlarged.

    So strokes keep their size relative to the picture, and a large picture costs no more than one of 540
    lines.

    Raises:
        StylebridgeError: BAD_VALUE for an empty picture or a stroke that is not above 0.
    """
    if height < 1 or width < 1 or not stroke > 0:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"A picture of {width}x{height} at stroke {stroke} cannot be styled: both must be above 0.",
        )
    scale = min(1.0, _LINES / (min(height, width) * stroke))
    return max(1, round(height * scale)), max(1, round(width * scale))


def tiles(height: int, width: int) -> list[Tile]:
    """The tiles of a picture of network size, row by row.

    As few as `TILE` allows and about equal. They are small, so that a small thing needs little; tiles that are needed
    together are painted together, see `pieces`.
    """
    return [Tile(x0, y0, x1, y1) for y0, y1 in _even(height) for x0, x1 in _even(width)]


def _even(size: int) -> list[tuple[int, int]]:
    """Pieces [first, last) of a side, about equal, beginning at whole cells."""
    count = -(-size // TILE)
    edges = [round(size * i / count / _CELL) * _CELL for i in range(count)]
    return list(itertools.pairwise([*edges, size]))


def pieces(wanted: Sequence[Tile]) -> list[Tile]:
    """Rectangles that together cover the wanted tiles of one picture, few and not much larger.

    Every rectangle is painted with a margin, so two that are near cost less as one: they are joined where the pixels
    of it are fewer. What is covered beside what is wanted is painted in vain. Every tile lies in one rectangle whole.
    """
    rows: list[Tile] = []
    for tile in sorted(wanted, key=lambda one: (one.y0, one.x0)):
        if rows and (rows[-1].y0, rows[-1].x1) == (tile.y0, tile.x0):
            rows[-1] = _around(rows[-1], tile)
        else:
            rows.append(tile)
    joined: list[Tile] = []
    for row in rows:
        part = row
        while near := _nearest(joined, part):
            joined.remove(near)
            part = _around(near, part)
        joined.append(part)
    return joined


def _nearest(others: Sequence[Tile], piece: Tile) -> Tile | None:
    """The one that most is spared by joining the piece with, None where nothing is."""
    best, most = None, 0
    for other in others:
        together = _around(other, piece)
        spared = _cost(other) + _cost(piece) - _cost(together)
        if spared > most and _cost(together) <= _PIECE:
            best, most = other, spared
    return best


def _around(a: Tile, b: Tile) -> Tile:
    return Tile(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


def _cost(piece: Tile) -> int:
    return (piece.x1 - piece.x0 + _RIM) * (piece.y1 - piece.y0 + _RIM)


def bands(rows: int, columns: int) -> list[tuple[int, int]]:
    """Bands [first, last) of feature rows, about equal, for a picture of rows x columns cells."""
    most = max(16, _BAND_CELLS // columns)
    count = -(-rows // most)
    edges = [rows * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))
