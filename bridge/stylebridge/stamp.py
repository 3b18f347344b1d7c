"""Stamps: does a result still match the request that it would be made from now?

A stamp is the hash of all that one frame of a result depends on, and of nothing else. A frame whose stamp is the
same has the same pixels, so it need not be made again; any other is stale. The look counts as it is at that frame:
a moved key makes those frames stale whose values it moves. Where nothing is styled only the source counts. Layers
("layers" as output) hold neither strength nor visibility, so no keyframe of these makes them stale.

    request = stamp.of(client, shot, analysis, look)
    record = stamp.Record.of(request, shot.frames)      # kept with the result, as text
    stamp.stale(stamp.Record.parse(text), request, shot.frames)

Files carry the record and the look in their metadata, under `REQUEST` and `LOOK`.
"""

from __future__ import annotations

import hashlib
import json
import ntpath
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import effect
from .errors import Code, StylebridgeError
from .files import hash_of
from .look import Layer, Look
from .pattern import parse_pattern
from .protocol import FLAT, MATTES, OUTPUTS
from .wording import suggestion

if TYPE_CHECKING:
    from .client import Analysis, Client, Shot

#: Names of what a file says about itself in its metadata.
REQUEST, LOOK = "stylebridge:request", "stylebridge:look"

_SCHEMA = "stamp.1"
#: A record as text is not read beyond this many characters: 100,000 frames that all differ.
_LONGEST = 1 << 22
_AFTER_ALL = 1 << 62  # beyond every frame number
_RANGE = re.compile(r"(-?\d{1,10})(?:-(-?\d{1,10}))?:([0-9a-f]{16})")
# A picture that settings in TOML name; the bridge has no reader of TOML.
_QUOTED = re.compile(r"[\"']([^\"'\n]+)[\"']")


@dataclass(frozen=True)
class Request:
    """A render, in terms of all that its pixels depend on.

    Attributes:
        shot: id of the shot: contents, range, colour space.
        analysis: its id: cuts and mattes; None for a shot without one.
        look: what is done.
        styles: each style that the look names, to the identity of what paints it (see `styles_of`).
        fingerprint: of the server.
        output: "flat", the picture; "layers" or "mattes".
        scale: the proxy's divisor of width and height.
        form: how the frames are written, in any words that change where the result would: samples, format, codec.
        flow: identity of what frames are followed by, motion vectors by their contents (see `flow_of`).
    """

    shot: str
    analysis: str | None
    look: Look
    styles: Mapping[str, str]
    fingerprint: str
    output: str = FLAT
    scale: int = 1
    form: str = ""
    flow: str = ""

    def stamp(self, frame: int) -> str:
        """16 hexadecimal digits that change when the pixels of that frame may. The frame's own number is not in
        them: what keeps a stamp, as `Record` does, keeps it by frame.

        Raises:
            StylebridgeError: `BAD_VALUE` for an unknown output.
        """
        if self.output not in OUTPUTS:
            known = suggestion(self.output, OUTPUTS)
            raise StylebridgeError(Code.BAD_VALUE, f'There is no output "{self.output}"; {known}')
        look = self.look.for_output(self.output)
        # In this order; None for a background that does not take part.
        layers = [self._layer(layer, frame) for layer in look.layers]
        facts: list[Any] = [_SCHEMA, self.shot, self.output, self.scale, self.form, self.fingerprint]
        if self.output == MATTES or any(layer and "style" in layer for layer in layers):
            told = ("segmenter", "cuts", "vectors")  # to the analysis, or named by what it is
            shot = {name: value for name, value in look.shot.items() if name not in told}
            facts += [self.analysis, {**shot, "flow": self.flow or shot["flow"]}, layers]
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def _layer(self, layer: Layer, frame: int) -> dict[str, Any] | None:
        """What a layer adds to the frame. One that is off still takes its matte's place from those below it."""
        values = layer.at(frame)
        if layer.amount(frame) > 0:
            values["style"] = self.styles.get(values["style"], values["style"])
        elif layer.select is None:
            return None
        else:
            shape = effect.scoped(effect.INSTANCE)
            values = {name: value for name, value in values.items() if name in shape}
        return {"select": layer.select, **values}


@dataclass(frozen=True)
class Record:
    """The stamps of the frames of a result.

    Attributes:
        ranges: first frame, last frame and their stamp, ascending.
    """

    ranges: tuple[tuple[int, int, str], ...] = ()

    @classmethod
    def of(cls, request: Request, frames: Iterable[int]) -> Record:
        """The record of a result that is made now of these frames, ascending."""
        ranges: list[tuple[int, int, str]] = []
        for frame in frames:
            stamp = request.stamp(frame)
            if ranges and ranges[-1][1:] == (frame - 1, stamp):
                ranges[-1] = (ranges[-1][0], frame, stamp)
            else:
                ranges.append((frame, frame, stamp))
        return cls(tuple(ranges))

    @classmethod
    def parse(cls, text: object) -> Record | None:
        """The record that a text is; None where it is none, or one of a later version."""
        words = text.split() if isinstance(text, str) and len(text) <= _LONGEST else []
        if not words or words[0] != _SCHEMA:
            return None
        ranges = []
        for word in words[1:]:
            found = _RANGE.fullmatch(word)
            if found is None:
                return None
            first = int(found[1])
            ranges.append((first, int(found[2] or first), found[3]))
        edges = [edge for first, last, _ in ranges for edge in (first, last + 1)]
        return cls(tuple(ranges)) if edges == sorted(edges) else None

    def __str__(self) -> str:
        """One line: "stamp.1 1001-1047:0123456789abcdef 1048:fedcba9876543210"."""
        words = [
            f"{first}:{stamp}" if first == last else f"{first}-{last}:{stamp}"
            for first, last, stamp in self.ranges
        ]
        return " ".join([_SCHEMA, *words])

    def at(self, frame: int) -> str | None:
        """The stamp of a frame; None where the result does not hold it."""
        place = bisect_right(self.ranges, (frame, _AFTER_ALL, "")) - 1
        if place < 0 or not self.ranges[place][0] <= frame <= self.ranges[place][1]:
            return None
        return self.ranges[place][2]

    def only(self, frame: int) -> Record:
        """The record of that frame alone: what its own file says."""
        stamp = self.at(frame)
        return Record(() if stamp is None else ((frame, frame, stamp),))


