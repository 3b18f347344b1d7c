"""The analysis of a shot: its cuts, and its instances with a soft matte per frame.

Made once and then immutable; its id is the hash of its contents, so an id means the same pixels everywhere. It
is stored as a folder of two files that can be copied to another machine:

    <id>/analysis.json    what is in it, and where each matte lies in the other file
    <id>/mattes.bin       the box that a matte is not empty in, per instance and frame, in this order; see `packing`

An index beside the folders maps what an analysis was made from to its id.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge.recent import Recent
from stylebridge_server.shot.packing import packed, unpacked
from stylebridge_server.values import Instance

SCHEMA = "analysis.2"
CONTENTS, MATTES = "analysis.json", "mattes.bin"
SCRATCH = ".making-"
_SCRATCH_SECONDS = 86_400  # no analysis is written for so long: whoever began one was killed
_WHOLE_KEPT = 1024  # analyses that are remembered to be whole
Box = tuple[int, int, int, int]  # x0, y0, x1, y1, ends excluded
_Span = tuple[int, int, Box]  # offset and length in mattes.bin, and the box


@dataclass(frozen=True)
class Analysis:
    """What is known of a shot.

    Attributes:
        id: hash of everything below and of the mattes.
        width, height: pixels of the shot and of the mattes.
        first: first frame of the shot.
        last: last frame that could be read; earlier than the declared one where the source is truncated.
        cuts: first frame of each scene but the first, ascending.
        repeats: frames that show what the one before them shows, ascending.
        instances: in order of id.
        segmenter: the back end that made the mattes, as resolved from "auto".
        made_with: versions and checksums, for people and for refusing to mix.
        folder: where the mattes lie.
    """

    id: str
    width: int
    height: int
    first: int
    last: int
    cuts: tuple[int, ...]
    instances: tuple[Instance, ...]
    segmenter: str
    made_with: Mapping[str, str]
    folder: Path = field(compare=False)
    repeats: tuple[int, ...] = field(default=(), kw_only=True)
    _spans: Mapping[tuple[int, int], _Span] = field(repr=False, compare=False)

    def scene(self, number: int) -> tuple[int, int]:
        """First and last frame of the scene that holds the frame."""
        starts = (self.first, *self.cuts)
        place = bisect_right(starts, number) - 1
        last = starts[place + 1] - 1 if place + 1 < len(starts) else self.last
        return starts[place], last

    def scenes(self) -> list[tuple[int, int]]:
        """All scenes as (first, last), in order."""
        return [self.scene(start) for start in (self.first, *self.cuts)]

    def matte(self, instance: int, number: int) -> NDArray[np.uint8]:
        """(H, W) uint8 coverage of the instance on that frame, 0 where it is not in the picture.

        Instance 0 is the background: what all the others leave over.

        Raises:
            StylebridgeError: need, where the analysis had to make room for others meanwhile; not_readable, where it is
                damaged.
        """
        matte = np.zeros((self.height, self.width), np.uint8)
        if instance == 0:
            for one in self.instances:
                matte = cv2.add(matte, self.matte(one.id, number))
            return 255 - matte
        span = self._spans.get((instance, number))
        if span is not None:
            offset, length, (x0, y0, x1, y1) = span
            try:
                with (self.folder / MATTES).open("rb") as file:
                    file.seek(offset)
                    data = file.read(length)
            except FileNotFoundError:
                raise _lacking(self.id) from None
            try:
                matte[y0:y1, x0:x1] = unpacked(data, y1 - y0, x1 - x0)
            except ValueError:
                raise StylebridgeError(
                    Code.NOT_READABLE,
                    f"The matte of instance {instance} on frame {number} is damaged: analyse the shot again.",
                ) from None
        return matte

    def instance(self, selector: str | int) -> list[Instance]:
        """The instances that a look's selector means.

        Args:
            selector: an id, the name of a prompt, a label ("person": all of them) or a name ("person:2").

        Raises:
            StylebridgeError: unknown_instance, listing what there is.
        """
        text = str(selector)
        found = [one for one in self.instances if text in (one.name, one.label, str(one.id))]
        if not found:
            known = ", ".join(f"{one.name} (id {one.id})" for one in self.instances) or "no instances at all"
            raise StylebridgeError(
                Code.UNKNOWN_INSTANCE,
                f"The look selects '{text}', which the analysis does not have; it has {known}.",
            )
        return found


class Builder:
    """Collects mattes in a temporary file, then writes the analysis in one canonical order.

    Frames may come in any order and be put again (the last one counts); the id does not depend on either.
    """

    def __init__(self, store: AnalysisStore, width: int, height: int) -> None:
        self._store = store
        self._size = (width, height)
        self._spans: dict[tuple[int, int], _Span] = {}
        self._file = tempfile.TemporaryFile(dir=store.folder)  # noqa: SIM115 - lives as long as the builder

    def put(self, instance: int, number: int, matte: NDArray[np.uint8]) -> None:
        """Keep (H, W) uint8 coverage of an instance on a frame.

        Raises:
            StylebridgeError: not_writable, where the disk is full.
        """
        width, height = self._size
        if matte.shape != (height, width) or matte.dtype != np.uint8:
            raise ValueError(f"a matte is ({height}, {width}) uint8, this one {matte.shape} {matte.dtype}")
        self._spans.pop((instance, number), None)
        rows, columns = np.flatnonzero(matte.any(1)), np.flatnonzero(matte.any(0))
        if not len(rows):
            return
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        data = packed(matte[box[1] : box[3], box[0] : box[2]])
        with self._store.writing():
            offset = self._file.seek(0, os.SEEK_END)
            self._file.write(data)
            self._file.flush()
        self._spans[instance, number] = (offset, len(data), box)

    def finish(
        self,
        inputs: str,
        *,
        first: int,
        last: int,
        cuts: list[int],
        instances: list[Instance],
        segmenter: str,
        made_with: Mapping[str, str],
        repeats: Sequence[int] = (),
    ) -> Analysis:
        """Write the analysis and its entry in the index.

        Args:
            inputs: key of everything it was made from, for `AnalysisStore.find`.

        Raises:
            StylebridgeError: not_writable, where the disk is full.
        """
        with self._store.writing():
            name = self._write(
                first=first,
                last=last,
                cuts=cuts,
                instances=[asdict(one) for one in instances],
                segmenter=segmenter,
                made_with=dict(made_with),
                **({"repeats": list(repeats)} if repeats else {}),
            )
            self._store.remember(inputs, name)
        return self._store.load(name)

    def _write(self, **content: Any) -> str:
        """Writes the two files, and returns the id."""
        width, height = self._size
        scratch = Path(tempfile.mkdtemp(dir=self._store.folder, prefix=SCRATCH))
        try:
            spans, digest = [], hashlib.blake2b(digest_size=16)
            known = {one["id"] for one in content["instances"]}
            with (scratch / MATTES).open("wb") as file:
                for (instance, number), (offset, length, box) in sorted(self._spans.items()):
                    if instance not in known:
                        continue
                    self._file.seek(offset)
                    data = self._file.read(length)
                    digest.update(data)
                    spans.append([instance, number, file.tell(), length, list(box)])
                    file.write(data)
            content = {"schema": SCHEMA, "width": width, "height": height, "mattes": spans, **content}
            text = json.dumps(content, sort_keys=True, separators=(",", ":"))
            digest.update(text.encode())
            (scratch / CONTENTS).write_text(text)
            self._store.adopt(scratch, digest.hexdigest())
            return digest.hexdigest()
        finally:
            self._file.close()
            shutil.rmtree(scratch, ignore_errors=True)


class AnalysisStore:
    """Analyses in a folder, by id; and the index of what they were made from.

    Args:
        folder: made where it is not there.
        limit: bytes that are kept. Those unused for longest make room, never the newest.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._limit = limit
        self._whole: Recent[str, object] = Recent(_WHOLE_KEPT)
        self._last: tuple[object, Analysis] | None = (
            None  # state and analysis: it is mostly the same one again
        )
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{SCRATCH}*"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _SCRATCH_SECONDS:
                    shutil.rmtree(left)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Says in a sentence what the disk refuses."""
        try:
            yield
        except OSError as error:
            raise StylebridgeError(
                Code.NOT_WRITABLE,
                f"The server cannot keep the analysis in {self.folder} ({error.strerror}): free space there, or set "
                "STYLEBRIDGE_ANALYSES to another folder.",
            ) from error

    def adopt(self, scratch: Path, identifier: str) -> None:
        """Moves a folder that holds a whole analysis into place, under the hash of its contents."""
        target = self.folder / identifier
        try:
            scratch.rename(target)
        except OSError:
            # It was made before. What is there is the same, unless it was damaged.
            for name in (MATTES, CONTENTS):
                (scratch / name).replace(target / name)
        self._make_room(target)

    def _make_room(self, newest: Path) -> None:
        """Takes away what was unused for longest, and the entries of the index that led there."""
        kept = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):  # another process takes it away
                if path != newest and path.name.isalnum() and (path / CONTENTS).is_file():
                    kept.append((path.stat().st_mtime_ns, path, _size(path)))
        total = _size(newest) + sum(size for _, _, size in kept)
        gone = set()
        for _, path, size in sorted(kept):
            if total <= self._limit:
                break
            total -= size
            gone.add(path.name)
            shutil.rmtree(path, ignore_errors=True)
        for entry in self.folder.glob("*.made") if gone else ():
            with contextlib.suppress(OSError):
                if entry.read_text() in gone:
                    entry.unlink()

    def builder(self, width: int, height: int) -> Builder:
        """Start a new analysis for a shot of that size."""
        return Builder(self, width, height)

    def find(self, inputs: str) -> Analysis | None:
        """The analysis made from these inputs, if it is here."""
        entry = self.folder / f"{inputs}.made"
        try:
            return self.load(entry.read_text())
        except (OSError, ValueError, StylebridgeError):
            return None

    def remember(self, inputs: str, analysis: str) -> None:
        """Write an entry of the index, whole or not at all."""
        entry = self.folder / f"{inputs}.made"
        scratch = entry.with_suffix(f".{os.getpid()}")
        scratch.write_text(analysis)
        scratch.replace(entry)

    def load(self, identifier: str) -> Analysis:
        """The analysis of that id.

        Raises:
            StylebridgeError: need, with details {"analysis": identifier}, where this server does not have it whole.
        """
        folder = self.folder / identifier
        if not identifier.isalnum() or not folder.is_dir():
            raise _lacking(identifier)
        with contextlib.suppress(OSError):
            os.utime(folder)  # says that it was used
        try:
            state = self._state(identifier)
            last = self._last
            if last and last[0] == state and last[1].id == identifier:
                return last[1]
            content: dict[str, Any] = json.loads(self._text(identifier, state))
            if content["schema"] != SCHEMA:
                raise ValueError(f"it is of the form {content['schema']}, not {SCHEMA}")
            spans: dict[tuple[int, int], _Span] = {
                (instance, number): (offset, length, (box[0], box[1], box[2], box[3]))
                for instance, number, offset, length, box in content["mattes"]
            }
            instances = tuple(
                Instance(**{**one, "colour": tuple(one["colour"])}) for one in content["instances"]
            )
            analysis = Analysis(
                id=identifier,
                width=content["width"],
                height=content["height"],
                first=content["first"],
                last=content["last"],
                cuts=tuple(content["cuts"]),
                repeats=tuple(content.get("repeats", ())),
                instances=instances,
                segmenter=content["segmenter"],
                made_with=content["made_with"],
                folder=folder,
                _spans=spans,
            )
            self._last = state, analysis
            return analysis
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StylebridgeError(
                Code.NEED,
                f"The analysis {identifier} is damaged ({error}): analyse the shot again.",
                analysis=identifier,
            ) from error

    def _state(self, identifier: str) -> object:
        """What changes with either file."""
        states = [(self.folder / identifier / name).stat() for name in (CONTENTS, MATTES)]
        return [(status.st_ino, status.st_mtime_ns, status.st_size) for status in states]

    def _text(self, identifier: str, state: object) -> bytes:
        """The contents of an analysis, whose id was found to be their hash since either file last changed.

        Raises:
            ValueError: it is not.
        """
        folder = self.folder / identifier
        text = (folder / CONTENTS).read_bytes()
        if self._whole.get(identifier) != state:
            digest = hashlib.blake2b(digest_size=16)
            with (folder / MATTES).open("rb") as file:
                while part := file.read(1 << 20):
                    digest.update(part)
            digest.update(text)
            if digest.hexdigest() != identifier:
                raise ValueError("its contents are not what its name says")
            self._whole[identifier] = state
        return text


def _lacking(identifier: str) -> StylebridgeError:
    return StylebridgeError(
        Code.NEED,
        f"The server does not have the analysis {identifier}: analyse the shot here, "
        "or bring the analysis from where it was made.",
        analysis=identifier,
    )


def _size(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in (CONTENTS, MATTES))
