"""Clients of scripted servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable  # noqa: UP035 (of Python 3.9)

import pytest

from stylebridge.client import Client

from .peer import HELLO, Answers, Peer, error, result


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Client, Peer]]]:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path / "home"))
    opened: list[Any] = []

    def start(**answers: Any) -> tuple[Client, Peer]:
        """A client of a peer with an answer, a list of them in turn, or a function of the message, for each op."""

        def script(named: dict[str, Any]) -> Answers | None:
            answer = {"hello": result(**HELLO), "share": error("denied"), **answers}.get(named["op"], [])
            if callable(answer):
                return answer(named)
            return next(answer) if isinstance(answer, Iterator) else answer

        peer = Peer(script)
        opened.append(peer)
        client = Client.connect(peer.url, timeout=5)
        opened.append(client)
        return client, peer

    yield start
    for thing in reversed(opened):
        thing.close()
