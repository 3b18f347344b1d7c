"""How sentences for people show a value, and how they suggest the nearest name."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable

_LONGEST = 60  # characters of a value that a sentence can bear


def shown(value: object) -> str:
    """A value as a sentence shows it: short, on one line, whatever the value is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Python refuses to print very long integers, and nobody would read one.
        return str(value) if value.bit_length() <= 64 else "a number too large"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "not a finite number"
    if isinstance(value, str):
        text = repr(value[:_LONGEST])
        return text if len(value) <= _LONGEST else f"{text[:-1]}...{text[-1]}"
    if value is None:
        return "nothing"
    if isinstance(value, (list, tuple)):
        if len(value) <= 4 and not any(isinstance(item, (list, tuple, dict, str)) for item in value):
            return f"[{', '.join(shown(item) for item in value)}]"
        return "a list"
    if isinstance(value, dict):
        return "a table"
    return f"a {type(value).__name__}"


def nearest(name: object, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` was probably meant to be, or None."""
    # The first letters decide; a name of megabytes must not cost minutes.
    found = difflib.get_close_matches(str(name)[:_LONGEST], list(names), n=1, cutoff=0.6)
    return found[0] if found else None


def suggestion(name: object, names: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what was probably meant, or else all there is."""
    known = list(names)
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"known are {', '.join(known)}." if known else "none are known."
