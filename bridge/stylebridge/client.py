"""The client: synchronous, small, typed.

    from stylebridge.client import Client

    with Client.connect() as client:
        shot = client.open_shot("plate.mp4")
        analysis = client.analyse(shot, [{"name": "dog", "frame": 0, "points": [[0.4, 0.5]]}])
        look = client.parse_look(open("dog.toml").read())
        for picture in client.render(shot, look, shot.frames, analysis=analysis):
            pixels = numpy.asarray(picture)             # (height, width, channels)

`connect` finds the user's running server, or starts one that ends with this client. Every call waits for its
answer; another thread may call `cancel` meanwhile. A server that dies is found again or started again, and
what was asked of it is asked again: requests are pure, so nothing is missing, doubled or different.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import pieces
from .configs import BUILT_IN, Named, config_of, packed
from .connection import RETRIES, Connection, OnProgress, Supply
from .errors import Code, StylebridgeError
from .finder import Finder
from .inputs import Frames, Given, Inputs, files_of_look, frame_source, mattes_of
from .look import Look
from .pieces import absolute, declared, same
from .pixels import Bytes, Picture, split
from .protocol import FLAT, MANIFEST_LIMIT, PREVIEW_SCALE, WINDOW
from .requests import Progress
from .shots import Analysis, Shot, Source

__all__ = ["Analysis", "Client", "OnProgress", "Progress", "Shot", "Source"]


class Client:
    """A connection to one server; use `connect`. A context manager."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inputs = Inputs(connection)

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        *,
        start: bool = True,
        stay: bool = False,
        name: str = "python",
        timeout: float = 120.0,
        share: bool = True,
        results_mb: int | None = None,
        patience: float | None = None,
    ) -> Client:
        """A client of the server at `url`; without one, of the user's running server, or of one that is
        started now and ends with this client.

        Args:
            url: "tcp://HOST:PORT?key=KEY" as `stylebridge serve` prints it.
            start: whether a server may be started.
            stay: whether one that is started stays as the user's one server, which all clients find, until it is
                unused for long.
            name: what this client is, for the server's log.
            timeout: seconds until the server must be ready.
            share: whether pixels may travel through shared memory, where the server is on this machine.
            results_mb: memory for finished tiles, in MiB, of a server that is started for this client alone; None for
                the usual. They make changed keyframes cheap, and a clip that is rendered once needs few.
            patience: seconds in which a server that went away must be back, before the caller gets `UNREACHABLE`;
                None for the usual.

        Raises:
            StylebridgeError: `UNREACHABLE`, `DENIED`, `VERSION` or `MISSING_EXTRA`, with what to do.
        """
        connection = Connection(Finder(url, start, timeout, stay, results_mb), name, timeout, share, patience)
        try:
            connection.open()
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    @property
    def server(self) -> dict[str, Any]:
        """What the server said of itself: "version", "protocol", "fingerprint", "pid", "session"; and "pixels": how
        they travel now, "shared memory" or "messages".
        """
        return self._connection.server

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the server, and ends it where it was started for this client."""
        self._connection.close()

    # What a server can be asked.

    def describe(self) -> dict[str, Any]:
        """The effect's parameters, the styles and the segmenters that the server has."""
        return self._connection.call("describe", {})

    def status(self) -> dict[str, Any]:
        """What the server is, what it is doing, and its counters."""
        return self._connection.call("status", {})

    def open_shot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        pushed: Mapping[str, Any] | None = None,
        frames: Frames | None = None,
        live: Mapping[str, Any] | None = None,
        colour: str | None = None,
        alpha: str | None = None,
        config: Named | None = None,
        layer: str | None = None,
        view: str | None = None,
        gaps: str | None = None,
        deinterlace: str | None = None,
        progress: OnProgress | None = None,
    ) -> Shot:
        """Opens a source for rendering: one of `path`, `pushed` and `live`.

        Args:
            path: a movie, a sequence or a picture. A server that does not see the same files is sent them.
            pushed: what is declared of frames that this client makes: "first", "last", "width", "height",
                "channels", "dtype" and, if known, "rate" [numerator, denominator]. "colour" is "srgb" and "alpha" is
                "straight" with 2 and 4 channels, else "none", unless it says otherwise. Frames that are a part of a
                source say its own range as "whole" [first, last], and come with their handles (`reach.handles`): a
                result for which these are too few says `extra["window_short"]`.
            frames: the pushed frames: a mapping, or a function, of the frame's number to a `Picture` or an array
                (height, width, channels). It is asked for each once, and again for those that a server lost.
            live: as `pushed` but without a range, for a camera whose frames are given with `put_frame`.
            colour: the colour space of the pixels: "srgb" (display-referred), "linear", "acescg" or another name, alias
                or role of the config. None for the source's usual.
            alpha: "premultiplied" or "straight"; "none" where the last channel is no alpha. None for the usual.
            config: the OpenColorIO config that names the space: "ocio://NAME", or a path of a config.ocio (sent with
                the tables in its folder) or of an archive of one. None for $OCIO where `colour` is given, and else
                for OpenColorIO's own ACES configs.
            layer: of a path's OpenEXR files: a layer's or a part's name, or a channel's; None for the main one.
            view: of OpenEXR files that hold several; None for the first. A view in the names of files is written
                into `path`: see `pattern.of_view`.
            gaps: what stands for frames that a sequence lacks: "hold" (the one before) or "black"; None refuses it.
            deinterlace: what becomes of an interlaced movie: "auto" (whole frames are made of its fields), "off" (its
                frames are taken as they are) or "bwdif" (as "auto", of any movie); None refuses it.
            progress: called while files and frames are read and sent.

        Raises:
            StylebridgeError: `NOT_FOUND`, `NOT_READABLE`, `DENIED`, `BAD_VALUE`, `TOO_LARGE`.
        """
        if sum(given is not None for given in (path, pushed, live)) != 1 or (pushed is None) != (
            frames is None
        ):
            raise StylebridgeError(
                Code.BAD_VALUE,
                "A shot is opened with one of a path, pushed frames (with `frames`) or a live source: give one.",
            )
        said = {name: value for name, value in (("colour", colour), ("alpha", alpha)) if value is not None}
        paths: list[str] = []
        if path is not None:
            paths = [str(absolute(path))]
            chosen = {"layer": layer, "view": view, "gaps": gaps, "deinterlace": deinterlace}
            source = Source(
                {"path": paths[0], **said, **{key: one for key, one in chosen.items() if one is not None}}
            )
        elif pushed is not None and frames is not None:
            said = {**pushed, **said}
            source = self._pushed(said, frames, progress)
        else:
            said = {**(live or {}), **said}
            source = Source({"live": declared(said)})
        named = source.fields["config"] = config_of(config, said.get("colour"))
        made = None if named is None or named.startswith(BUILT_IN) else {named: packed(named)}
        source.fields["files"] = self._inputs.files(paths, source.given, progress, made)
        value = self._connection.call(
            "open_shot", source.fields, progress, supply=self._inputs.supplier(source.given, {}, progress)
        )
        return Shot(value["shot"], value["info"], source)

    def _pushed(self, pushed: Mapping[str, Any], frames: Frames, progress: OnProgress | None) -> Source:
        """Puts all the frames, which names them."""
        first, last = pushed.get("first"), pushed.get("last")
        if not isinstance(first, int) or not isinstance(last, int) or not 0 <= last - first < MANIFEST_LIMIT:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"Pushed frames have a first and a last number and are at most {MANIFEST_LIMIT}; "
                f"{first} to {last} is no such range.",
            )
        source = Source({}, Given(frames=frame_source(frames, first, last)))
        self._inputs.put_frames(source.given, range(first, last + 1), progress)
        hashes = [source.given.hashes[number] for number in range(first, last + 1)]
        source.fields["pushed"] = {**declared(pushed), "frames": self._inputs.listed(hashes, source.given)}
        return source

    def put(self, content: Bytes | os.PathLike[str]) -> str:
        """Gives the server bytes, or a file, to be named by their hash in a request; the hash.

        Raises:
            StylebridgeError: `BAD_VALUE` where it is empty, `NOT_FOUND` or `NOT_READABLE` for a file, `TOO_LARGE` or
                `NOT_WRITABLE` where the server has no room.
        """
        return self._inputs.put(Path(content) if isinstance(content, os.PathLike) else content)

    def put_frame(self, shot: Shot, picture: Picture) -> None:
        """Gives the next frame of a live shot."""
        header = {"number": picture.number, **picture.layout.header()}
        tries = iter(range(RETRIES))

        def parts() -> Iterator[tuple[dict[str, Any], Bytes]]:
            for offset, part in split(picture.data):
                yield {"offset": offset}, part

        def again(lacking: StylebridgeError, went_on: bool) -> bool:
            return bool(lacking.details.get("again")) and next(tries, None) is not None

        self._connection.call("put_frame", {"shot": shot.id, **header}, parts=parts, supply=again)

    def analyse(
        self,
        shot: Shot,
        prompts: Sequence[Mapping[str, Any]] = (),
        segmenter: str = "auto",
        progress: OnProgress | None = None,
        mattes: Sequence[Mapping[str, Any]] = (),
        cuts: Sequence[int] | None = None,
    ) -> Analysis:
        """Finds cuts and instances. The same inputs have the same analysis, which is made once.

        Args:
            prompts: as in a look: "name", "frame", and "points", "not_points", "scribbles", "not_scribbles", "box"
                (normalised) or "matte" (a path).
            segmenter: one of those in `describe`. With mattes and without prompts "auto" is "host": nothing else is
                looked for.
            mattes: instances whose mattes are given, as a look's [[matte]] tables: "name", "path" (of a picture, or
                a pattern with one for each frame), and "channel", or "cryptomatte" (a name in one), "invert" and "z".
            cuts: the first frame of each new scene, ascending, in place of those that would be found; none of them
                where it is empty.
        """
        source: dict[str, Any] = {"prompts": [dict(prompt) for prompt in prompts], "segmenter": segmenter}
        if mattes:
            source["mattes"] = [dict(matte) for matte in mattes]
        if cuts is not None:
            source["cuts"] = list(cuts)
        return self._analyse(shot, source, progress)

    def _analyse(self, shot: Shot, source: dict[str, Any], progress: OnProgress | None) -> Analysis:
        given = Given()
        files = self._inputs.files(mattes_of(source["prompts"], source.get("mattes", ())), given, progress)
        fields = {"shot": shot.id, **source, "files": files}
        value = self._connection.call("analyse", fields, progress, supply=self._supply(shot, given, progress))
        return Analysis(value["analysis"], value["cuts"], value["instances"], source, value["segmenter"])

    def save_analysis(self, analysis: Analysis | str, path: str | os.PathLike[str]) -> None:
        """Writes an analysis to a file, to be given to other servers by `load_analysis`.

        Raises:
            StylebridgeError: `NEED` where the server does not have it, `NOT_WRITABLE`.
        """
        named = analysis.id if isinstance(analysis, Analysis) else analysis
        pieces.save(
            lambda offset: self._connection.call("read_analysis", {"analysis": named, "offset": offset}), path
        )

    def load_analysis(self, path: str | os.PathLike[str]) -> Analysis:
        """Gives the server an analysis that `save_analysis` wrote; the same analysis, with the same id.

        Raises:
            StylebridgeError: `NOT_FOUND`, or `NOT_READABLE` where it is none.
        """
        given, source = Given(), Path(path)
        name = self._inputs.name(source, given)
        supply = self._inputs.supplier(given, {})
        value = self._connection.call("add_analysis", {"hash": name}, supply=supply)
        return Analysis(value["analysis"], value["cuts"], value["instances"], source, value["segmenter"])

    def render(
        self,
        shot: Shot,
        look: Mapping[str, Any],
        frames: Iterable[int],
        *,
        analysis: Analysis | str | None = None,
        progress: OnProgress | None = None,
        output: str = FLAT,
        scale: int = 1,
        samples: str | None = None,
        window: int = WINDOW,
        scrub: str | None = None,
    ) -> Generator[Picture, None, dict[str, Any]]:
        """The styled frames, in the order asked for, in the source's own pixel type.

        With the output "layers" each frame is several pictures: of every instance with a style, the background
        included, its layer at full strength, the styled picture times its matte, with the matte as alpha. Its
        `extra["layer"]` is the instance's id, 0 for the background; `more` is false for a frame's last. A host mixes
        them by itself: docs/layers.md. Strength and visibility are not even asked with, so another strength never
        makes layers stale. The output "mattes" is the mattes alone, of every instance, with one channel; no network
        runs.

        Nothing is asked before the first frame is. Closing the iterator cancels what is left.

        Args:
            look: plain data, as `parse_look` returns it.
            frames: the source's own frame numbers.
            analysis: of this shot, or its id; a live shot has none.
            output: "flat", "layers" or "mattes".
            scale: of a proxy: every so many pixels across and down are one, their mean; 1 to 16. The pictures are as
                if the shot's frames had been shrunk so, rounded up to whole pixels.
            samples: of layers and mattes, in place of the source's own pixel type: "uint8", "uint16", "float16" or
                "float32". Layers of 8 bits are mixed to within a few code values; half floats are fine enough.
            window: bytes that the server may send ahead of what has been taken.
            scrub: a name; a newer request of this client with the same takes the place of this one, which then raises
                `SUPERSEDED`.
        """
        fields = {
            "look": dict(look) if output == FLAT else Look.from_data(dict(look)).for_output(output).to_data(),
            "frames": list(frames),
            "output": None if output == FLAT else output,
            "samples": samples,
            "scale": None if scale == 1 else scale,
            "window": window,
            "scrub": scrub,
        }
        return self._styled("render", shot, analysis, fields, look, progress)

    def preview(
        self,
        shot: Shot,
        look: Mapping[str, Any],
        frames: Iterable[int],
        *,
        analysis: Analysis | str | None = None,
        progress: OnProgress | None = None,
        scale: int = PREVIEW_SCALE,
        window: int = WINDOW,
        scrub: str | None = None,
    ) -> Generator[Picture, None, dict[str, Any]]:
        """Frames for the eye: soon, at half size, each by itself, so not steady over time. Else as `render`.

        Every picture says `extra["preview"]`, and the result says `preview`, so that none passes for a render's.

        Args:
            scale: as of `render`; 1 is the full size.
        """
        fields = {
            "look": dict(look),
            "frames": list(frames),
            "scale": scale,
            "window": window,
            "scrub": scrub,
        }
        return self._styled("preview", shot, analysis, fields, look, progress)

    def _styled(
        self,
        op: str,
        shot: Shot,
        analysis: Analysis | str | None,
        fields: dict[str, Any],
        look: Mapping[str, Any],
        progress: OnProgress | None,
    ) -> Generator[Picture, None, dict[str, Any]]:
        given = Given()
        named = analysis.id if isinstance(analysis, Analysis) else analysis
        fields = {"shot": shot.id, "analysis": named, **fields}

        def stream() -> Generator[Picture, None, dict[str, Any]]:
            fields["files"] = self._inputs.files(files_of_look(look), given)
            supply = self._supply(shot, given, progress, analysis)
            return (yield from self._connection.stream(op, fields, progress, supply=supply))

        return stream()

    def mattes(
        self,
        shot: Shot,
        analysis: Analysis | str,
        instance: int,
        frames: Iterable[int],
        progress: OnProgress | None = None,
    ) -> Generator[Picture, None, dict[str, Any]]:
        """The soft mattes of one instance (0 is the background), uint8 with one channel; else as `render`."""
        named = analysis.id if isinstance(analysis, Analysis) else analysis
        fields = {"shot": shot.id, "analysis": named, "instance": instance, "frames": list(frames)}
        return self._connection.stream(
            "mattes", fields, progress, supply=self._supply(shot, Given(), progress, analysis)
        )

    def parse_look(self, text: str, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """The plain data of a look's TOML.

        Args:
            path: where the text is from, for its relative paths and for error messages.

        Raises:
            StylebridgeError: `BAD_LOOK`, naming line and key.
        """
        fields = {"text": text, "path": absolute(path)}
        look: dict[str, Any] = self._connection.call("parse_look", fields)["look"]
        return look

    def format_look(self, look: Mapping[str, Any], original: str | None = None) -> str:
        """The TOML of a look, keeping the comments of the text that it was made from."""
        return str(self._connection.call("format_look", {"look": dict(look), "original": original})["text"])

    def close_shot(self, shot: Shot) -> None:
        """Lets the server forget a shot and the frames pushed into it."""
        self._connection.call("close_shot", {"shot": shot.id})

    def shutdown(self) -> None:
        """Stops the server. Only its owner may."""
        self._connection.call("shutdown", {})

    def cancel(self) -> None:
        """Cancels whatever this client is waiting for, from another thread; those calls raise `CANCELLED`."""
        self._connection.cancel()

    def _supply(
        self, shot: Shot, given: Given, progress: OnProgress | None, analysis: Analysis | str | None = None
    ) -> Supply:
        """Gives the server what it lacks for a request about a shot: the shot itself, its files and frames, and its
        analysis.
        """
        source = shot.source
        again: dict[str, Callable[[], None]] = {}

        def reopen() -> None:
            supply = self._inputs.supplier(source.given, {}, progress)
            value = self._connection.call("open_shot", source.fields, progress, supply=supply)
            same("source of this shot", value["shot"], shot.id)

        if "live" not in source.fields:
            again[shot.id] = reopen
        if isinstance(analysis, Analysis) and analysis.source is not None:
            made, named = analysis.source, analysis.id

            def remake() -> None:
                value = (
                    self.load_analysis(made)
                    if isinstance(made, Path)
                    else self._analyse(shot, made, progress)
                )
                same("analysis", value.id, named)

            again[named] = remake
        whole = Given({**source.given.blobs, **given.blobs}, source.given.frames, source.given.hashes)
        return self._inputs.supplier(whole, again, progress)
