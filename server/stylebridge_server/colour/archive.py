"""An OpenColorIO config that a client sent: read from its archive, so that it names no file of this machine.

OpenColorIO asks for every table by the path that its own rules make of the config's words. Here such a path is only
looked up among the archive's entries: nothing is unpacked, and an absolute path or one with ".." finds nothing.
"""

from __future__ import annotations

import hashlib
import posixpath
import zipfile
from pathlib import Path
from typing import Any

import PyOpenColorIO

from stylebridge.configs import COUNT_LIMIT, SIZE_LIMIT
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.steps import step

CONFIG = "config.ocio"
#: Most bytes of one table: OpenColorIO takes it as a list of numbers, which needs many times its size.
TABLE_LIMIT = 32 << 20
_PIECE = 1 << 20
# What lies at the end of a zip file at most after its list, and bytes of that list for an entry.
_TAIL, _ENTRY = 22 + (1 << 16), 512


class Archive:
    """The entries of an archive, by their names.

    Args:
        path: a zip file with a config.ocio at its root, or that file alone.
        name: what sentences call it.

    Attributes:
        id: the hash of the names and contents; the same for the same files however they were packed.

    Raises:
        StylebridgeError: bad_value for what is no archive of a config, too_large for one that unpacks to too much.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._alone = not zipfile.is_zipfile(path)
        size = path.stat().st_size
        if size > (TABLE_LIMIT if self._alone else SIZE_LIMIT) or not (self._alone or _listed_briefly(path)):
            raise StylebridgeError(
                Code.TOO_LARGE, f"The file {name} ({size >> 20} MiB) is too large for an OpenColorIO config."
            )
        self._sizes = {CONFIG: path.stat().st_size} if self._alone else self._entries()
        if CONFIG not in self._sizes:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The archive {name} has no {CONFIG} at its root: pack an OpenColorIO config with its tables, "
                "as ocioarchive does.",
            )
        whole = hashlib.blake2b(digest_size=16)
        for entry in sorted(self._sizes):
            step()
            whole.update(hashlib.blake2b(entry.encode("utf-8", "surrogateescape")).digest())
            whole.update(hashlib.blake2b(self.read(entry)).digest())
        self.id = whole.hexdigest()

    def _entries(self) -> dict[str, int]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                listed = [one for one in archive.infolist() if not one.is_dir()]
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self._broken(error) from None
        largest = max((one.file_size for one in listed), default=0)
        if (
            len(listed) > COUNT_LIMIT
            or sum(one.file_size for one in listed) > SIZE_LIMIT
            or largest > TABLE_LIMIT
        ):
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"The config {self._name} has {len(listed)} files of together "
                f"{sum(one.file_size for one in listed) >> 20} MiB; at most {COUNT_LIMIT} files of together "
                f"{SIZE_LIMIT >> 20} MiB and each of {TABLE_LIMIT >> 20} MiB are possible: leave out the tables that "
                "it does not need.",
            )
        return {one.filename: one.file_size for one in listed}

    def has(self, entry: str) -> bool:
        return posixpath.normpath(entry) in self._sizes

    def read(self, entry: str) -> bytes:
        """The bytes of an entry, never more than it declares.

        Raises:
            StylebridgeError: bad_value where it is damaged, or longer than it says.
            KeyError: where there is none.
        """
        entry = posixpath.normpath(entry)
        size = self._sizes[entry]
        if self._alone:
            return self._path.read_bytes()
        read = bytearray()
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(entry) as file:
                while piece := file.read(_PIECE):
                    step()
                    read += piece
                    if len(read) > size:
                        raise zipfile.BadZipFile(f"{entry} is longer than it declares")
        except (
            zipfile.BadZipFile,
            EOFError,
            OSError,
            ValueError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise self._broken(error) from None
        return bytes(read)

    def config(self) -> tuple[Any, object]:
        """The config, and what it reads its tables through, which must live as long. Raises as OpenColorIO does."""
        proxy = _Proxy(self)
        return PyOpenColorIO.Config.CreateFromConfigIOProxy(proxy), proxy

    def _broken(self, error: Exception) -> StylebridgeError:
        return StylebridgeError(
            Code.BAD_VALUE, f"The config {self._name} is a damaged archive ({error}): pack it again."
        )


def _listed_briefly(path: Path) -> bool:
    """Whether the list of entries at the end of a zip file is short enough to be read at all, for it becomes objects of
    many times its size."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        tail = file.read()
    # Found as the standard library finds it: at the very end, else where its mark is last.
    plain = tail[-22:].startswith(b"PK\5\6") and tail.endswith(b"\0\0")
    at = len(tail) - 22 if plain else tail.rfind(b"PK\5\6")
    large = tail[max(0, at - 20) : at].startswith(b"PK\6\7")  # a second such list, of 64 bits
    return at >= 0 and not large and int.from_bytes(tail[at + 12 : at + 16], "little") <= COUNT_LIMIT * _ENTRY


class _Proxy(PyOpenColorIO.PyConfigIOProxy):
    """How OpenColorIO reads an archive; its names."""

    def __init__(self, archive: Archive) -> None:
        super().__init__()
        self._archive = archive

    def getConfigData(self) -> str:  # noqa: N802
        return self._archive.read(CONFIG).decode("utf-8", "replace")

    def getLutData(self, path: str) -> list[int]:  # noqa: N802
        return list(self._archive.read(path))

    def getFastLutFileHash(self, path: str) -> str:  # noqa: N802
        return f"{self._archive.id} {path}" if self._archive.has(path) else ""
