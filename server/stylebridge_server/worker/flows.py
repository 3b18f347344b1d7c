"""Which method of flow a look means, and motion vectors that a client names by files."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import optical_flow
from stylebridge_server import temporal
from stylebridge_server.media.files import content_hash
from stylebridge_server.media.vectors import read_vectors
from stylebridge_server.shot.cache import key
from stylebridge_server.temporal import raft
from stylebridge_server.values import GivenFlow, Motion, SourceInfo
from stylebridge_server.worker.context import Context
from stylebridge_server.worker.mattes import Found, as_named, found_files, ranges

AUTO, DIS, HOST = "auto", "dis", "host"


class Flows:
    """The methods of flow of one device.

    What "auto" means is settled once, so that it is part of the fingerprint: DIS on a processor, where RAFT takes far
    longer; on a GPU the best RAFT that is installed.

    Attributes:
        auto: the name of the method that "auto" is.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._opened: dict[str, raft.Raft] = {}
        known = raft.cards() if device != "cpu" else {}
        best = (optical_flow.RAFT_LARGE, optical_flow.RAFT_SMALL)
        self.auto = next((kind for kind in best if kind in known), DIS)
        self._auto = self._method(self.auto)

    @property
    def settled(self) -> str:
        """The identity of what "auto" is, for the fingerprint."""
        return self._auto.id

    def describe(self) -> dict[str, str]:
        """The methods that there are, by name, with their identities."""
        installed = {kind: self._method(kind).id for kind in raft.cards()}
        return {AUTO: self.settled, DIS: temporal.DIS.id, **installed}

    def find(
        self, context: Context, shot: Mapping[str, Any], info: SourceInfo, stack: contextlib.ExitStack
    ) -> temporal.Flow:
        """The method that a look means.

        Args:
            shot: the look's parameters of the shot.
            info: of the shot itself, not of a proxy.
            stack: holds what was sent of the vectors' files.

        Raises:
            StylebridgeError: not_found where a network or a frame's vectors are not there; as reading the files does.
        """
        word, vectors = shot["flow"], shot["vectors"]
        if vectors is not None and word in (AUTO, HOST):
            return temporal.Given(_given(context, vectors, info, stack))
        if word == HOST:
            raise StylebridgeError(
                Code.BAD_VALUE,
                "The flow 'host' needs motion vectors: name their files with --vectors, or as vectors in a look's "
                "[shot].",
            )
        return self._auto if word == AUTO else self._method(word)

    def _method(self, word: str) -> temporal.Flow:
        if word == DIS:
            return temporal.DIS
        found = raft.opened(word, self._device)
        # A network is kept as long as no other is installed in its place.
        kept = self._opened.get(word)
        if kept is None or kept.id != found.id:
            kept = self._opened[word] = found
        return kept


def _given(context: Context, path: str, info: SourceInfo, stack: contextlib.ExitStack) -> GivenFlow:
    files = found_files(context, path, stack)
    by_number = files.by_number
    numbers = range(info.first, info.last + 1)
    if by_number is None:
        if info.count > 1:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{path} is one file, and motion vectors differ from frame to frame: name a pattern, such as "
                "vectors.####.exr.",
            )
        by_number = {info.first: files.single}
    missing = [number for number in numbers if number not in by_number]
    if missing:
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"The motion vectors {path} lack {ranges(missing)} of the shot's frames {info.first} to {info.last}: put "
            "them there, or choose another flow.",
            missing=missing[:1000],
        )
    with as_named(files):
        content = key("vectors", [content_hash(by_number[number]) for number in numbers])
    return GivenFlow(content, partial(_content, by_number), partial(_read, files, by_number, info))


def _content(by_number: Mapping[int, Path], number: int) -> str:
    return content_hash(by_number[number])


def _read(files: Found, by_number: Mapping[int, Path], info: SourceInfo, number: int) -> Motion:
    def says(path: Path) -> str:
        return files.shown + path.name if files.folder is not None else str(path)

    with as_named(files):
        return read_vectors(by_number[number], (info.height, info.width), info.display, says)
