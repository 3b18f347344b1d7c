"""The effect: every parameter once, with its kind, default, range, hint and whether it animates.

Blender properties, Nuke knobs, OpenFX parameters, the command line, the check of looks and the reference page
are all made from `PARAMETERS`. Nobody writes a parameter twice.

    for parameter in effect.PARAMETERS:
        print(parameter.name, parameter.default, parameter.hint)
    effect.check("strength", 1.7)   # StylebridgeError: strength is 1.7; it must be a number from 0 to 1

Lengths are in thousandths of the picture's height, so that a look means the same at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import Code, StylebridgeError
from .keyframes import FRAME_LIMIT, Curve, finite
from .problems import CHECKS, NOUNS
from .wording import shown, suggestion

SCHEMA = "effect.1"

# What a parameter belongs to.
LAYER = "layer"  # each instance and the background
INSTANCE = "instance"  # each instance; the background is what they leave over
SHOT = "shot"  # the whole shot
PROMPT = "prompt"  # one prompt
MATTE = "matte"  # one matte that is given
SCOPES = (LAYER, INSTANCE, SHOT, PROMPT, MATTE)

# How a parameter may change over time.
FREELY = "freely"  # at the price of a composite
HOLD = "hold"  # keys that hold: each value is a stream of its own, computed as if it had always been there
CONSTANT = "constant"
ANIMATIONS = (FREELY, HOLD, CONSTANT)

_HEIGHT = "thousandths of the picture's height"


@dataclass(frozen=True)
class Parameter:
    """One parameter of the effect.

    Attributes:
        name: what looks, requests and programs call it.
        title: what a host's interface calls it.
        kind: "float", "int", "bool", "choice"; "style" (see `split_style`), "text",
            "path", "selector" (a name or an id); "box" ([x0, y0, x1, y1]), "points" ([[x, y], ...]), "strokes"
            ([[[x, y], ...], ...]).
        default: the value where none is given; None where there is none.
        hint: one sentence for people.
        scope: one of `SCOPES`.
        animation: one of `ANIMATIONS`.
        minimum, maximum: range of a number, both included.
        unit: of a number; empty for a plain one.
        choices: of a choice.
    """

    name: str
    title: str
    kind: str
    default: Any
    hint: str
    scope: str
    animation: str = CONSTANT
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()

    @property
    def python_type(self) -> type:
        """The Python type of a value: what a command line or a host's property has to be."""
        lists = dict.fromkeys(("box", "points", "strokes"), list)
        return {"float": float, "int": int, "bool": bool, **lists}.get(self.kind, str)

    @property
    def option(self) -> str:
        """The parameter's spelling on a command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def mixes(self) -> bool:
        """Whether values between two keys exist; if not, a key's value holds until the next key."""
        return self.kind == "float" and self.animation == FREELY

    @property
    def allowed(self) -> str:
        """What a value may be, as the end of a sentence: "a number from 0 to 1"."""
        if self.kind in ("float", "int"):
            noun = "a number" if self.kind == "float" else "a whole number"
            unit = f" ({self.unit})" if self.unit else ""
            return f"{noun} from {_plain(self.minimum)} to {_plain(self.maximum)}{unit}"
        if self.kind == "choice":
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        return NOUNS[self.kind]

    def check(self, value: object, what: str | None = None) -> Any:
        """The value in this parameter's Python type (an int given for a float becomes a float).

        Args:
            value: anything.
            what: how the sentence calls the value; the parameter's name unless given.

        Raises:
            StylebridgeError: `BAD_VALUE`, a sentence with name, value and what is allowed.
        """
        what = what or self.name
        if self.kind in ("float", "int"):
            return self._number(value, what)
        if self.kind == "choice":
            if value not in self.choices:
                known = suggestion(value, self.choices)
                raise StylebridgeError(Code.BAD_VALUE, f"{what} is {shown(value)}; {known}", path=[])
            return value
        problem = CHECKS[self.kind](value)
        if problem:
            raise StylebridgeError(Code.BAD_VALUE, f"{what} is {shown(value)}; {problem}.", path=[])
        return value

    def curve(self, data: object) -> Curve:
        """The parameter's value over time from plain data: one value, or keys where the parameter animates.

        Raises:
            StylebridgeError: `BAD_VALUE`; its detail `path` leads from `data` to what is wrong.
        """
        if self.animation == CONSTANT:
            self.check(data)
            return Curve(constant=data, hold=True)
        return Curve.from_data(data, name=self.name, check=self.check, hold=not self.mixes)

    def describe(self) -> dict[str, Any]:
        """This row of the table as plain data."""
        return {
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "default": self.default,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "unit": self.unit,
            "choices": list(self.choices),
            "hint": self.hint,
            "scope": self.scope,
            "animation": self.animation,
        }

    def _number(self, value: object, what: str) -> float:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        try:
            finite(value, what)
            number: float = value  # type: ignore[assignment]
            inside = (self.minimum is None or number >= self.minimum) and (
                self.maximum is None or number <= self.maximum
            )
        except StylebridgeError:
            inside = False
        if not inside or (self.kind == "int" and not whole):
            raise StylebridgeError(
                Code.BAD_VALUE, f"{what} is {shown(value)}; it must be {self.allowed}.", path=[]
            )
        return float(number) if self.kind == "float" else int(number)


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


def _plain(number: float | None) -> str:
    return "any" if number is None else f"{number:.10g}"
