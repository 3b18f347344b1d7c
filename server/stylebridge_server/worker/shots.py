"""The shots that are open: each for the sessions that opened it, closed when nobody is left."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from stylebridge.configs import BUILT_IN
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pattern import parse_pattern
from stylebridge.pixels import Layout
from stylebridge.protocol import MANIFEST_LIMIT
from stylebridge_server import colour, media
from stylebridge_server.media.files import know_hash
from stylebridge_server.shot.pushed import LIVE_LAST, LiveShot, PushedShot
from stylebridge_server.shot.shot import AnyShot, Shot
from stylebridge_server.shot.store import lacking
from stylebridge_server.values import Frame, SourceInfo

from .context import Context
from .inputs import Files, Place, hashes_of, said_as

#: Shots that one session may have open. What makes room is opened again when it is asked for.
SHOTS_LIMIT = 64


@dataclass(eq=False)
class _Open:
    shot: AnyShot
    sessions: set[str] = field(default_factory=set)
    users: int = 0  # jobs that work with it now
    closed: bool = False


class Shots:
    """The registry; for any thread.

    Args:
        on_close: called with the id of a shot that is closed.
    """

    def __init__(self, on_close: Callable[[str], None]) -> None:
        self._on_close = on_close
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._over: deque[str] = deque(
            maxlen=1024
        )  # sessions that ended; one of their jobs may still be opening
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, session: str, shot: AnyShot) -> AnyShot:
        """Opens a shot for a session; where an equal one is open, that one, and this is closed.

        The shot that a session has not used for longest makes room where it has too many open.

        Raises:
            StylebridgeError: cancelled, where the session has ended meanwhile.
        """
        with self._lock:
            if session in self._over:
                shot.close()
                raise StylebridgeError(Code.CANCELLED, "The session has ended.")
            held = [opened for opened in self._open.values() if session in opened.sessions]
            for opened in held[: max(0, len(held) + 1 - SHOTS_LIMIT)]:
                opened.sessions.discard(session)
            known = self._open.get(shot.id)
            replaced = known is not None and known.shot.overwritten  # and then again, with what it was
            if known is not None and replaced:
                held.append(known)
                known.sessions.clear()
                del self._open[shot.id]
            kept = self._open.setdefault(shot.id, _Open(shot))
            kept.sessions.add(session)
            self._open.move_to_end(shot.id)
        if replaced:
            self._on_close(shot.id)
        for opened in held:
            self._let_go(opened)
        if kept.shot is not shot:
            shot.close()
        return kept.shot

    @contextmanager
    def use(self, session: str, name: str) -> Iterator[AnyShot]:
        """A shot that the session has open; it stays open meanwhile.

        Raises:
            StylebridgeError: need, with details {"shot": name}, where the session does not have it open.
        """
        with self._lock:
            opened = self._open.get(name)
            if opened is None or session not in opened.sessions:
                raise StylebridgeError(
                    Code.NEED, "The server does not have this shot open: open it first.", shot=name
                )
            opened.users += 1
            self._open.move_to_end(name)
        try:
            yield opened.shot
        finally:
            with self._lock:
                opened.users -= 1
            self._let_go(opened)

    def close(self, session: str, name: str) -> None:
        """The session needs the shot no more; raises as `use`."""
        with self.use(session, name), self._lock:
            self._open[name].sessions.discard(session)

    def end(self, session: str) -> None:
        """The session is over."""
        with self._lock:
            self._over.append(session)
            held = [opened for opened in self._open.values() if session in opened.sessions]
            for opened in held:
                opened.sessions.discard(session)
        for opened in held:
            self._let_go(opened)

    def _let_go(self, opened: _Open) -> None:
        with self._lock:
            if opened.sessions or opened.users or opened.closed:
                return
            opened.closed = True
            last = self._open.get(opened.shot.id) is opened
            if last:
                del self._open[opened.shot.id]
        if last:
            self._on_close(opened.shot.id)
        opened.shot.close()


def open_shot(context: Context, request: Mapping[str, Any]) -> AnyShot:
    """The shot that a request describes.

    Raises:
        StylebridgeError: as media and inputs do; bad_request where it describes none, or several.
    """
    given = [name for name in ("path", "pushed", "live") if request.get(name) is not None]
    if len(given) != 1:
        raise StylebridgeError(
            Code.BAD_REQUEST, "A shot is opened with one of a path, pushed frames or a live source."
        )
    config = _config(context, request.get("config"))
    if given == ["path"]:
        return _of_path(context, request, config)
    if request.get("colour") is not None or request.get("alpha") is not None:
        raise StylebridgeError(
            Code.BAD_REQUEST,
            "The colour space and the alpha of frames that are made stand in their declaration.",
        )
    declared = request[given[0]]
    if given == ["live"]:
        info = _info(declared, 0, LIVE_LAST)
        return LiveShot(info, uuid.uuid4().hex, _encoding(info, declared, config))
    hashes = hashes_of(declared["frames"], context.store)
    first, last = declared["first"], declared["last"]
    if last - first + 1 != len(hashes) or not hashes or len(hashes) > MANIFEST_LIMIT:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{len(hashes)} frames are named for the range {first} to {last}: name each frame of it, in order, "
            f"and at most {MANIFEST_LIMIT}.",
        )
    info = replace(_info(declared, first, last), whole=_whole(declared))
    encoding = _encoding(info, declared, config)
    return PushedShot(info, hashes, context.store, context.check_cancelled, encoding)


def _config(context: Context, named: str | None) -> colour.Config | None:
    """The OpenColorIO config that a request names: one that is built in, or what came with the request.

    Raises:
        StylebridgeError: need, with details {"files": [hash]}; denied; as `colour.Config` does.
    """
    if named is None:
        return None
    if named.startswith(BUILT_IN):
        return colour.Config.built_in(named)
    return colour.Config.sent(context.file(named), named)


def _encoding(info: SourceInfo, said: Mapping[str, Any], config: colour.Config | None) -> colour.Encoding:
    """How the pixels are read: as the client says, else as the source does."""
    space, alpha = said.get("colour"), said.get("alpha")
    if space is None:
        return colour.encode_declared(info, alpha, config)
    return colour.encode(space, info.alpha if alpha is None else alpha, info.channels, config)


def _info(declared: Mapping[str, Any], first: int, last: int) -> SourceInfo:
    """What a client declares of frames that it makes, where this server can work with it."""
    layout = Layout(declared["dtype"], declared["height"], declared["width"], declared["channels"])
    rate = declared.get("rate")
    if rate is not None and (len(rate) != 2 or min(rate) < 1):
        raise StylebridgeError(Code.BAD_VALUE, f"The rate {rate} is no pair of numerator and denominator.")
    return SourceInfo(
        kind="frames",
        width=layout.width,
        height=layout.height,
        first=first,
        last=last,
        channels=layout.channels,
        dtype=layout.dtype,
        rate=None if rate is None else Fraction(*rate),
    )


def _whole(declared: Mapping[str, Any]) -> tuple[int, int] | None:
    """The range of the source that pushed frames are a part of, where it is said."""
    whole, first, last = declared.get("whole"), declared["first"], declared["last"]
    if whole is None:
        return None
    if len(whole) != 2 or not whole[0] <= first <= last <= whole[1]:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"The frames {first} to {last} are no part of a source of the range {whole}: say its first and last frame.",
        )
    return whole[0], whole[1]


def _of_path(context: Context, request: Mapping[str, Any], config: colour.Config | None) -> Shot:
    """A movie, a picture or a sequence: the files that came with the request, else those of this machine."""
    source = _source(context, request)
    try:
        encoding = _encoding(source.info, request, config)
    except BaseException:
        source.close()
        raise
    return Shot(source, encoding)


def _source(context: Context, request: Mapping[str, Any]) -> media.Source | _Sent:
    path: str = request["path"]
    chosen: dict[str, Any] = {
        "layer": request.get("layer"),
        "view": request.get("view"),
        "gaps": request.get("gaps") or "error",
        "deinterlace": request.get("deinterlace") or "refuse",
    }
    sent = sent_files(path, context.files)
    if sent:
        return _Sent(context, path, sent, chosen)
    # The whole path is checked, links followed; what is opened is what was named, which may be a pattern.
    context.readable(path)
    pattern = None if Path(path).is_file() else parse_pattern(path)
    if pattern is not None and not context.owner:
        for file in pattern.files().values():  # each may be a link to elsewhere
            context.check_cancelled()
            context.readable(file)
    return media.read_ahead(media.open_source(path, **chosen))


def sent_files(path: str, files: Files) -> Files:
    """Of the files that came with a request, those that a path or pattern names, by name."""
    place = Place.of(path)
    if path in files:
        return {place.name: files[path]}
    pattern = parse_pattern(place.name)
    if pattern is None:
        return {}
    places = [(Place.of(other), file) for other, file in files.items()]
    beside = {other.name: file for other, file in places if other.folder == place.folder}
    return {name: file for name, file in beside.items() if pattern.number(name) is not None}


class _Sent:
    """Media whose files the client sent: opened in a folder of their own, spoken of as the client names them."""

    def __init__(self, context: Context, path: str, files: Files, chosen: Mapping[str, Any]) -> None:
        place = Place.of(path)
        self._folder = place.folder
        self._pins = context.store.pins()
        try:
            self._hold(context, files)
            with self._as_named():
                self._source = media.read_ahead(media.open_source(self._pins.folder / place.name, **chosen))
        except BaseException:
            self._pins.close()
            raise
        self.info = self._source.info

    def _hold(self, context: Context, files: Files) -> None:
        context.store.check_room(sum({file.hash: file.size for file in files.values()}.values()))
        missing = []
        for name, (blob, _) in files.items():
            context.check_cancelled()
            if not context.store.has(blob):
                missing.append(blob)
                continue
            self._pins.add(blob, name)
        if missing:
            raise lacking(missing)
        for done, (name, (blob, _)) in enumerate(files.items()):
            context.progress(done, len(files), "checking files")
            know_hash(self._pins.path(blob, name), blob)
        context.progress(len(files), len(files), "checking files")

    def read(self, number: int) -> Frame:
        with self._as_named():
            return self._source.read(number)

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        with self._as_named():
            yield from self._source.frames(first, last)

    def content_hash(self) -> str:
        return self._source.content_hash()

    def changed(self, number: int | None = None) -> bool:
        """Never: what the client sent is kept under its hash."""
        return False

    def close(self) -> None:
        self._source.close()
        self._pins.close()

    def _as_named(self) -> Any:
        return said_as(self._folder, f"{self._pins.folder}/")
