"""Run lengths of COCO: a hard mask as the lengths of its runs, down the columns, beginning with what is not covered.

The text form is that of the COCO API: differences to the run before the last, in groups of five bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def encoded(mask: NDArray[np.bool_]) -> str:
    """The text of an (H, W) mask."""
    flat = np.asarray(mask, bool).T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], edges, [flat.size]])
    counts = np.diff(bounds).tolist()
    if flat.size and flat[0]:
        counts.insert(0, 0)
    out = []
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        while True:
            five, value = value & 31, value >> 5
            more = value != (-1 if five & 16 else 0)
            out.append(chr((five | 32 if more else five) + 48))
            if not more:
                break
    return "".join(out)


def decoded(counts: str | Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The (H, W) mask of a text, or of the lengths themselves.

    Raises:
        ValueError: they are not those of a mask of that size.
    """
    height, width = size
    lengths = _lengths(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if any(length < 0 for length in lengths) or sum(lengths) != height * width:
        raise ValueError("the run lengths do not fill the picture")
    values = np.arange(len(lengths)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, lengths).reshape(width, height).T)


def _lengths(text: str) -> list[int]:
    out: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 60:
            raise ValueError("the run lengths are no text of COCO's")
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            if code & 16:
                value -= 1 << shift
            out.append(value + out[-2] if len(out) > 2 else value)
            value = shift = 0
    if shift:
        raise ValueError("the run lengths are cut off")
    return out
