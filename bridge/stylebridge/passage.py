"""The client's side of how pixels travel: through shared memory where both sides proved that they see the same, else
in messages. Whatever keeps memory from being shared costs time and nothing else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .arena import DOWNWARD, UPWARD, Arena
from .errors import Code, StylebridgeError
from .pixels import Bytes
from .protocol import Message

log = logging.getLogger("stylebridge.passage")

#: What a client says of the way that its pixels take.
MESSAGES, SHARED = "messages", "shared memory"


@dataclass(frozen=True)
class Loan:
    """A region that the server filled and that is ours until it is handed back."""

    arena: Arena
    region: int


class Passage:
    """The pixels' way on one connection. Used from any thread.

    Args:
        tell: sends the server a message that it does not answer: op and fields.
        share: whether memory may be shared.
    """

    def __init__(self, tell: Callable[[str, dict[str, Any]], None], share: bool) -> None:
        self._tell, self._share = tell, share
        self._arena: Arena | None = None
        self._lock = threading.Lock()
        self._offered = False

    @property
    def way(self) -> str:
        """`SHARED` or `MESSAGES`."""
        return SHARED if self._arena else MESSAGES

    def offer(self, ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Offers the server memory, once; a thread that comes meanwhile goes on with messages.

        Args:
            ask: makes the request `share` and returns its result.

        Raises:
            StylebridgeError: `CANCELLED`; and whatever else `ask` raises.
        """
        with self._lock:
            if self._offered or not self._share:
                return
            self._offered = True
        try:
            arena = Arena(UPWARD, DOWNWARD)
        except OSError as error:
            log.info("pixels travel in messages: %s", error)
            return
        try:
            if not arena.seen(bytes.fromhex(ask(arena.offer)["nonce"])):
                raise StylebridgeError(Code.DENIED, "The server does not see this memory.")
        except BaseException as error:
            arena.close()
            self._tell("unshare", {})
            known = error.code if isinstance(error, StylebridgeError) else None
            # A server whose worker died meanwhile is offered other memory with the next pixels.
            self._offered = known not in (None, Code.CANCELLED, Code.NEED)
            if known in (None, Code.CANCELLED):
                raise
            log.info("pixels travel in messages: %s", error)
            return
        arena.hide()
        self._arena = arena
        self._tell("free", {"regions": list(arena.downward)})
        log.info("pixels travel through shared memory")

    def send(self, payload: Bytes, window: bool) -> tuple[dict[str, Any], Bytes | None] | None:
        """How a part goes to the server: more fields of its message, and the bytes that the message is to hold. None
        where it must wait: for a region to come back, or for the window.

        Args:
            window: whether bytes may go in messages now.
        """
        arena = self._arena
        if arena is None:
            return ({}, payload) if window else None
        region = arena.upward.take()
        if region is None:
            return None
        length = memoryview(payload).nbytes
        try:
            arena.view(region, length)[:] = memoryview(payload).cast("B")
        except StylebridgeError:  # given up meanwhile
            return ({}, payload) if window else None
        return {"place": [region, length]}, None

    def receive(self, message: Message) -> Message:
        """The message with its bytes, wherever they are; where they are in shared memory it has a `loan`.

        Raises:
            StylebridgeError: `BAD_REQUEST` for a place that does not exist.
        """
        arena, place = self._arena, message.fields.get("place")
        if message.op == "free" and arena:
            arena.upward.give(message.fields["regions"])
        elif message.op == "unshare":
            self.drop()
        elif place:
            if arena is None:
                raise StylebridgeError(
                    Code.BAD_REQUEST, "The server put pixels into memory that is not shared."
                )
            fields = {**message.fields, "place": None, "loan": Loan(arena, place[0])}
            return replace(message, fields=fields, payload=arena.view(*place))
        return message

    def give(self, loans: list[Loan]) -> None:
        """Hands regions back, those of memory that was given up meanwhile excepted."""
        regions = [loan.region for loan in loans if loan.arena is self._arena]
        if regions:
            self._tell("free", {"regions": regions})

    def drop(self) -> None:
        """The server lacks the memory: it is given up, and other offered when it is needed."""
        with self._lock:
            arena, self._arena, self._offered = self._arena, None, False
        if arena:
            arena.close()
