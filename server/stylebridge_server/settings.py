"""Settings files: what a TOML table says, checked against the dataclass that it fills."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeVar

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import shown, suggestion

Kind = TypeVar("Kind")

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "tuple[str, ...]": "a list of texts",
    "tuple[float, ...]": "a list of numbers",
    "tuple[int, ...]": "a list of whole numbers",
}


def filled(kind: type[Kind], values: dict[str, Any], where: str) -> Kind:
    """The dataclass that these values make; fields that they lack keep their defaults.

    Args:
        kind: a dataclass whose fields are annotated (as text) with the types above.
        values: plain data, as TOML gives it.
        where: names the file in sentences.

    Raises:
        StylebridgeError: BAD_VALUE (unknown key, wrong type, missing key), naming key and file.
    """
    fields = {one.name: one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    taken: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{where} sets {shown(key)}, which is no setting of it: {suggestion(key, fields)}",
            )
        wanted = str(fields[key].type)
        if not _fits(value, wanted):
            raise StylebridgeError(
                Code.BAD_VALUE, f"{where} sets {key} to {shown(value)}: it takes {_WORDS[wanted]}."
            )
        taken[key] = tuple(value) if isinstance(value, list) else value
    for one in fields.values():
        if one.name not in taken and one.default is dataclasses.MISSING:
            raise StylebridgeError(Code.BAD_VALUE, f"{where} does not set {one.name}: it must.")
    return kind(**taken)


def _fits(value: Any, wanted: str) -> bool:
    if wanted.startswith("tuple"):
        inner = wanted[len("tuple[") :].split(",")[0]
        return isinstance(value, (list, tuple)) and all(_fits(one, inner) for one in value)
    if wanted == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if wanted == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"str": str, "bool": bool}[wanted])