def of(
    client: Client,
    shot: Shot,
    analysis: Analysis | str | None,
    look: Look | Mapping[str, Any],
    output: str = FLAT,
    scale: int = 1,
    form: str = "",
) -> Request:
    """The request that `client.render` makes with these, to be stamped.

    Args:
        look: a look, or its plain data. Pictures of styles and motion vectors are read here, to be named by their
            contents.
        output, scale, form: as in `Request`.
    """
    checked = look if isinstance(look, Look) else Look.from_data(look)
    named = analysis if analysis is None or isinstance(analysis, str) else analysis.id
    offered = client.describe() if checked.styles else {}
    identities = styles_of(checked, offered.get("models", {}))
    fingerprint = str(client.server.get("fingerprint", ""))
    flow = flow_of(checked, offered.get("flows", {}))
    return Request(shot.id, named, checked, identities, fingerprint, output, scale, form, flow)


def flow_of(look: Look, flows: Mapping[str, str]) -> str:
    """What frames are followed by: the method as the server has it, or the contents of the motion vectors.

    Args:
        flows: identities of the server's methods by name, as `describe` has them.
    """
    word, vectors = look.shot["flow"], look.shot["vectors"]
    if vectors is None or word not in ("auto", "host"):
        return str(flows.get(word, word))
    pattern = None if Path(vectors).is_file() else parse_pattern(vectors)
    files = [Path(vectors)] if pattern is None else list(pattern.files().values())
    return f"host:{hashlib.blake2b(','.join(map(_contents, files)).encode(), digest_size=16).hexdigest()}"


def styles_of(look: Look, models: Mapping[str, str]) -> dict[str, str]:
    """What each style of a look is, whatever it is called: versions of networks, contents of pictures.

    A picture that is not on this machine is named by its path, so that a change of it is not seen.

    Args:
        models: versions of the server's models by name, as `describe` has them; those that the look names go before.
    """
    versions = {**models, **look.models}
    found = {}
    for style in look.styles:
        name, picture = effect.split_style(style)
        paints = versions.get(name, "") if name is not None else ""
        found[style] = f"{name or ''}:{paints}:{'' if picture is None else _contents(Path(picture))}"
    return found


def stale(record: Record | None, request: Request, frames: Iterable[int]) -> list[int]:
    """Those of the frames that a result with this record does not hold as the request would make them now."""
    held = record or Record()
    return [frame for frame in frames if held.at(frame) != request.stamp(frame)]


def portable(look: Look) -> dict[str, Any]:
    """A look's plain data as files carry it: of every path only the file's name, so that it says nothing of the
    machine that it was made on.
    """
    data = look.to_data()
    layers = [data.get("background", {}), *data.get("instance", [])]
    for layer in layers:
        style = layer.get("style")
        if isinstance(style, str):
            layer["style"] = _named(style)
        elif style is not None:
            layer["style"] = [[key[0], _named(key[1]), *key[2:]] for key in style]
    if "vectors" in data.get("shot", {}):
        data["shot"]["vectors"] = ntpath.basename(data["shot"]["vectors"])
    for table, key in (("prompt", "matte"), ("matte", "path")):
        for entry in data.get(table, []):
            if key in entry:
                entry[key] = ntpath.basename(entry[key])
    return data


def spans(frames: Iterable[int], most: int = 6) -> str:
    """Frame numbers as people write them: "1001-1024, 1030"; no more than so many pieces are spelt out."""
    pieces: list[list[int]] = []
    for frame in sorted(frames):
        if pieces and frame == pieces[-1][1] + 1:
            pieces[-1][1] = frame
        else:
            pieces.append([frame, frame])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in pieces[:most]]
    left = sum(last - first + 1 for first, last in pieces[most:])
    return ", ".join(words) + (f" and {left} more" if left else "")


def _named(style: str) -> str:
    picture = effect.split_style(style)[1]
    if picture is None:
        return style
    name = ntpath.basename(picture)
    return effect.with_picture(style, name if effect.is_picture(name) else f"./{name}")


def _contents(path: Path) -> str:
    """The hash of a picture; of settings in TOML also those of the files beside them that they name."""
    try:
        if path.suffix.lower() != ".toml":
            return hash_of(path)
        named = _QUOTED.findall(path.read_text(encoding="utf-8-sig"))
        beside = [path.parent / name for name in named]
        return ",".join(hash_of(one) for one in [path, *beside] if one.is_file())
    except (OSError, ValueError):
        return str(path)
