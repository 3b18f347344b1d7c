"""Sizes: what the network works at, and the fixed tiles and bands that a picture is cut into.

Everything here depends on sizes alone, never on memory, load or what is cached, so results repeat.
"""

from __future__ import annotations

import itertools

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.values import Tile

TILE = 384  # longest side of a tile, in pixels at network size
_CELL = 4  # the network's stride: tiles begin at whole cells
_LINES = 540  # short side that the network works at for a stroke of 1
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

    As few as `TILE` allows and about equal: every tile is computed with a margin, so small ones cost more than they
    show.
    """
    return [Tile(x0, y0, x1, y1) for y0, y1 in _even(height) for x0, x1 in _even(width)]


def _even(size: int) -> list[tuple[int, int]]:
    """Pieces [first, last) of a side, about equal, beginning at whole cells."""
    count = -(-size // TILE)
    edges = [round(size * i / count / _CELL) * _CELL for i in range(count)]
    return list(itertools.pairwise([*edges, size]))


def bands(rows: int, columns: int) -> list[tuple[int, int]]:
    """Bands [first, last) of feature rows, about equal, for a picture of rows x columns cells."""
    most = max(16, _BAND_CELLS // columns)
    count = -(-rows // most)
    edges = [rows * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))
