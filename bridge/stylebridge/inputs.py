"""What a client gives to a server that does not see its disk: files, style pictures, mattes, frames.

Nothing is sent that the server has. A server that sees the same file under the same path is left to read it; of
others it is told the hash, and it answers `need` with those that it lacks.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

import msgpack

from . import effect
from .connection import RETRIES, Connection, OnProgress, Parts, Supply
from .errors import Code, StylebridgeError
from .files import glimpse, hash_of, same
from .pattern import parse_pattern
from .pixels import PART_BYTES, Bytes, Picture, split
from .recent import Recent
from .requests import Progress

#: A blob's bytes, or the file that holds them.
Content = Union[Bytes, Path]
#: Gives the frames of a pushed shot, as often as they are asked for: `Picture`s, or arrays of such.
Frames = Union[Callable[[int], Any], Mapping[int, Any]]

#: Files of a sequence that are looked at to find out whether the server sees them.
PROBED = 16
#: Entries of a list that an envelope is trusted to have room for; longer ones are put as blobs.
LISTED = 2000
#: Files whose hashes are remembered, more than a request may name; and those that the server was found to see, or not.
HASHES_KEPT, SEEN_KEPT = 1 << 17, 4096


@dataclass
class Given:
    """What a request names by hash, so that it can be put where the server lacks it.

    Attributes:
        blobs: contents by their hash.
        frames: the pictures of a pushed shot, by number, and their hashes.
    """

    blobs: dict[str, Content] = field(default_factory=dict)
    frames: Callable[[int], Picture] | None = None
    hashes: dict[int, str] = field(default_factory=dict)


class Inputs:
    """The inputs of one connection.

    Args:
        connection: what they are put through.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._hashes: Recent[tuple[str, int, int], str] = Recent(HASHES_KEPT)
        self._seen: Recent[tuple[str, str, int, int], bool] = Recent(SEEN_KEPT)

    def put(
        self, content: Content, name: str | None = None, progress: Callable[[int], None] | None = None
    ) -> str:
        """Puts a blob; its hash.

        Args:
            name: its hash, where that is known.
            progress: called with the number of bytes sent, for each part.

        Raises:
            StylebridgeError: `NOT_FOUND` or `NOT_READABLE` for a file, `BAD_VALUE` where it is empty or has another
                hash; `TOO_LARGE` and `NOT_WRITABLE` where the server has no room.
        """
        size = _size(content)
        if size == 0:
            what = content if isinstance(content, Path) else "What was to be put"
            raise StylebridgeError(Code.BAD_VALUE, f"{what} is empty.")

        def again(lacking: StylebridgeError, went_on: bool) -> bool:
            tries["put"] += 1
            return tries["put"] <= RETRIES

        tries: Counter[str] = Counter()
        value = self._connection.call(
            "put", {"hash": name, "size": size}, parts=_parts(content, size, progress), supply=again
        )
        return str(value["hash"])

    def files(
        self,
        paths: Iterable[str],
        given: Given,
        progress: OnProgress | None = None,
        made: Mapping[str, bytes] | None = None,
    ) -> Any:
        """The field `files` for a request that names these paths; None where the server sees all of them itself.

        Args:
            paths: as the request names them: files, and patterns of numbered files. What is not here is left to the
                server.
            given: gets what the server may lack.
            made: files that no server sees, with their contents, by what the request calls them.
        """
        sent: dict[str, str] = {}
        for path in paths:
            found = _found(path)
            if found and not self._server_sees(found):
                sent.update(found)
        files = {}
        for done, (path, local) in enumerate(sent.items()):
            if progress and len(sent) > 1:
                progress(Progress(done, len(sent), "reading files", 0.0))
            files[path] = {"hash": self.name(Path(local), given), "size": _size(Path(local))}
        for path, content in (made or {}).items():
            name = _hash_of_bytes(content)
            files[path] = {"hash": name, "size": len(content)}
            given.blobs[name] = content
        return self.listed(files, given) if files else None

    def name(self, path: Path, given: Given) -> str:
        """The hash of a file that the server may lack."""
        name = self._hash(str(path))
        given.blobs[name] = path
        return name

    def listed(self, value: Any, given: Given) -> Any:
        """A list or map as a request carries it: itself, or the hash of the blob that holds it where it is long."""
        if len(value) <= LISTED:
            return value
        packed = msgpack.packb(value, use_bin_type=True)
        name = self.put(packed)
        given.blobs[name] = packed
        return name

    def supplier(
        self, given: Given, again: Mapping[str, Callable[[], None]], progress: OnProgress | None = None
    ) -> Supply:
        """Gives the server what it answers that it lacks for one request, each thing a few times at most without a
        picture in between.

        Args:
            given: what the request names.
            again: opens the request's shot, or makes its analysis, once more; by their ids.
        """
        tries: Counter[str] = Counter()

        def supply(error: StylebridgeError, went_on: bool) -> bool:
            if went_on:
                tries.clear()
            names, numbers = _entries(error, "files"), _entries(error, "frames")
            known = [name for name in given.blobs if name in names]
            wanted = [number for number in given.hashes if number in numbers]
            gone = [
                name for name in again if name in (error.details.get("shot"), error.details.get("analysis"))
            ]
            if not (known or wanted or gone):
                return False
            tries.update([*known, *(str(number) for number in wanted), *gone])
            if max(tries.values()) > RETRIES + 1:
                return False
            for name in gone:
                again[name]()
            self._put_all({name: given.blobs[name] for name in known}, progress)
            self.put_frames(given, wanted, progress)
            return True

        return supply

    def put_frames(self, given: Given, numbers: Iterable[int], progress: OnProgress | None) -> None:
        """Puts frames of a pushed shot; those not put before get their hash from the server."""
        numbers = list(numbers)
        for done, number in enumerate(numbers):
            assert given.frames is not None
            picture = given.frames(number)
            given.hashes[number] = self.put(picture.data, given.hashes.get(number))
            if progress:
                progress(Progress(done + 1, len(numbers), "sending frames", 0.0))

    def _put_all(self, blobs: Mapping[str, Content], progress: OnProgress | None) -> None:
        total = sum(_size(content) for content in blobs.values())
        done = 0

        def sent(size: int) -> None:
            nonlocal done
            done += size
            if progress:  # in MiB, begun ones counted
                progress(Progress(-(-done >> 20), -(-total >> 20), "sending", 0.0))

        for name, content in blobs.items():
            self.put(content, name, sent)

    def _hash(self, path: str) -> str:
        try:
            status = Path(path).stat()
            mark = (path, status.st_size, status.st_mtime_ns)
            known = self._hashes.get(mark)
            if known is None:
                known = self._hashes[mark] = hash_of(path)
            return known
        except OSError as error:
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{path} cannot be sent to the server ({error.strerror}): check its permissions.",
            ) from None

    def _server_sees(self, found: Mapping[str, str]) -> bool:
        """Whether the server has the same files under the same paths. A few of many stand for all."""
        named = [path for path, local in found.items() if path == local]
        if len(named) < len(found):
            return False  # what is relative here means nothing there
        some = named[:: max(1, len(named) // PROBED)][:PROBED] + named[-1:]
        session = str(self._connection.server.get("session"))
        try:
            states = [(path, Path(path).stat()) for path in some]
            marks = [(session, path, state.st_size, state.st_mtime_ns) for path, state in states]
            seen = [self._seen.get(mark) for mark in marks]
            if None in seen:
                ours = [glimpse(path) for path in some]
                theirs = self._connection.call("probe", {"paths": some})["files"]
                for place, mark in enumerate(marks):
                    seen[place] = self._seen[mark] = place < len(theirs) and same(ours[place], theirs[place])
        except OSError:
            return True  # this side cannot read it either; the server says why
        return all(seen)


def files_of_look(look: Mapping[str, Any]) -> list[str]:
    """The paths of style pictures and motion vectors that a look's plain data names, whatever else is in it."""
    instances = look.get("instance")
    layers = [look.get("background"), *(instances if isinstance(instances, (list, tuple)) else [])]
    styles = [layer.get("style") for layer in layers if isinstance(layer, Mapping)]
    found: dict[str, None] = {}
    for style in styles:
        keys = style if isinstance(style, (list, tuple)) else [[0, style]]
        for key in keys:
            value = key[1] if isinstance(key, (list, tuple)) and len(key) > 1 else None
            picture = effect.split_style(value)[1] if isinstance(value, str) else None
            if picture is not None:
                found[picture] = None
    shot = look.get("shot")
    vectors = shot.get("vectors") if isinstance(shot, Mapping) else None
    return [*found, vectors] if isinstance(vectors, str) else list(found)


def mattes_of(prompts: Iterable[Mapping[str, Any]], mattes: Iterable[Mapping[str, Any]] = ()) -> list[str]:
    """The paths of mattes that prompts name, and those of a look's own mattes."""
    named = [prompt.get("matte") for prompt in prompts] + [matte.get("path") for matte in mattes]
    return [path for path in named if isinstance(path, str)]


def frame_source(frames: Frames, first: int, last: int) -> Callable[[int], Picture]:
    """Gives a pushed shot's frames as `Picture`s.

    Raises:
        StylebridgeError: `NOT_FOUND`, when it is called for a frame that is not there.
    """

    def picture(number: int) -> Picture:
        try:
            value = frames(number) if callable(frames) else frames[number]
        except (KeyError, IndexError):
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"Frame {number} of the pushed shot {first} to {last} is not there: give all of them.",
            ) from None
        return value if isinstance(value, Picture) else Picture.of(number, value)

    return picture


def _found(path: str) -> dict[str, str]:
    """The files that a path or pattern leads to here: as the request names them, and where they are."""
    with contextlib.suppress(OSError, ValueError, StylebridgeError):
        if Path(path).is_file():
            return {path: str(Path(path).absolute())}
        pattern = parse_pattern(path)
        if pattern is not None:
            return {str(one): str(one.absolute()) for one in pattern.files().values()}
    return {}


def _hash_of_bytes(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def _entries(error: StylebridgeError, name: str) -> set[Any]:
    """A list of an error's details, whatever it may hold."""
    entries = error.details.get(name)
    return {one for one in entries if isinstance(one, (str, int))} if isinstance(entries, list) else set()


def _size(content: Content) -> int:
    if not isinstance(content, Path):
        return memoryview(content).nbytes
    try:
        return content.stat().st_size
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_FOUND, f"{content} cannot be sent ({error.strerror}): check its name."
        ) from None


def _parts(content: Content, size: int, progress: Callable[[int], None] | None) -> Parts:
    def parts() -> Iterator[tuple[dict[str, Any], Bytes]]:
        for offset, part in _read(content, size):
            yield {"offset": offset}, part
            if progress:
                progress(memoryview(part).nbytes)

    return parts


def _read(content: Content, size: int) -> Iterator[tuple[int, Bytes]]:
    if not isinstance(content, Path):
        yield from split(memoryview(content).cast("B"))
        return
    try:
        with content.open("rb") as file:
            for offset in range(0, size, PART_BYTES):
                part = file.read(min(PART_BYTES, size - offset))
                if len(part) < min(PART_BYTES, size - offset):
                    raise StylebridgeError(Code.NOT_READABLE, f"{content} became shorter while it was sent.")
                yield offset, part
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{content} cannot be sent to the server ({error.strerror}): check its permissions.",
        ) from None
