"""TOML as text that people wrote: where something stands in it, and changing values in place.

tomlkit keeps comments within a table, but moves tables when [[a]] and [[b]] take turns, and does not say on
which line a value stands. So the text is cut into sections, one per header, and tomlkit sees one at a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import AoT, Array, Table

Steps = Sequence[str | int]  # the way to a value in plain data: ["instance", 1, "strength", 2]

_LONGEST_LINE = 4  # lists with more lists in them get a line for each
_TOKENS = re.compile(
    r"""
    \#[^\n]*                            # a comment
    | \"{3} (?:\\.|[^\\])*? \"{3,5}     # text over several lines
    | '{3} .*? '{3,5}
    | \" (?:\\.|[^"\\\n])* \"           # text
    | '[^'\n]*'
    | [\[\]{}\n]
    """,
    re.VERBOSE | re.DOTALL,
)


class TomlError(Exception):
    """A text that is not TOML: a sentence, its line and its column (from 1; None where it is not known)."""

    def __init__(self, message: str, line: int, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Section:
    """A header with all that follows up to the next one. The first section of a text has no header.

    Attributes:
        name: of the table, with dots; empty for the first section.
        head: the header's line, and the comment right above it, which goes with it.
        body: the lines below.
        line: the header's line number, from 1; 0 for the first section.
    """

    name: str
    head: str
    body: str
    line: int


def parse(text: str) -> dict[str, Any]:
    """The plain data that the text says.

    Raises:
        TomlError: it is not TOML.
    """
    try:
        return tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        raise _explained(error, text) from None


def line_of(text: str, steps: Steps) -> int | None:
    """The line (from 1) that the steps lead to, of a table its header's; None where there is none.

    Sought as looks are written, with one header deep; below [a.b] the nearest header of `a` is the answer.
    """
    if not steps:
        return None
    first, *rest = split(text)
    sections = [section for section in rest if section.name == steps[0]]
    if not sections:
        deeper = (section.line for section in rest if section.name.startswith(f"{steps[0]}."))
        return _line_in(first.body, steps) or next(deeper, None)
    place, inner = 0, steps[1:]
    if inner and isinstance(inner[0], int):
        place, inner = inner[0], inner[1:]
    section = sections[place]
    return section.line + (_line_in(section.body, inner) or 0) if inner else section.line


def rewrite(text: str, data: dict[str, Any]) -> str:
    """The text changed so that it says `data`: values that already do, and comments, stay as they are.

    Args:
        text: TOML; may be empty.
        data: values, tables and lists of tables. Tables that the text lacks get a section of their own.
    """
    first, *sections = split(text)
    inline = tomlkit.parse(first.body)
    outside = {name: value for name, value in data.items() if name not in inline and _has_sections(value)}
    first = _merged(first, {name: value for name, value in data.items() if name not in outside})
    for name in dict.fromkeys(section.name for section in sections):
        if name not in outside and any(parse(section.body) for section in sections if section.name == name):
            sections = [section for section in sections if section.name != name]
    for name, value in outside.items():
        _fit(sections, name, value)
    return _joined([first, *sections])


def split(text: str) -> list[Section]:
    """Cuts TOML at its headers. The parts put together again are the text."""
    starts: list[tuple[int, int]] = []  # where each header's line starts and ends
    depth, line_start = 0, 0
    for token in _TOKENS.finditer(text):
        sign = token.group()
        if sign == "[" and depth == 0 and not text[line_start : token.start()].strip():
            end = text.find("\n", token.start())
            starts.append((line_start, len(text) if end < 0 else end + 1))
        depth += (sign in "[{") - (sign in "]}")
        if sign == "\n":
            line_start = token.end()
    sections = []
    name, head, head_end, line = "", "", 0, 0
    for start, end in starts:
        comment = _comment_above(text, head_end, start)
        sections.append(Section(name, head, text[head_end:comment], line))
        name, line = _name(text[start:end]), text.count("\n", 0, start) + 1
        head, head_end = text[comment:end], end
    return [*sections, Section(name, head, text[head_end:], line)]


def _comment_above(text: str, low: int, start: int) -> int:
    """Where the unbroken block of comment lines that ends at `start` begins."""
    while start > low:
        above = text.rfind("\n", low, start - 1) + 1 or low
        if not text[above:start].lstrip().startswith("#"):
            break
        start = above
    return start


def _name(header: str) -> str:
    names = []
    node: Any = tomlkit.parse(header).unwrap()
    while node:
        if isinstance(node, list):
            node = node[0]
            continue
        ((name, node),) = node.items()
        names.append(name)
    return ".".join(names)


def _line_in(body: str, steps: Steps) -> int | None:
    """The line of a value in a section: a mark is put in its place, and sought where it comes out."""
    mark = "here"
    while mark in body:
        mark += "'"
    document = tomlkit.parse(body)
    parent: Any = document
    try:
        for step in steps[:-1]:
            parent = parent[step]
        target = parent[steps[-1]]
    except KeyError:
        return None
    if isinstance(target, (Table, AoT)):  # of dotted keys: it stands where its first value does
        inner = 0 if isinstance(target, AoT) else next(iter(target))
        return _line_in(body, [*steps, inner])
    parent[steps[-1]] = mark
    lines = document.as_string().split("\n")
    return next((number for number, line in enumerate(lines, 1) if mark in line), None)


def _has_sections(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)
    )


def _fit(sections: list[Section], name: str, value: Any) -> None:
    """Makes the sections of one name say `value`, a table or a list of tables."""
    new = value if isinstance(value, list) else [value]
    header = f"[[{name}]]\n" if isinstance(value, list) else f"[{name}]\n"
    places = [place for place, section in enumerate(sections) if section.name == name]
    old = [parse(sections[place].body) for place in places]
    matcher = SequenceMatcher(None, [_identity(entry) for entry in old], [_identity(entry) for entry in new])
    # From the end, so that what is still to be done keeps its place.
    for _, start, stop, new_start, new_stop in reversed(matcher.get_opcodes()):
        common = min(stop - start, new_stop - new_start)
        for place in reversed(places[start + common : stop]):
            del sections[place]
        after = start + common
        place = places[after - 1] + 1 if after else (places[0] if places else len(sections))
        sections[place:place] = [
            _merged(Section(name, header, "", 0), entry) for entry in new[new_start + common : new_stop]
        ]
        for offset in range(common):
            kept = places[start + offset]
            sections[kept] = _merged(sections[kept], new[new_start + offset])


def _merged(section: Section, new: dict[str, Any]) -> Section:
    if _same(parse(section.body), new):
        return section
    # New keys go below the last one, not below the blank lines and comments that end the section.
    lines = section.body.splitlines(keepends=True)
    last = len(lines)
    while last and lines[last - 1].strip()[:1] in ("", "#"):
        last -= 1
    core, tail = "".join(lines[:last]), "".join(lines[last:])
    document = tomlkit.parse(core if core.endswith("\n") or not core else core + "\n")
    _merge_table(document, new)
    return replace(section, body=document.as_string() + tail)


def _joined(sections: list[Section]) -> str:
    text = ""
    for section in sections:
        part = section.head + section.body
        if text and part and section.line == 0:  # a new one stands apart
            text = text.rstrip("\n") + "\n\n"
        elif text and not text.endswith("\n"):
            text += "\n"
        text += part
    return text


def _merge_table(table: Any, new: dict[str, Any]) -> None:
    """Makes a tomlkit table (or document) say `new`, touching nothing that says it already."""
    old = table.unwrap()
    for key in old:
        if key not in new:
            table.remove(key)
    for key, value in new.items():
        if key not in old:
            table[key] = _item(value)
        elif not _same(old[key], value):
            item = table[key]
            if isinstance(old[key], dict) and isinstance(value, dict):
                _merge_table(item, value)
            elif isinstance(item, Array) and isinstance(value, list):
                _merge_list(item, value)
            else:
                table[key] = _item(value)


def _merge_list(items: Array, new: list[Any]) -> None:
    """The same for a list of numbers, of keys or of inline tables."""
    old = items.unwrap()
    matcher = SequenceMatcher(None, [_identity(entry) for entry in old], [_identity(entry) for entry in new])
    for _, start, stop, new_start, new_stop in reversed(matcher.get_opcodes()):
        common = min(stop - start, new_stop - new_start)
        for index in reversed(range(start + common, stop)):
            del items[index]
        for value in reversed(new[new_start + common : new_stop]):
            items.insert(start + common, _item(value))
        for offset in range(common):
            index, value = start + offset, new[new_start + offset]
            if isinstance(old[index], dict) and isinstance(value, dict):
                _merge_table(items[index], value)
            elif isinstance(old[index], list) and isinstance(value, list):
                _merge_list(items[index], value)
            elif not _same(old[index], value):
                items[index] = value


def _identity(entry: Any) -> str:
    """What makes an entry of a list the same one as before, although other values in it changed."""
    if isinstance(entry, dict):
        return repr([entry.get(name) for name in ("select", "name", "frame")])
    return repr(entry[0] if isinstance(entry, list) and entry else entry)


def _same(one: Any, other: Any) -> bool:
    """Equality that tells true from 1, but not 1 from 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _item(value: Any) -> Any:
    """A new value, laid out as a person would."""
    item = tomlkit.item(value)
    if isinstance(item, Array) and len(item) > _LONGEST_LINE and isinstance(value[0], list):
        item.multiline(True)
    return item


