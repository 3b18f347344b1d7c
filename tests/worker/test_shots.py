"""Which session has which shot open, and when a shot is closed."""

from __future__ import annotations

from typing import Any

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.shot.shot import Shot
from stylebridge_server.values import SourceInfo
from stylebridge_server.worker import shots as module
from stylebridge_server.worker.shots import Shots


class Toy:
    """A shot that only knows whether it was closed."""

    overwritten = False

    def __init__(self, name: str) -> None:
        self.id, self.closed = name, False

    def close(self) -> None:
        assert not self.closed
        self.closed = True


def toy(name: str) -> Any:
    return Toy(name)


@pytest.fixture
def closed() -> list[str]:
    return []


@pytest.fixture
def shots(closed: list[str]) -> Shots:
    return Shots(closed.append)


def test_equal_shots_are_one_and_stay_until_the_last_session_lets_go(shots: Shots, closed: list[str]) -> None:
    first, second = toy("a"), toy("a")
    assert shots.add("one", first) is first
    assert shots.add("two", second) is first
    assert second.closed and not first.closed
    shots.close("one", "a")
    with shots.use("two", "a") as shot:
        assert shot is first
    shots.end("two")
    assert first.closed and closed == ["a"] and len(shots) == 0


def test_a_session_uses_only_what_it_opened(shots: Shots) -> None:
    shots.add("one", toy("a"))
    for session, name in (("two", "a"), ("one", "b")):
        with pytest.raises(StylebridgeError) as lacking, shots.use(session, name):
            pytest.fail("it was let in")
        assert (lacking.value.code, lacking.value.details) == (Code.NEED, {"shot": name})
        with pytest.raises(StylebridgeError):
            shots.close(session, name)


def test_a_shot_that_is_worked_with_is_closed_afterwards(shots: Shots, closed: list[str]) -> None:
    shot = shots.add("one", toy("a"))
    with shots.use("one", "a"):
        shots.end("one")
        assert closed == []
        assert shots.add("two", toy("a")) is shot
    assert closed == []
    with shots.use("two", "a"):
        shots.close("two", "a")
        assert closed == []
    assert closed == ["a"]


def test_a_shot_opened_for_a_session_that_ended_meanwhile_is_closed(shots: Shots, closed: list[str]) -> None:
    shots.end("one")
    shot = toy("a")
    with pytest.raises(StylebridgeError) as caught:
        shots.add("one", shot)
    assert caught.value.code == Code.CANCELLED
    assert shot.closed and len(shots) == 0


def test_the_one_used_longest_ago_makes_room(
    shots: Shots, closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHOTS_LIMIT", 3)
    for name in "abc":
        shots.add("one", toy(name))
        shots.add("two", toy(name)) if name == "b" else None
    with shots.use("one", "a"):
        pass
    shots.add("one", toy("d"))
    assert closed == [], "another session has it open"
    shots.add("one", toy("e"))
    assert closed == ["c"]
    with pytest.raises(StylebridgeError):
        shots.close("one", "b")


def test_who_lets_go_late_does_not_close_the_next(shots: Shots, closed: list[str]) -> None:
    """Two jobs of a session that ended, done at once: one finds that nobody is left after a new opening."""
    shots.add("one", toy("a"))
    opened = shots._open["a"]
    shots.end("one")
    shot = shots.add("two", toy("a"))
    shots._let_go(opened)
    with shots.use("two", "a") as found:
        assert found is shot and not shot.closed
    assert closed == ["a"]


def test_a_shot_whose_source_was_written_over_is_no_longer_found(shots: Shots, closed: list[str]) -> None:
    """Also where what was written is what was there before: the open files are others."""
    before, now = toy("a"), toy("a")
    shots.add("one", before)
    with shots.use("one", "a") as shot:
        shot.overwritten = True
        assert shots.add("two", now) is now and not before.closed
    assert before.closed and closed == ["a"]
    shots.end("two")
    assert now.closed and closed == ["a", "a"] and len(shots) == 0


def test_media_whose_contents_cannot_be_read_are_closed() -> None:
    class Source(Toy):
        info = SourceInfo("movie", 4, 4, 0, 9, 3, "uint8")

        def content_hash(self) -> str:
            raise StylebridgeError(Code.CANCELLED, "The request was cancelled.")

        def changed(self, number: int | None = None) -> bool:
            return False

    source: Any = Source("a")
    with pytest.raises(StylebridgeError):
        Shot(source)
    assert source.closed
