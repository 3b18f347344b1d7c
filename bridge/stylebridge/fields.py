"""What the fields of a message may hold, and the checks of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import Code, StylebridgeError

#: Longest path, and longest entry of a list of texts.
PATH_LIMIT = 4096


@dataclass(frozen=True)
class Field:
    """What a field of a message may hold.

    Attributes:
        kind: "int", "number", "text", "bytes", "flag", "list", "map", "ints", "numbers" and "texts" (lists of them),
            "points" (a list of [x, y]), "strokes" (a list of lists of them), "maps" (a list of maps with the `inner`
            fields), "hash", "files" (a map of path to {"hash", "size"}) or "hashes" (a list of them). In place of one
            of the last two the hash of a blob may stand that holds it as MessagePack: an envelope has no room for many.
        required: whether a message without it is refused. An absent field is None in `Message.fields`.
        least, most: bounds of a number; `most` is the greatest length of everything else.
        choices: all that a text may be.
        inner: the fields of a "map", or of each of "maps"; empty for any plain data.
    """

    kind: str
    required: bool = True
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    inner: Mapping[str, Field] = field(default_factory=dict)


Table = Mapping[str, Mapping[str, Field]]


def optional(kind: Field) -> Field:
    """The same field where it may be absent."""
    return replace(kind, required=False)


def is_hash(value: object) -> bool:
    """Whether a value is a hash of bytes as this protocol writes it: BLAKE2b-256, 64 hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def check_fields(owner: str, given: Mapping[str, Any], table: Mapping[str, Field]) -> dict[str, Any]:
    """All fields of the table, None for absent optional ones.

    Raises:
        StylebridgeError: `BAD_REQUEST`, the sentence beginning with `owner`.
    """
    if not given.keys() <= table.keys():
        unknown = next(name for name in given if name not in table)
        raise _refusal(f'{owner} has no field "{str(unknown)[:50]}".')
    fields = {}
    for name, kind in table.items():
        value = given.get(name)
        if value is None:
            if kind.required:
                raise _refusal(f'{owner} lacks the field "{name}".')
        elif not _plainly_sound(value, kind):
            fault = _fault(f'{owner}, field "{name}",', value, kind)
            if fault:
                raise _refusal(f'The field "{name}" of {owner[0].lower()}{owner[1:]} {fault}.')
        fields[name] = value
    return fields


def _plainly_sound(value: Any, kind: Field) -> bool:
    """Whether a whole number or a text is as it should be. They are nearly all that is checked, and every part of every
    frame is checked four times on its way; `_fault` looks at the rest.
    """
    if type(value) is int and kind.kind == "int":
        return (kind.least is None or value >= kind.least) and (kind.most is None or value <= kind.most)
    if type(value) is str and kind.kind == "text":
        return (kind.most is None or len(value) <= kind.most) and not kind.choices
    return False


def _refusal(message: str) -> StylebridgeError:
    return StylebridgeError(Code.BAD_REQUEST, message)


def _fault(owner: str, value: Any, kind: Field) -> str:
    """What is wrong with a value, in words that follow its name; empty where nothing is."""
    if kind.kind == "flag":
        return "" if isinstance(value, bool) else "is not true or false"
    if kind.kind in ("int", "number"):
        types = (int,) if kind.kind == "int" else (int, float)
        if type(value) not in types:
            return "is not a whole number" if kind.kind == "int" else "is not a number"
        bounded = math.isfinite(value) and (kind.least is None or value >= kind.least)
        return "" if bounded and (kind.most is None or value <= kind.most) else f"is out of range ({value})"
    if kind.kind == "hash":
        return "" if is_hash(value) else "is not a hash of 64 hexadecimal digits"
    if kind.kind in ("files", "hashes") and is_hash(value):
        return ""
    wanted = {"text": str, "bytes": bytes, "map": dict, "files": dict}.get(kind.kind, list)
    if not isinstance(value, wanted):
        return f"is not a {'list' if wanted is list else 'map' if wanted is dict else kind.kind}"
    if kind.most is not None and len(value) > kind.most:
        return f"is too long ({len(value)}, at most {kind.most:g})"
    if kind.choices and value not in kind.choices:
        return f"is none of {', '.join(kind.choices)}"
    if kind.kind == "map" and kind.inner:
        check_fields(owner, value, kind.inner)
    elif kind.kind == "maps":
        for entry in value:
            if not isinstance(entry, dict):
                return "is not a list of maps"
            if kind.inner:
                check_fields(f"{owner} entry", entry, kind.inner)
    elif kind.kind == "ints" and not all(type(entry) is int and abs(entry) <= 2**40 for entry in value):
        return "is not a list of whole numbers"
    elif kind.kind == "numbers" and not _numbers(value):
        return "is not a list of numbers"
    elif kind.kind == "files":
        for path, entry in value.items():
            if len(path) > PATH_LIMIT or not isinstance(entry, dict):
                return "is not a map of paths to hash and size"
            check_fields(f"{owner} entry", entry, _FILE)
    elif kind.kind == "hashes" and not all(is_hash(entry) for entry in value):
        return "is not a list of hashes of 64 hexadecimal digits"
    elif kind.kind == "texts" and not all(
        isinstance(entry, str) and len(entry) <= PATH_LIMIT for entry in value
    ):
        return "is not a list of texts"
    elif kind.kind == "points" and not _points(value):
        return "is not a list of points [x, y]"
    elif kind.kind == "strokes" and not all(isinstance(entry, list) and _points(entry) for entry in value):
        return "is not a list of strokes [[x, y], ...]"
    return ""


_FILE = {"hash": Field("hash"), "size": Field("int", least=1, most=2**53)}


def _points(values: list[Any]) -> bool:
    return all(isinstance(entry, list) and len(entry) == 2 and _numbers(entry) for entry in values)


def _numbers(values: list[Any]) -> bool:
    return all(type(value) in (int, float) and math.isfinite(value) for value in values)
