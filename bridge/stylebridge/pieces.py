"""What a client says of its sources, and an analysis that it writes to a file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import Code, StylebridgeError


def save(read: Callable[[int], Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Writes an analysis to a file, whole or not at all.

    Args:
        read: gives its `size` and the `bytes` from an offset on.

    Raises:
        StylebridgeError: `NOT_WRITABLE`, or as `read` does.
    """
    target = Path(path)
    part = target.with_name(f"{target.name}.part")
    size = 1
    try:
        with part.open("wb") as file:
            while file.tell() < size:
                value = read(file.tell())
                file.write(value["bytes"])
                size = value["size"] if value["bytes"] else 0
        part.replace(target)
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE, f"The analysis cannot be written to {target} ({error.strerror})."
        ) from None
    finally:
        part.unlink(missing_ok=True)


def declared(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is declared of frames that a client makes, with the usual colour and alpha."""
    return {"colour": "srgb", "alpha": "straight" if given.get("channels") in (2, 4) else "none", **given}


def absolute(path: str | os.PathLike[str] | None) -> str | None:
    """The path as the server finds it, which works in another folder; "camera:0" and URLs as they are."""
    if path is None or re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", os.fspath(path)):
        return None if path is None else os.fspath(path)
    return str(Path(path).absolute())


def same(what: str, now: str, before: str) -> None:
    if now != before:
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"The {what} is not what it was when it was opened: open and analyse the shot again.",
        )
