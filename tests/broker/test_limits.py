"""What clients may have under way together."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge.protocol import UPLOAD_WINDOW, WINDOW_LIMIT, Message
from stylebridge_server.broker import limits
from stylebridge_server.broker.limits import check_request, check_session
from stylebridge_server.broker.sessions import SESSIONS_LIMIT, Session


def session(owner: bool = True) -> Session:
    return Session(b"r", "u", "test", owner)


def ask(sessions: list[Session], one: Session, size: int, window: int = 0) -> None:
    """A request that stays unanswered."""
    number = len(one.jobs) + 1
    op = "render" if window else "analyse"
    check_request(sessions, one, Message(op, number, {"window": window or None}), size)
    one.jobs[number] = SimpleNamespace()  # type: ignore[assignment]


def test_others_leave_room_for_the_owner() -> None:
    others = [session(owner=False) for _ in range(limits.OTHERS_LIMIT)]
    with pytest.raises(StylebridgeError) as caught:
        check_session(others, owner=False)
    assert caught.value.code == Code.TOO_LARGE
    check_session(others, owner=True)
    check_session(others[1:], owner=False)
    with pytest.raises(StylebridgeError):
        check_session([session() for _ in range(SESSIONS_LIMIT)], owner=True)


def test_a_session_is_bounded_until_it_is_answered() -> None:
    one = session()
    for _ in range(limits.ASKED_LIMIT >> 20):
        ask([one], one, 1 << 20)
    with pytest.raises(StylebridgeError, match="This client has too many large requests") as caught:
        ask([one], one, 1)
    assert caught.value.code == Code.TOO_LARGE
    del one.jobs[1]
    ask([one], one, 1 << 20)
    streams = session()
    for _ in range(limits.AHEAD_LIMIT // WINDOW_LIMIT):
        ask([streams], streams, 100, WINDOW_LIMIT)
    with pytest.raises(StylebridgeError, match="grant smaller windows"):
        ask([streams], streams, 100, WINDOW_LIMIT)


def test_other_users_are_bounded_together_and_the_owner_is_not_held_up() -> None:
    others = [session(owner=False) for _ in range(20)]
    asked = 0
    with pytest.raises(StylebridgeError, match="Clients of other users have"):
        for one in others:
            for _ in range(10):
                ask(others, one, 1 << 20)
                asked += 1 << 20
    assert asked == limits.OTHERS_ASKED_LIMIT
    mine = session()
    ask([*others, mine], mine, 1 << 20)


def put(sessions: list[Session], one: Session, size: int, offset: int = 0) -> None:
    """An upload that stays unanswered."""
    number = len(one.jobs) + 1
    check_request(sessions, one, Message("put", number, {"size": size, "offset": offset}), 100)
    one.jobs[number] = SimpleNamespace()  # type: ignore[assignment]


def test_uploads_of_other_users_are_bounded_together() -> None:
    others = [session(owner=False) for _ in range(limits.OTHERS_LIMIT)]
    for place in range(limits.OTHERS_COMING_LIMIT // UPLOAD_WINDOW):
        put(others, others[place // 4], 1 << 40)
    last = others[-1]
    with pytest.raises(StylebridgeError, match="sending too many frames and files at once") as caught:
        put(others, last, 1)
    assert caught.value.code == Code.TOO_LARGE
    put(others, last, 1 << 40, offset=1 << 20)  # the rest of one that was refused, which costs nothing
    ask(others, last, 100)
    mine = session()
    put([*others, mine], mine, 1 << 40)
    del others[0].jobs[1]
    put(others, last, 1 << 40)


def test_a_frame_is_counted_whole() -> None:
    one = session(owner=False)
    fields = {"dtype": "uint8", "height": 1 << 14, "width": 1 << 14, "channels": 4, "offset": 0}
    for number in (1, 2):
        check_request([one], one, Message("put_frame", number, fields), 100)
        one.jobs[number] = SimpleNamespace()  # type: ignore[assignment]
    with pytest.raises(StylebridgeError, match="sending too many frames"):
        put([one], one, 1)
