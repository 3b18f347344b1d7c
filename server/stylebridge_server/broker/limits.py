"""What clients may have under way, taken together: each limit alone would still let many add up.

The server's own user has the machine anyway; what others may take is a share, so that they cannot lock the owner out.
"""

from __future__ import annotations

from collections.abc import Collection

from stylebridge.errors import Code, StylebridgeError
from stylebridge.protocol import UPLOAD_WINDOW, WINDOW, Message
from stylebridge.requests import STREAMS

from .sessions import SESSIONS_LIMIT, Session

#: Sessions of other users together; the rest is the owner's.
OTHERS_LIMIT = 224
#: Bytes of envelopes of requests that are not answered yet, of one session and of all other users together.
ASKED_LIMIT, OTHERS_ASKED_LIMIT = 16 << 20, 64 << 20
#: Bytes that streams under way may send ahead of what was taken, of one session and of all other users together.
AHEAD_LIMIT, OTHERS_AHEAD_LIMIT = 2 << 30, 8 << 30
#: Bytes of memory that uploads of all other users together may come to take; see `sessions.UPLOADS_LIMIT` for one.
OTHERS_COMING_LIMIT = 2 << 30


def check_session(sessions: Collection[Session], owner: bool) -> None:
    """Whether one more may come.

    Raises:
        StylebridgeError: `TOO_LARGE`.
    """
    others = sum(not one.owner for one in sessions)
    if len(sessions) >= SESSIONS_LIMIT or (not owner and others >= OTHERS_LIMIT):
        raise StylebridgeError(
            Code.TOO_LARGE,
            f"The server has {len(sessions)} clients and takes no more: close some.",
        )


def check_request(sessions: Collection[Session], session: Session, message: Message, size: int) -> None:
    """Whether a session may ask for this too. Where it may, the session keeps account of it.

    Args:
        sessions: all there are.
        size: bytes of the message's envelope.

    Raises:
        StylebridgeError: `TOO_LARGE`.
    """
    ahead = (message.fields.get("window") or WINDOW) if message.op in STREAMS else 0
    coming = _coming(message)
    session.weights = {number: one for number, one in session.weights.items() if number in session.jobs}
    asked_before, ahead_before, _ = _sum([session])
    if asked_before + size > ASKED_LIMIT or ahead_before + ahead > AHEAD_LIMIT:
        raise _too_much("This client has")
    if not session.owner:
        asked_before, ahead_before, before = _sum([one for one in sessions if not one.owner])
        if asked_before + size > OTHERS_ASKED_LIMIT or ahead_before + ahead > OTHERS_AHEAD_LIMIT:
            raise _too_much("Clients of other users have")
        if coming and before + coming > OTHERS_COMING_LIMIT:
            raise StylebridgeError(
                Code.TOO_LARGE,
                "Clients of other users are sending too many frames and files at once: wait a moment, and send again.",
            )
    session.weights[message.id] = size, ahead, coming


def _coming(message: Message) -> int:
    """Bytes of memory that an upload may come to take: a frame is put together there, a file goes on to the disk."""
    if message.op == "put_frame":
        return 0 if message.fields["offset"] else message.layout.nbytes
    if message.op == "put":
        return 0 if message.fields["offset"] else min(message.fields["size"], UPLOAD_WINDOW)
    return 0


def _sum(sessions: Collection[Session]) -> tuple[int, int, int]:
    weights = [weight for one in sessions for number, weight in one.weights.items() if number in one.jobs]
    return (
        sum(size for size, _, _ in weights),
        sum(ahead for _, ahead, _ in weights),
        sum(coming for _, _, coming in weights),
    )


def _too_much(who: str) -> StylebridgeError:
    return StylebridgeError(
        Code.TOO_LARGE,
        f"{who} too many large requests under way: wait for some to be answered, or grant smaller windows.",
    )
