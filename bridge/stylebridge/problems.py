"""What is wrong with a value of the effect, as the end of a sentence; empty where nothing is."""

from __future__ import annotations

from collections.abc import Callable

_LONGEST_TEXT = 4096


def text_problem(value: object) -> str:
    """What is wrong with a value as one line of text, as the end of a sentence; empty if nothing is."""
    if not isinstance(value, str):
        return "it must be text"
    if not value.strip():
        return "it must not be empty"
    if len(value) > _LONGEST_TEXT:
        return f"it must not be longer than {_LONGEST_TEXT} characters"
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in value):
        return "it must be one line of readable text"
    return ""


def _bool_problem(value: object) -> str:
    return "" if isinstance(value, bool) else "it must be true or false"


def _selector_problem(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "" if 1 <= value < 2**31 else "the ids of instances start at 1"
    if not isinstance(value, str):
        return "it must be a name or the id of an instance"
    return text_problem(value)


def _style_problem(value: object) -> str:
    problem = text_problem(value)
    return f"{problem}: {NOUNS['style']}" if problem else ""


def _inside(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 <= value <= 1  # type: ignore[operator]


def _box_problem(value: object) -> str:
    if isinstance(value, (list, tuple)) and len(value) == 4 and all(_inside(number) for number in value):
        x0, y0, x1, y1 = value
        if x0 < x1 and y0 < y1:
            return ""
    return f"it must be {NOUNS['box']}"


def _points_problem(value: object) -> str:
    if isinstance(value, (list, tuple)) and value and all(_is_point(point) for point in value):
        return ""
    return f"it must be {NOUNS['points']}"


def _strokes_problem(value: object) -> str:
    if isinstance(value, (list, tuple)) and value and not any(_points_problem(stroke) for stroke in value):
        return ""
    return f"it must be {NOUNS['strokes']}"


def _is_point(point: object) -> bool:
    return isinstance(point, (list, tuple)) and len(point) == 2 and all(_inside(number) for number in point)


NOUNS = {
    "bool": "true or false",
    "style": "the name of a preset or an installed network, or the path of a picture",
    "text": "text",
    "path": "the path of a file",
    "selector": "a name or the id of an instance",
    "box": "[x0, y0, x1, y1] with numbers from 0 to 1, x0 < x1 and y0 < y1",
    "points": "[[x, y], ...] with numbers from 0 to 1",
    "strokes": "[[[x, y], ...], ...] with numbers from 0 to 1",
}

CHECKS: dict[str, Callable[[object], str]] = {
    "bool": _bool_problem,
    "style": _style_problem,
    "text": text_problem,
    "path": text_problem,
    "selector": _selector_problem,
    "box": _box_problem,
    "points": _points_problem,
    "strokes": _strokes_problem,
}
