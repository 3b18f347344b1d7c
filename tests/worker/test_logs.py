"""Log lines that people and programs read, and that clients cannot forge."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylebridge_server.worker import logs
from stylebridge_server.worker.logs import Json, Seldom, Text, event


def record(name: str = "finished", error: BaseException | None = None, **facts: object) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("stylebridge.broker", logging.INFO, "", 0, "%s", (name,), info)
    made.fields = facts
    return made


def test_facts_as_text_and_as_json() -> None:
    facts = {"request": 12, "op": "render", "seconds": 1.23456, "client": 'a "b"', "owner": True}
    line = Text().format(record(**facts))
    assert line.endswith('broker: finished request=12 op=render seconds=1.2346 client="a \\"b\\"" owner=true')
    assert line[:4].isdigit() and line.split()[0].endswith("Z") and line.split()[1] == "INFO"
    named = json.loads(Json().format(record(**facts)))
    assert named["event"] == "finished" and named["request"] == 12 and named["client"] == 'a "b"'


@given(st.text(), st.text())
def test_no_client_forges_a_line(message: str, name: str) -> None:
    for form in (Text(), Json()):
        line = form.format(record(message, client=name))
        assert len(line.splitlines()) == 1 and "\x1b" not in line


def test_a_traceback_stays_within_its_line() -> None:
    try:
        raise ValueError("odd\n2026-01-01T00:00:00.000Z INFO forged\x1b[2J")
    except ValueError as error:
        text = Text().format(record(error=error))
        assert json.loads(Json().format(record(error=error)))["traceback"].startswith("Traceback")
    first, *rest = text.split("\n")
    assert "finished" in first and "\x1b" not in text
    assert rest and all(line.startswith("    ") for line in rest)


def test_lines_of_a_job_name_its_request(caplog: pytest.LogCaptureFixture) -> None:
    token = logs.request.set(7)
    try:
        assert "request=7" in Text().format(record())
        assert "request=8" in Text().format(record(request=8))
    finally:
        logs.request.reset(token)
    assert "request" not in Text().format(record())
    with caplog.at_level(logging.INFO):
        event(logging.getLogger("stylebridge.test"), "done", nothing=None, something=0)
    assert caplog.records[-1].fields == {"something": 0}


def test_a_flood_is_counted_and_not_told() -> None:
    seldom = Seldom(most=3, span=0.05)
    assert [seldom.pass_()[0] for _ in range(5)] == [True] * 3 + [False] * 2
    seldom._until = 0.0
    assert seldom.pass_() == (True, 2)
    assert seldom.pass_() == (True, 0)
