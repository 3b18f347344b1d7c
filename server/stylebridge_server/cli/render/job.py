"""What a render is asked to do, from the words of a command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge.wording import suggestion
from stylebridge_server.cli.reading import Reading
from stylebridge_server.shot.looks import load_look


@dataclass(frozen=True)
class Job:
    """A render as it was asked for.

    Attributes:
        source, target: paths or patterns.
        look: what to do.
        frames: first and last to write, or None for the whole shot.
        server: address, or None for the running server or one started for the run.
        contact_sheet: where to write one, or None.
        quiet: no progress bars.
        overwrite: results of other requests may be replaced.
        next_version: write beside what is there, as the next version of its name.
        check: compare what is there with the request, and write nothing.
        codec: of a movie, by its name; None for the source's, or what the container usually holds.
        sound: what becomes of the source's sound, one of `media.companions.SOUNDS`.
        scale: of a proxy: width and height are divided by it.
        read_as: colour space, alpha, layer and view of the source, where they were said.
    """

    source: str
    target: str
    look: Look
    frames: tuple[int, int] | None
    server: str | None
    contact_sheet: Path | None
    quiet: bool
    overwrite: bool = False
    next_version: bool = False
    check: bool = False
    codec: str | None = None
    sound: str = "copy"
    scale: int = 1
    read_as: Reading = field(default_factory=Reading)


def look_from_options(look: Path | None, values: dict[str, Any]) -> Look:
    """The look of a command line.

    Args:
        look: a look file, or None.
        values: options that were given, by parameter name.

    Raises:
        StylebridgeError: bad_look, bad_value; where neither look nor style is given; where a look and options of
            the whole picture are mixed.
    """
    if look is None:
        if "style" not in values:
            raise StylebridgeError(
                Code.BAD_VALUE,
                "No style was chosen: give --style NAME or a picture's path, or a look with --look.",
            )
        return Look.simple(**{**_absolute(values), "style": _style_path(values["style"])})
    shot = effect.scoped(effect.SHOT)
    clash = [effect.find(name).option for name in values if name not in shot]
    if clash:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{clash[0]} and --look were both given: write it into the look, or leave the look out.",
        )
    read = load_look(look)
    for name, value in values.items():
        effect.check(name, value)
    return replace(read, shot_values={**read.shot_values, **_absolute(values)})


def frame_range(text: str | None) -> tuple[int, int] | None:
    """The frames of "A-B" or "A"; numbers may be negative.

    Raises:
        StylebridgeError: bad_value.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(-?\d{1,9})(?:\s*-\s*(-?\d{1,9}))?\s*", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if first > last:
        raise StylebridgeError(
            Code.BAD_VALUE, f"--frames is '{text}': write the first and the last frame, as in --frames 24-48."
        )
    return first, last


def _absolute(values: dict[str, Any]) -> dict[str, Any]:
    """The options with the full path of the motion vectors, for a server that runs in another folder."""
    vectors = values.get("vectors")
    return values if vectors is None else {**values, "vectors": str(Path(vectors).absolute())}


def _style_path(style: str) -> str:
    """A style with its picture's full path, for a server that runs in another folder; a name as it is."""
    picture = effect.split_style(style)[1]
    return style if picture is None else effect.with_picture(style, str(Path(picture).absolute()))


def by_method(method: str | None, values: dict[str, Any]) -> dict[str, Any]:
    """The options with their style as a method paints it: --method optimise --style X is the style optimise:X.

    Raises:
        StylebridgeError: BAD_VALUE for another method, or where it has no picture to go by.
    """
    if method in (None, "network"):
        return values
    if method != "optimise":
        raise StylebridgeError(
            Code.BAD_VALUE, f"There is no method {method!r}: {suggestion(method, ('network', 'optimise'))}"
        )
    style = values.get("style")
    name, picture = effect.split_style(style) if style else (None, None)
    if name is not None or picture is None:
        raise StylebridgeError(
            Code.BAD_VALUE,
            "--method optimise goes by a picture: give --style PICTURE, or --style SETTINGS.toml; in a look, write "
            "the style as optimise:PICTURE.",
        )
    return {**values, "style": f"optimise:{picture}"}
