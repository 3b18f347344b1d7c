"""Looks as TOML text that people read, write and diff.

`parse_look` names line and key of what is wrong; `format_look` writes a look, into an earlier text where one
is given: its comments, order and spacing stay, only values that changed are written anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge.keyframes import Curve
from stylebridge.look import Layer, Look
from stylebridge_server.shot import toml_text

#: Most tables of a look that a client has read: the time for reading grows faster than their number.
TABLES_LIMIT = 2000


def load_look(path: Path) -> Look:
    """Reads a look's file; relative paths in it are taken from its folder.

    Raises:
        StylebridgeError: `NOT_FOUND`, `NOT_READABLE`, or `BAD_LOOK` as from `parse_look`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise StylebridgeError(Code.NOT_FOUND, f"There is no look {str(path)!r}.") from None
    except UnicodeDecodeError:
        raise StylebridgeError(
            Code.NOT_READABLE, f"{str(path)!r} is not a look; a look is a text file in TOML."
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StylebridgeError(
            Code.NOT_READABLE, f"The look {str(path)!r} cannot be read: {reason}."
        ) from None
    return resolve_paths(parse_look(text, path), path.parent)


def parse_look(text: str, path: str | Path | None = None) -> Look:
    """Reads a look from TOML.

    Args:
        text: the TOML.
        path: named in errors, where the text comes from a file.

    Raises:
        StylebridgeError: `BAD_LOOK`; details are `line` (from 1), `column` and `key` where they are known.
    """
    data = _parsed(text, path)
    try:
        return Look.from_data(data)
    except StylebridgeError as error:
        steps = error.details.get("path")
        line = toml_text.line_of(text, steps if isinstance(steps, list) else [])
        details = {**error.details, "line": line}
        raise StylebridgeError(error.code, _place(path, line) + error.message, **details) from None


def format_look(look: Look, original_text: str | None = None) -> str:
    """Writes a look as TOML.

    Args:
        look: the look.
        original_text: an earlier text of it, whose comments, order and spacing are kept.

    Raises:
        StylebridgeError: `BAD_LOOK` where the original is not TOML.
    """
    original = original_text or ""
    _parsed(original, None)  # so that a mistake in it is named
    return toml_text.rewrite(original, look.to_data())


def read(text: str, path: str | None) -> dict[str, Any]:
    """What `parse_look` of the protocol answers: the look's plain data, relative paths taken from `path`."""
    if text.count("\n[") > TABLES_LIMIT:
        raise StylebridgeError(
            Code.TOO_LARGE, f"The look has more than {TABLES_LIMIT} tables: split it, or say it in fewer."
        )
    if path is None:
        return {"look": parse_look(text).to_data()}
    return {"look": resolve_paths(parse_look(text, Path(path)), Path(path).parent).to_data()}


def write(data: object, original: str | None) -> dict[str, Any]:
    """What `format_look` of the protocol answers."""
    return {"text": format_look(Look.from_data(data), original)}


def resolve_paths(look: Look, folder: Path) -> Look:
    """The look with its relative paths (pictures of styles, mattes, motion vectors) taken from `folder`."""
    vectors = look.shot_values.get("vectors")
    return replace(
        look,
        background=_resolve_layer(look.background, folder),
        instances=tuple(_resolve_layer(layer, folder) for layer in look.instances),
        prompts=tuple(
            prompt if prompt.matte is None else replace(prompt, matte=str(folder / prompt.matte))
            for prompt in look.prompts
        ),
        mattes=tuple(replace(matte, path=str(folder / matte.path)) for matte in look.mattes),
        shot_values={**look.shot_values, **({} if vectors is None else {"vectors": str(folder / vectors)})},
    )


def _resolve_layer(layer: Layer, folder: Path) -> Layer:
    if "style" not in layer.curves:
        return layer

    def resolved(style: str | None) -> str | None:
        picture = None if style is None else effect.split_style(style)[1]
        return style if picture is None else effect.with_picture(str(style), str(folder / picture))

    curve = layer.curves["style"]
    keys = tuple(replace(key, value=resolved(key.value)) for key in curve.keys)
    moved = Curve(keys, constant=resolved(curve.constant), hold=curve.hold)
    return replace(layer, curves={**layer.curves, "style": moved})


def _parsed(text: str, path: str | Path | None) -> dict[str, Any]:
    try:
        return toml_text.parse(text)
    except toml_text.TomlError as error:
        raise StylebridgeError(
            Code.BAD_LOOK,
            _place(path, error.line, error.column) + error.message,
            line=error.line,
            column=error.column,
        ) from None


def _place(path: str | Path | None, line: int | None, column: int | None = None) -> str:
    parts = [] if path is None else [str(path)]
    parts += [] if line is None else [f"line {line}"]
    parts += [] if column is None else [f"column {column}"]
    return ", ".join(parts) + ": " if parts else ""
