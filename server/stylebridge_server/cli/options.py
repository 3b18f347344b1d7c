"""Options that several commands have; those of the effect come from the effect's table."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import registry

Server = Annotated[
    str | None,
    typer.Option("--server", help="Address of a running server; else the user's own.", metavar="URL"),
]

Layers = Annotated[
    bool,
    typer.Option(
        "--layers",
        help="Write every instance's layer at full strength: OUT.####.exr holds them all, or OUT.{layer}.####.png.",
    ),
]
Scale = Annotated[
    int,
    typer.Option("--scale", help="A proxy: width and height divided by this.", metavar="N", min=1, max=16),
]
Colour = Annotated[
    str | None,
    typer.Option(
        "--colour",
        help="Colour space of the source: srgb, linear, acescg, ...; docs/colour.md.",
        metavar="SPACE",
    ),
]
Alpha = Annotated[
    str | None,
    typer.Option("--alpha", help="The source's alpha: premultiplied, straight, none.", metavar="KIND"),
]
Config = Annotated[
    str | None,
    typer.Option("--config", help="OpenColorIO config; else $OCIO, else ACES.", metavar="CONFIG"),
]


Layer = Annotated[
    str | None,
    typer.Option(
        "--layer", help="Of OpenEXR files: a layer, a part or a channel; else the main one.", metavar="NAME"
    ),
]
View = Annotated[str | None, typer.Option("--view", help="Only this view; else all of them.", metavar="NAME")]
Gaps = Annotated[
    str | None,
    typer.Option("--gaps", help="Missing frames of a sequence: error, hold, black.", metavar="WHAT"),
]


Deinterlace = Annotated[
    str | None,
    typer.Option(
        "--deinterlace",
        help="Interlaced movies: auto makes whole frames of the fields, off takes frames as they are, bwdif always.",
        metavar="WHAT",
    ),
]


def with_effect_options(scopes: tuple[str, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command an option for every parameter of these scopes; those given arrive in `values`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = [
            one
            for one in inspect.signature(command, eval_str=True).parameters.values()
            if one.name != "values"
        ]
        options = []
        for parameter in effect.scoped(*scopes).values():
            python_type = str if parameter.kind == "frames" else parameter.python_type
            flags = [parameter.option]
            if parameter.kind == "bool":
                flags = [f"{parameter.option}/--no-{parameter.name.replace('_', '-')}"]
            about = typer.Option(*flags, help=_help_of(parameter), show_default=False)
            kind: Any = Annotated[python_type | None, about]
            options.append(
                inspect.Parameter(
                    parameter.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind
                )
            )
        names = [option.name for option in options]

        def wrapped(**given: Any) -> Any:
            values = {name: given.pop(name) for name in names}
            told = {name: _read(name, value) for name, value in values.items() if value is not None}
            return command(**given, values=told)

        wrapped.__signature__ = inspect.Signature(own + options)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {one.name: one.annotation for one in own + options}
        wrapped.__doc__ = command.__doc__
        wrapped.__name__ = command.__name__
        return wrapped

    return decorate


def _read(name: str, value: Any) -> Any:
    """The value of an option; frames are written as numbers with commas between, and as "none" where there are none.

    Raises:
        StylebridgeError: BAD_VALUE.
    """
    parameter = effect.find(name)
    if parameter.kind != "frames":
        return value
    words = [] if value.strip() == "none" else value.split(",")
    try:
        return [int(word) for word in words]
    except ValueError:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{parameter.option} is '{value}': write frame numbers with commas between, as in {parameter.option} "
            "24,96, or none.",
        ) from None


def _help_of(parameter: effect.Parameter) -> str:
    """Its hint, what it may be, and what it is where nothing is said. (Words in brackets would be read as markup.)"""
    facts = []
    if parameter.kind == "frames":
        facts.append("24,96 or none")
    if parameter.kind in ("float", "int", "choice"):
        facts.append(parameter.allowed)
    if parameter.kind == "style":
        facts.append("presets: " + ", ".join(registry.load_json("embedded-style-presets")))
    if parameter.default is not None:
        facts.append(f"default: {parameter.default}")
    return f"{parameter.hint} ({'; '.join(facts)})" if facts else parameter.hint
