"""Log lines of broker and worker: one event a line, for people and for programs.

    2026-11-20T09:14:03.217Z INFO broker: finished request=12 session=5fd0c1aa op=render outcome=ok seconds=3.214

or, as JSON, the same as one object a line. What clients say is quoted, so that nobody can forge a line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from contextvars import ContextVar
from typing import Any

FORMS = ("text", "json")

#: The broker's number of the request that is being computed; 0 for none. It is added to every line of its thread.
request: ContextVar[int] = ContextVar("request", default=0)

_PLAIN = re.compile(r"[\w./:@+-]+", re.ASCII)


def begin(form: str) -> None:
    """Has everything that is logged in this process written to standard error.

    Args:
        form: "text" or "json".
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def event(
    log: logging.Logger,
    name: str,
    level: int = logging.INFO,
    error: BaseException | None = None,
    **fields: object,
) -> None:
    """Logs that something happened, with its facts: numbers, flags, text. None is left out.

    Args:
        error: whose traceback is logged with it.
    """
    said = {key: value for key, value in fields.items() if value is not None}
    log.log(level, "%s", name, extra={"fields": said}, exc_info=error)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts = dict(getattr(record, "fields", {}))
    if request.get():
        facts.setdefault("request", request.get())
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in facts.items()}


def _time(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


class Text(logging.Formatter):
    """For people: time, level, where from, what, and the facts as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        said = "".join(c if c.isprintable() else repr(c)[1:-1] for c in record.getMessage())
        facts = "".join(f" {name}={_value(value)}" for name, value in _facts(record).items())
        line = f"{_time(record)} {record.levelname} {record.name.removeprefix('stylebridge.')}: {said}{facts}"
        if record.exc_info:
            # Indented, so that no part of it can be taken for a line of its own.
            trace = "".join(c for c in self.formatException(record.exc_info) if c.isprintable() or c == "\n")
            line += "\n    " + trace.replace("\n", "\n    ")
        return line


class Json(logging.Formatter):
    """For programs: one object a line."""

    def format(self, record: logging.LogRecord) -> str:
        named = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            named["traceback"] = self.formatException(record.exc_info)
        return json.dumps(named, default=str)


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


class Seldom:
    """Lets a few through in each span of time, and counts the rest: strangers must not fill a log.

    Args:
        most: how many in a span.
        span: seconds.
    """

    def __init__(self, most: int = 10, span: float = 60.0) -> None:
        self._most, self._span = most, span
        self._until = 0.0
        self._count = 0

    def pass_(self) -> tuple[bool, int]:
        """Whether this one goes through, and how many did not since the last that did."""
        now = time.monotonic()
        missed = 0
        if now > self._until:
            missed = max(0, self._count - self._most)
            self._until, self._count = now + self._span, 0
        self._count += 1
        return self._count <= self._most, missed
