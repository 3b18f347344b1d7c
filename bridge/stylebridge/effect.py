"""The effect: every parameter once, with its kind, default, range, hint and whether it animates.

Blender properties, Nuke knobs, OpenFX parameters, the command line, the check of looks and the reference page
are all made from `PARAMETERS`. Nobody writes a parameter twice.

    for parameter in effect.PARAMETERS:
        print(parameter.name, parameter.default, parameter.hint)
    effect.check("strength", 1.7)   # StylebridgeError: strength is 1.7; it must be a number from 0 to 1

Lengths are in thousandths of the picture's height, so that a look means the same at every resolution.
"""

from __future__ import annotations

from typing import Any

from .errors import Code, StylebridgeError
from .keyframes import FRAME_LIMIT
from .parameter import (
    ANIMATIONS,
    CONSTANT,
    FREELY,
    HOLD,
    INSTANCE,
    LAYER,
    MATTE,
    PROMPT,
    SCOPES,
    SHOT,
    Parameter,
)
from .wording import shown, suggestion

__all__ = [
    "ANIMATIONS",
    "CONSTANT",
    "FREELY",
    "HOLD",
    "INSTANCE",
    "LAYER",
    "MATTE",
    "PARAMETERS",
    "PROMPT",
    "SCHEMA",
    "SCOPES",
    "SHOT",
    "Parameter",
    "check",
    "describe",
    "find",
    "is_picture",
    "scoped",
    "split_style",
    "with_picture",
]

SCHEMA = "effect.1"

