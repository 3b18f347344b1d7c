"""Cryptomatte: soft mattes of many named things in a few channels, each with an id that follows from its name.

By the specification of Psyop (github.com/Psyop/Cryptomatte, 1.2.0). A Cryptomatte NAME is the channels of NAME00,
NAME01, ...: R and G, B and A of each are an id and its coverage, from the greatest coverage of a pixel down. An id is
the 32-bit MurmurHash3 of the name, taken as the bits of a float. The header says what the names are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mmh3
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.exr_file import Part
from stylebridge_server.steps import step
from stylebridge_server.values import Plane

#: Coverages of a pixel that a file of ours has room for: at least and at most.
RANKS_LEAST, RANKS_MOST = 6, 16
_ROWS = 256
_HEADER = re.compile(r"cryptomatte/([^/]+)/(.+)")
_LEVEL = re.compile(r"(.*)\.([RGBArgba]|red|green|blue|alpha)")
_PLACES = {"r": 0, "g": 1, "b": 2, "a": 3}


def name_hash(name: str) -> int:
    """The id of a name: its MurmurHash3_x86_32 with seed 0, with one bit turned where it would be no ordinary float."""
    found: int = mmh3.hash(name.encode(), 0, signed=False)
    return found ^ 1 << 23 if (found >> 23 & 0xFF) in (0, 0xFF) else found


def header(name: str, things: Sequence[str]) -> dict[str, str]:
    """The attributes that say what a Cryptomatte is.

    Args:
        name: of the Cryptomatte.
        things: the names of all that it may hold.

    Raises:
        StylebridgeError: bad_value for two names with one id.
    """
    manifest: dict[str, str] = {}
    for thing in things:
        found = f"{name_hash(thing):08x}"
        twin = next((other for other, id_ in manifest.items() if id_ == found and other != thing), None)
        if twin is not None:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f'The names "{thing}" and "{twin}" have the same id in a Cryptomatte: call one of them otherwise.',
            )
        manifest[thing] = found
    key = f"{mmh3.hash(name.encode(), 0, signed=False):08x}"[:7]
    said = {
        "name": name,
        "hash": "MurmurHash3_32",
        "conversion": "uint32_to_float32",
        "manifest": json.dumps(manifest, ensure_ascii=False, separators=(",", ":")),
    }
    return {f"cryptomatte/{key}/{what}": value for what, value in said.items()}


def channels(name: str, mattes: Mapping[str, Plane], size: tuple[int, int]) -> dict[str, Plane]:
    """The channels of a Cryptomatte.

    Args:
        name: of the Cryptomatte.
        mattes: (H, W) float32 in [0, 1] by the name of the thing, together at most 1.
        size: (H, W), also where there are no mattes.

    Returns:
        (H, W) float32 by channel name, as many for every frame of the same things: room for all of them, but for at
        least 6 and at most 16 in one pixel. Of more than 16 those of least coverage are left out.
    """
    ranks = min(max(len(mattes) + len(mattes) % 2, RANKS_LEAST), RANKS_MOST)
    ids = np.array([name_hash(thing) for thing in mattes], np.uint32).view(np.float32)
    found = np.zeros((ranks, 2, *size), np.float32)
    for top in range(0, size[0] if mattes else 0, _ROWS):
        step()
        rows = slice(top, top + _ROWS)
        stack = np.stack([matte[rows] for matte in mattes.values()])
        order = np.argsort(-stack, axis=0, kind="stable")[:ranks]
        coverage = np.take_along_axis(stack, order, 0)
        found[: len(order), 0, rows] = np.where(coverage > 0, ids[order], np.float32(0))
        found[: len(order), 1, rows] = coverage
    places = [(level, letter) for level in range(ranks // 2) for letter in "RGBA"]
    return {
        f"{name}{level:02d}.{letter}": found[2 * level + place // 2, place % 2]
        for (level, letter), place in zip(places, [0, 1, 2, 3] * (ranks // 2), strict=True)
    }


@dataclass(frozen=True)
class Cryptomatte:
    """A Cryptomatte that a file holds.

    Attributes:
        name: of the Cryptomatte.
        manifest: ids by name; None where the file does not say (or says it in another file).
        ranks: for each rank the names of its two channels, id and coverage.
    """

    name: str
    manifest: Mapping[str, int] | None
    ranks: tuple[tuple[str, str], ...]

    def id_of(self, thing: str) -> int:
        """The id of a name; where the file has no names, the one that it must have.

        Raises:
            KeyError: the file has names, and not this one.
        """
        return name_hash(thing) if self.manifest is None else self.manifest[thing]


def of_part(part: Part) -> list[Cryptomatte]:
    """The Cryptomattes of a part of a file, in the order of its header."""
    said: dict[str, dict[str, str]] = {}
    for name, attribute in part.attributes.items():
        match = _HEADER.fullmatch(name)
        if match and attribute.type == "string":
            said.setdefault(match[1], {})[match[2]] = attribute.text
    names = [one.name for one in part.channels]
    found = []
    for facts in said.values():
        ranks = _ranks(facts.get("name", ""), names)
        if ranks:
            found.append(Cryptomatte(facts["name"], _manifest(facts.get("manifest")), ranks))
    return found


def coverage(id_: int, ids: Sequence[Plane], coverages: Sequence[Plane]) -> Plane:
    """The matte of an id: its coverage in whichever rank of each pixel it is.

    Args:
        ids: float32 planes as the file holds them, of all ranks.
        coverages: the same of their coverage.
    """
    total = np.zeros(ids[0].shape, np.float32)
    for one, covered in zip(ids, coverages, strict=True):
        step()
        same = _bits(one) == np.uint32(id_)
        total[same] += covered[same]
    return total


def _bits(plane: Plane) -> NDArray[np.uint32]:
    return np.ascontiguousarray(plane, np.float32).view(np.uint32)


def _ranks(name: str, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of channels NAME00.R and NAME00.G, NAME00.B and NAME00.A, NAME01.R ..., as far as they go."""
    levels: dict[int, dict[int, str]] = {}
    for channel in names:
        match = _LEVEL.fullmatch(channel)
        number = match[1][len(name) :] if match and match[1].startswith(name) else ""
        if match and number.isdecimal() and number.isascii():
            levels.setdefault(int(number), {})[_PLACES[match[2][0].lower()]] = channel
    pairs = []
    for _, level in sorted(levels.items()):
        pairs += [(level[at], level[at + 1]) for at in (0, 2) if at in level and at + 1 in level]
    return tuple(pairs)


def _manifest(text: str | None) -> dict[str, int] | None:
    """Ids by name; None for a manifest that is absent or cannot be read."""
    try:
        said = json.loads(text or "")
        return {str(name): int(value, 16) for name, value in said.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
