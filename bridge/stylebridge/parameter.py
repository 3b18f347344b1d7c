"""One parameter of the effect: what it is called, what it may be, and how it may change over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import Code, StylebridgeError
from .keyframes import Curve, finite
from .problems import CHECKS, NOUNS
from .wording import shown, suggestion

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


@dataclass(frozen=True)
class Parameter:
    """One parameter of the effect.

    Attributes:
        name: what looks, requests and programs call it.
        title: what a host's interface calls it.
        kind: "float", "int", "bool", "choice"; "style" (see `split_style`), "text",
            "path", "selector" (a name or an id); "box" ([x0, y0, x1, y1]), "points" ([[x, y], ...]), "strokes"
            ([[[x, y], ...], ...]), "frames" (a list of frame numbers, ascending).
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
        lists = dict.fromkeys(("box", "points", "strokes", "frames"), list)
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


def _plain(number: float | None) -> str:
    return "any" if number is None else f"{number:.10g}"