_HEIGHT = "thousandths of the picture's height"

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "select",
        "Instance",
        kind="selector",
        default=None,
        hint="Which instance: a label (each person), label and number (person:2), an id, or a prompt's name.",
        scope=INSTANCE,
    ),
    Parameter(
        "style",
        "Style",
        kind="style",
        default=None,
        hint="The style: the name of a preset or an installed network, or a picture to take it from.",
        scope=LAYER,
        animation=HOLD,
    ),
    Parameter(
        "strength",
        "Strength",
        kind="float",
        default=1.0,
        hint="How much of the style is mixed in: 0 leaves the source untouched, 1 shows the style in full.",
        scope=LAYER,
        animation=FREELY,
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter(
        "colour_keep",
        "Colour keep",
        kind="float",
        default=0.0,
        hint="How much of the source's colour is kept: at 1 the style changes lightness and texture only.",
        scope=LAYER,
        animation=FREELY,
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter(
        "visibility",
        "Visibility",
        kind="bool",
        default=True,
        hint="Switches the styling off and on, as strength 0 would, without touching the keys of strength.",
        scope=LAYER,
        animation=FREELY,
    ),
    Parameter(
        "edge_softness",
        "Edge softness",
        kind="float",
        default=0.0,
        hint="How wide the edge of the instance's matte is blurred.",
        scope=INSTANCE,
        animation=FREELY,
        minimum=0.0,
        maximum=100.0,
        unit=_HEIGHT,
    ),
    Parameter(
        "matte_grow",
        "Matte grow",
        kind="float",
        default=0.0,
        hint="How far the instance's matte grows outwards; negative shrinks it.",
        scope=INSTANCE,
        animation=FREELY,
        minimum=-100.0,
        maximum=100.0,
        unit=_HEIGHT,
    ),
    Parameter(
        "z_order",
        "Z order",
        kind="int",
        default=0,
        hint="Lifts the instance over others where mattes overlap, or lowers it; 0 keeps the order found.",
        scope=INSTANCE,
        animation=HOLD,
        minimum=-1000,
        maximum=1000,
    ),
    Parameter(
        "stroke_size",
        "Stroke size",
        kind="float",
        default=1.0,
        hint="How large the style's strokes are relative to the picture.",
        scope=LAYER,
        animation=HOLD,
        minimum=0.25,
        maximum=4.0,
    ),
    Parameter(
        "detail",
        "Detail",
        kind="float",
        default=0.5,
        hint="How much of the source's fine detail, finer than the style's strokes, is given back.",
        scope=LAYER,
        animation=HOLD,
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter(
        "window",
        "Window",
        kind="int",
        default=8,
        hint="How many frames the result is steadied over, half of them before the current one; 1 looks at no other.",
        scope=SHOT,
        minimum=1,
        maximum=32,
        unit="frames",
    ),
    Parameter(
        "steadiness",
        "Steadiness",
        kind="float",
        default=1.0,
        hint="How strongly the frames around it steady the current one: 0 styles each frame by itself.",
        scope=SHOT,
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter(
        "flow",
        "Flow",
        kind="choice",
        default="auto",
        hint="What the frames around it are followed by: the best for this server, the method that ships, a network "
        "that is installed, or motion vectors of the renderer.",
        scope=SHOT,
        choices=("auto", "dis", "raft-small", "raft-large", "host"),
    ),
    Parameter(
        "vectors",
        "Motion vectors",
        kind="path",
        default=None,
        hint="EXR files with the motion vectors of every frame (vectors.####.exr), for the flow host.",
        scope=SHOT,
    ),
    Parameter(
        "cuts",
        "Cuts",
        kind="frames",
        default=None,
        hint="The first frame of each new scene, in the source's own numbers, in place of the cuts that are found.",
        scope=SHOT,
    ),
    Parameter(
        "segmenter",
        "Segmenter",
        kind="choice",
        default="auto",
        hint="What finds the instances: the best that is installed, the one that ships, a network that is installed, "
        "only mattes given, or nothing.",
        scope=SHOT,
        choices=(
            "auto",
            "embedded",
            "maskrcnn",
            "yolact",
            "deeplab",
            "espnetv2",
            "onnx-instances",
            "sam",
            "host",
            "none",
        ),
    ),
    Parameter(
        "name",
        "Name",
        kind="text",
        default=None,
        hint="What to select the instance by; prompts of one name on several frames point at the same thing.",
        scope=PROMPT,
    ),
    Parameter(
        "frame",
        "Frame",
        kind="int",
        default=None,
        hint="The frame on which the prompt was made, in the source's own numbers.",
        scope=PROMPT,
        minimum=-FRAME_LIMIT,
        maximum=FRAME_LIMIT,
    ),
    Parameter(
        "box",
        "Box",
        kind="box",
        default=None,
        hint="A box around the thing.",
        scope=PROMPT,
    ),
    Parameter(
        "points",
        "Points",
        kind="points",
        default=None,
        hint="Points on the thing.",
        scope=PROMPT,
    ),
    Parameter(
        "not_points",
        "Points beside it",
        kind="points",
        default=None,
        hint="Points that do not belong to it.",
        scope=PROMPT,
    ),
    Parameter(
        "scribbles",
        "Scribbles",
        kind="strokes",
        default=None,
        hint="Strokes drawn on the thing, each the points that straight lines join.",
        scope=PROMPT,
    ),
    Parameter(
        "not_scribbles",
        "Scribbles beside it",
        kind="strokes",
        default=None,
        hint="Strokes drawn on what does not belong to it.",
        scope=PROMPT,
    ),
    Parameter(
        "matte",
        "Matte",
        kind="path",
        default=None,
        hint="A picture that is white where the thing is, in place of all else.",
        scope=PROMPT,
    ),
    Parameter(
        "path",
        "File",
        kind="path",
        default=None,
        hint="The mattes: a picture for all frames, or a pattern (roto.####.exr) with one for each.",
        scope=MATTE,
    ),
    Parameter(
        "channel",
        "Channel",
        kind="text",
        default=None,
        hint="Which channel of the file: A, R, left.mask.R; where none is named its alpha, or else its grey.",
        scope=MATTE,
    ),
    Parameter(
        "cryptomatte",
        "Cryptomatte",
        kind="text",
        default=None,
        hint="The name of a thing in a Cryptomatte; channel then says which one, where the file has several.",
        scope=MATTE,
    ),
    Parameter(
        "invert",
        "Invert",
        kind="bool",
        default=False,
        hint="Whether the matte is black where the thing is, and white around it.",
        scope=MATTE,
    ),
    Parameter(
        "z",
        "Z",
        kind="int",
        default=None,
        hint="The greater lies on top; where none is given, above all that is found, in the order of the look.",
        scope=MATTE,
        minimum=-1000,
        maximum=1000,
    ),
)

_BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def scoped(*scopes: str) -> dict[str, Parameter]:
    """The parameters of these scopes by name, in the table's order."""
    return {parameter.name: parameter for parameter in PARAMETERS if parameter.scope in scopes}


def find(name: str) -> Parameter:
    """The parameter of that name.

    Raises:
        StylebridgeError: `BAD_VALUE`, with the nearest name.
    """
    if name not in _BY_NAME:
        known = suggestion(name, _BY_NAME)
        raise StylebridgeError(Code.BAD_VALUE, f"{shown(name)} is no parameter of the effect; {known}")
    return _BY_NAME[name]


def check(name: str, value: object) -> Any:
    """The value of the named parameter in its Python type; raises as `find` and `Parameter.check` do."""
    return find(name).check(value)


def describe() -> dict[str, Any]:
    """The whole table as plain data (MessagePack and JSON types), for hosts to build their interface from."""
    return {"schema": SCHEMA, "parameters": [parameter.describe() for parameter in PARAMETERS]}


def is_picture(style: str) -> bool:
    """Whether a style is the path of a picture. Names of presets and networks have neither dots nor slashes."""
    return split_style(style)[0] is None


def split_style(style: str) -> tuple[str | None, str | None]:
    """A style's name and its picture, either of which may be None.

    "wheat-field" is a name, "painting.jpg" a picture, and "microast:painting.jpg" the name of a network with the
    picture that it paints after. A single letter before a colon is a drive, not a name.
    """
    name, colon, picture = style.partition(":")
    if colon and len(name) > 1 and picture and not any(mark in name for mark in "./\\"):
        return name, picture
    return (None, style) if any(mark in style for mark in "./\\") else (style, None)


def with_picture(style: str, picture: str) -> str:
    """The style with another path for its picture."""
    name = split_style(style)[0]
    return picture if name is None else f"{name}:{picture}"
