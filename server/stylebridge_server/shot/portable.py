"""An analysis as one run of bytes, to be kept by a client and brought to another server.

It is the text of `analysis.json`, a line feed, and the bytes of `mattes.bin`. What a client brings is looked through
before it is kept: its id is the hash of its contents, but that says nothing of what they claim.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from stylebridge.errors import Code, StylebridgeError
from stylebridge.fields import Field, check_fields
from stylebridge.pixels import SIDE_LIMIT
from stylebridge_server.shot.analysis import CONTENTS, MATTES, SCHEMA, SCRATCH, Analysis, AnalysisStore

#: Longest text of an analysis that is brought, in bytes: some 400,000 mattes.
TEXT_LIMIT = 32 << 20
#: Most bytes that `piece` gives at once, which an envelope has room for.
PIECE = 512 << 10

_NUMBER = Field("int", least=-(2**40), most=2**40)
_NAME = Field("text", most=200)
_SIDE = Field("int", least=1, most=SIDE_LIMIT)
_CONTENT = {
    "schema": Field("text", choices=(SCHEMA,)),
    "width": _SIDE,
    "height": _SIDE,
    "first": _NUMBER,
    "last": _NUMBER,
    "cuts": Field("ints", most=1_000_000),
    "repeats": Field("ints", required=False, most=10_000_000),
    "instances": Field("maps", most=10_000),
    "segmenter": _NAME,
    "made_with": Field("map", most=100),
    "mattes": Field("list"),
}
_INSTANCE = {
    "id": Field("int", least=1, most=2**31),
    "name": _NAME,
    "label": Field("text", required=False, most=200),
    "colour": Field("ints", most=3),
    "z": _NUMBER,
    "first": _NUMBER,
    "last": _NUMBER,
    "area": Field("number", least=0, most=1),
}


def piece(analysis: Analysis, offset: int) -> tuple[int, bytes]:
    """The size of the whole, and at most `PIECE` bytes of it from an offset on; none beyond its end."""
    with (analysis.folder / CONTENTS).open("rb") as text, (analysis.folder / MATTES).open("rb") as mattes:
        end = text.seek(0, 2)  # where the line feed comes
        size = end + 1 + mattes.seek(0, 2)
        offset = min(offset, size)
        text.seek(offset)
        part = text.read(PIECE)
        if len(part) < PIECE and offset <= end:
            part += b"\n"
        mattes.seek(max(offset - end - 1, 0))
        return size, part + mattes.read(PIECE - len(part))


def add(store: AnalysisStore, path: Path) -> Analysis:
    """Keeps an analysis that was brought as a file.

    Raises:
        StylebridgeError: not_readable, where it is none or claims what cannot be; not_writable.
    """
    with path.open("rb") as file:
        text = file.readline(TEXT_LIMIT + 1)
        if not text.endswith(b"\n"):
            raise _refusal("has no contents, or too many")
        text = text[:-1]
        _check(text, path.stat().st_size - len(text) - 1)
        digest = hashlib.blake2b(digest_size=16)
        with store.writing():
            scratch = Path(tempfile.mkdtemp(dir=store.folder, prefix=SCRATCH))
            try:
                with (scratch / MATTES).open("wb") as mattes:
                    while part := file.read(1 << 20):
                        digest.update(part)
                        mattes.write(part)
                digest.update(text)
                (scratch / CONTENTS).write_bytes(text)
                store.adopt(scratch, digest.hexdigest())
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return store.load(digest.hexdigest())


def _check(text: bytes, size: int) -> None:
    """Refuses contents that `AnalysisStore.load` could not read, or whose mattes lie where they cannot."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise _refusal("has contents that are not JSON") from None
    if not isinstance(content, dict):
        raise _refusal("has contents that are no map")
    try:
        check_fields("The analysis", content, _CONTENT)
        for one in content["instances"]:
            check_fields("An instance", one, _INSTANCE)
        if not all(isinstance(one, str) for one in content["made_with"].values()):
            raise _refusal("names versions that are no text")
        if any(
            len(one["colour"]) != 3 or not 0 <= min(one["colour"]) <= max(one["colour"]) <= 255
            for one in content["instances"]
        ):
            raise _refusal("has a colour that is none")
    except StylebridgeError as error:
        raise StylebridgeError(Code.NOT_READABLE, error.message) from None
    starts = [content["first"], *content["cuts"], content["last"] + 1]
    if any(after <= before for before, after in pairwise(starts)):
        raise _refusal("has scenes that do not follow one another")
    repeats = content.get("repeats") or []
    inside = all(content["first"] < number <= content["last"] for number in repeats)
    if (
        not inside
        or any(after <= before for before, after in pairwise(repeats))
        or {*repeats} & {*content["cuts"]}
    ):
        raise _refusal("has repeated frames that cannot be")
    _check_mattes(content, size)


def _check_mattes(content: dict[str, Any], size: int) -> None:
    place, known = 0, {one["id"] for one in content["instances"]}
    for span in content["mattes"]:
        if not (
            isinstance(span, list) and len(span) == 5 and isinstance(span[4], list) and len(span[4]) == 4
        ):
            raise _refusal("lists mattes in another form")
        numbers = [*span[:4], *span[4]]
        if not all(type(number) is int and abs(number) <= 2**53 for number in numbers):
            raise _refusal("lists mattes in another form")
        instance, _, offset, length, x0, y0, x1, y1 = numbers
        if instance not in known or offset != place or length < 1:
            raise _refusal("has mattes that do not follow one another")
        if not (0 <= x0 < x1 <= content["width"] and 0 <= y0 < y1 <= content["height"]):
            raise _refusal("has a matte beside the picture")
        place += length
    if place != size:
        raise _refusal("is cut short")


def _refusal(what: str) -> StylebridgeError:
    return StylebridgeError(Code.NOT_READABLE, f"What was brought as an analysis {what}: save it again.")
