"""What a request names by hash: files that its client sent, and lists that are too long for an envelope."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from stylebridge.errors import Code, StylebridgeError
from stylebridge.fields import Field, check_fields
from stylebridge.protocol import MANIFEST_LIMIT
from stylebridge_server.shot.store import Store

#: Largest blob that holds a list or a map in place of an envelope's field, in bytes.
LIST_LIMIT = 64 << 20


class File(NamedTuple):
    """A file that a client sent, or would send: its hash, and its bytes by the client's word."""

    hash: str
    size: int


#: What came with a request, by the paths that the client knows the files by.
Files = Mapping[str, File]
#: Gives the file of an input that is named by a path, or raises; see `context.Context.file`.
Opener = Callable[[str], Path]


def files_of(fields: Mapping[str, Any], store: Store) -> Files:
    """The files that came with a request.

    Raises:
        StylebridgeError: need, where they are listed in a blob that is not here; bad_request.
    """
    named = _whole(fields.get("files") or {}, "files", store)
    return {path: File(entry["hash"], entry["size"]) for path, entry in named.items()}


def hashes_of(value: Any, store: Store) -> list[str]:
    """A list of hashes, or the one that a blob holds; raises as `files_of`."""
    return list(_whole(value, "hashes", store))


def _whole(value: Any, kind: str, store: Store) -> Any:
    if not isinstance(value, str):
        return value
    path = store.path(value)
    if path.stat().st_size > LIST_LIMIT:
        raise StylebridgeError(
            Code.TOO_LARGE, f"The list {value} is over the limit of {LIST_LIMIT >> 20} MiB."
        )
    try:
        listed = msgpack.unpackb(path.read_bytes(), raw=False, strict_map_key=True)
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException):
        listed = None
    if isinstance(listed, str):
        listed = None  # a list of a list
    return check_fields(f"The list {value}", {"list": listed}, {"list": Field(kind, most=MANIFEST_LIMIT)})[
        "list"
    ]


@dataclass(frozen=True)
class Place:
    """A path as a client names it, taken apart without regard to whose system it is from.

    Attributes:
        folder: all before the name, with the separator.
        name: the file's, or a pattern.
    """

    folder: str
    name: str

    @classmethod
    def of(cls, path: str) -> Place:
        """
        Raises:
            StylebridgeError: bad_value for what can be no file's name.
        """
        name = re.split(r"[\\/]", path)[-1]
        if name in ("", ".", "..") or "\0" in name:
            raise StylebridgeError(Code.BAD_VALUE, f"{path!r} names no file.")
        return cls(path[: len(path) - len(name)], name)


@contextlib.contextmanager
def said_as(shown: str, path: str | Path) -> Iterator[None]:
    """Errors from within speak of `shown` in place of `path`, where the server keeps it."""
    try:
        yield
    except StylebridgeError as error:
        message = error.message.replace(str(path), shown)
        raise StylebridgeError(error.code, message, **error.details) from error
