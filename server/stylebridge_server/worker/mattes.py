"""Mattes that a client names by files: found on this machine or sent, checked against the shot, ready to be read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Matte
from stylebridge.pattern import parse_pattern
from stylebridge_server.media import coco
from stylebridge_server.media import matte as mattes
from stylebridge_server.media.files import content_hash, know_hash
from stylebridge_server.shot.cache import key
from stylebridge_server.shot.store import Pins, lacking
from stylebridge_server.values import GivenMatte, SourceInfo
from stylebridge_server.worker.context import Context
from stylebridge_server.worker.inputs import Files, Place, said_as
from stylebridge_server.worker.shots import sent_files

_NAMED = 12  # ranges of missing frames that a sentence names


@contextlib.contextmanager
def given(context: Context, wanted: Sequence[Matte], info: SourceInfo) -> Iterator[list[GivenMatte]]:
    """The mattes that an analysis takes; what was sent of them stays as long as this is open.

    Raises:
        StylebridgeError: need, denied, not_found, not_readable; bad_value for a file that lacks what is wanted, or a
            frame.
    """
    with contextlib.ExitStack() as stack:
        yield [_given(context, one, info, stack) for one in wanted]


def _given(context: Context, wanted: Matte, info: SourceInfo, stack: contextlib.ExitStack) -> GivenMatte:
    files = found_files(context, wanted.path, stack)
    folder, shown = files.folder, files.shown
    numbers = range(info.first, info.last + 1)
    if files.by_number is None:
        paths, by_number = [files.single], dict.fromkeys(numbers, files.single)
    else:
        by_number = files.by_number
        missing = [number for number in numbers if number not in by_number]
        if missing:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"The matte {wanted.name!r} lacks {ranges(missing)} of the shot's frames {info.first} to {info.last}: "
                f"put them beside {wanted.path}, or name one picture for all frames.",
                missing=missing[:1000],
            )
        paths = [by_number[number] for number in numbers]

    def says(path: Path) -> str:
        return shown + path.name if folder is not None else str(path)

    with as_named(files):
        read_one = _reader(wanted, paths, by_number, says)
        hashes = []
        for path in paths:
            context.check_cancelled()
            hashes.append(content_hash(path))
    display: Any = getattr(info, "display", None)

    def read(number: int) -> NDArray[np.uint8]:
        with as_named(files):
            part = read_one(number)
        if part is None:
            return np.full((info.height, info.width), 255 if wanted.invert else 0, np.uint8)
        fitted = mattes.fitted(part, (info.height, info.width), display)
        if fitted is None:
            x0, y0, x1, y1 = part.display
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The matte {wanted.name!r} is {x1 - x0}x{y1 - y0} on frame {number}, which does not fit the picture's "
                f"{info.width}x{info.height}: give one of the same aspect.",
            )
        return 255 - fitted if wanted.invert else fitted

    read(info.first)  # refuses another aspect before anything is looked for
    inverted = ["inverted"] if wanted.invert else []
    content = key(wanted.channel, wanted.cryptomatte, files.by_number is None, hashes, *inverted)
    return GivenMatte(wanted.name, wanted.z, content, read)


def _reader(
    wanted: Matte, paths: Sequence[Path], by_number: Mapping[int, Path], says: Callable[[Path], str]
) -> Callable[[int], mattes.Part | None]:
    """Gives what a matte's files hold for a frame; None where its thing is not seen there."""
    if paths[0].suffix.lower() == ".json":
        file = coco.CocoFile(paths[0], says(paths[0]))
        name = wanted.channel or wanted.name
        file.find(name)
        return partial(file.part, name)
    read_one = mattes.read_matte(paths, mattes.Wanted(wanted.channel, wanted.cryptomatte), says)
    return lambda number: read_one(by_number[number])


class Found:
    """The files of one matte, or of motion vectors.

    Attributes:
        single: the one file of all frames, where there is one.
        by_number: files by frame number, of a pattern; else None.
        folder: where files that were sent lie; None for those of this machine.
        shown: what the client calls that folder.
    """

    def __init__(self, shown: str, folder: Path | None) -> None:
        self.shown, self.folder = shown, folder
        self.single = Path()
        self.by_number: dict[int, Path] | None = None


def as_named(files: Found) -> contextlib.AbstractContextManager[None]:
    if files.folder is None:
        return contextlib.nullcontext()
    return said_as(files.shown, f"{files.folder}/")


def found_files(context: Context, path: str, stack: contextlib.ExitStack) -> Found:
    """Raises need where files were named by hash that are not here, denied where they may not be read."""
    sent = sent_files(path, context.files)
    if sent:
        return _sent(context, path, sent, stack)
    context.readable(path)
    found = Found("", None)
    pattern = None if Path(path).is_file() else parse_pattern(path)
    if pattern is None:
        found.single = Path(path)
        return found
    found.by_number = pattern.files()
    if not found.by_number:
        raise StylebridgeError(
            Code.NOT_FOUND, f"There is no file that fits {path}; check its name and folder."
        )
    if not context.owner:
        for file in found.by_number.values():  # each may be a link to elsewhere
            context.check_cancelled()
            context.readable(file)
    return found


def _sent(context: Context, path: str, files: Files, stack: contextlib.ExitStack) -> Found:
    place = Place.of(path)
    pins: Pins = stack.enter_context(contextlib.closing(context.store.pins()))
    context.store.check_room(sum({file.hash: file.size for file in files.values()}.values()))
    missing = [file.hash for file in files.values() if not context.store.has(file.hash)]
    if missing:
        raise lacking(missing)
    found = Found(place.folder, pins.folder)
    paths: dict[str, Path] = {}
    for done, (name, file) in enumerate(files.items()):
        context.progress(done, len(files), "checking files")
        paths[name] = pins.path(file.hash, name)
        know_hash(paths[name], file.hash)
    pattern = parse_pattern(place.name)
    if place.name in files or pattern is None:
        found.single = paths[place.name]
        return found
    numbers = {name: pattern.number(name) for name in files}
    found.by_number = {number: paths[name] for name, number in numbers.items() if number is not None}
    return found


def ranges(numbers: Sequence[int]) -> str:
    """Frame numbers for people: "frame 3", "frames 3, 5 to 9"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    words = [str(a) if a == b else f"{a} to {b}" for a, b in runs[:_NAMED]]
    more = f" and {len(runs) - _NAMED} ranges more" if len(runs) > _NAMED else ""
    return f"frame{'s' if len(numbers) > 1 else ''} {', '.join(words)}{more}"