def _explained(error: TOMLKitError, text: str) -> TomlError:
    problem = re.sub(r" at line \d+ col \d+$", "", str(error))
    twin = re.fullmatch(r'Key "(.*)" already exists\.', problem)
    if twin:
        return TomlError(f"{twin[1]!r} is already given further up.", _line_of_twin(text))
    if "'\\x00'" in problem and "\x00" not in text:  # what tomlkit calls the end of the text
        return TomlError(
            "the text ends too early; a bracket or a quote is left open.", len(text.splitlines())
        )
    line, column = (error.line, error.col + 1) if isinstance(error, ParseError) else (1, None)
    if problem == "Unexpected character: '\\n'":
        problem = "the line ends too early."
    elif problem.startswith("Control characters") and "u000a" in problem:
        problem = "the line ends before its quote is closed."
    else:
        problem = f"this is not TOML: {problem[:1].lower()}{problem[1:]}."
    return TomlError(problem, line, column)


def _line_of_twin(text: str) -> int:
    """The line of the first key or table given twice. tomlkit does not say, so shorter texts are tried."""
    lines = text.splitlines(keepends=True)
    low, high = 1, len(lines)
    while low < high:
        middle = (low + high) // 2
        try:
            tomlkit.parse("".join(lines[:middle]))
            low = middle + 1
        except TOMLKitError as error:
            if "already exists" in str(error):
                high = middle
            else:
                low = middle + 1
    return low
