"""Files that a server may not see: how they are named, and how both sides find out that they see the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
#: How a file is sampled: so many pieces of so many bytes, spread evenly from its start to its end.
PIECES, PIECE = 8, 16 << 10


def hash_of(path: str | os.PathLike[str], step: Callable[[], None] = lambda: None) -> str:
    """The name of a file's bytes: BLAKE2b-256, 64 hexadecimal digits. Raises OSError.

    Args:
        step: called now and then; what it raises ends the reading.
    """
    digest = hashlib.blake2b(digest_size=32)
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            step()
    return digest.hexdigest()


def glimpse(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What two machines compare to find out whether a path leads both to the same file: "size", "modified" (seconds),
    and "sample", the BLAKE2b-256 of pieces of it. Raises OSError.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(path)  # a pipe would wait for ever
    digest = hashlib.blake2b(digest_size=32)
    with Path(path).open("rb") as file:
        status = os.fstat(file.fileno())
        for place in range(PIECES):
            file.seek(max(status.st_size - PIECE, 0) * place // (PIECES - 1))
            digest.update(file.read(PIECE))
    return {"size": status.st_size, "modified": status.st_mtime, "sample": digest.hexdigest()}


def same(one: dict[str, Any], other: object) -> bool:
    """Whether two glimpses are of one file. File systems round times differently, to two seconds at most."""
    return (
        isinstance(other, dict)
        and (one["size"], one["sample"]) == (other.get("size"), other.get("sample"))
        and isinstance(other.get("modified"), (int, float))
        and abs(one["modified"] - other["modified"]) <= 2
    )
