"""A request on its way: what has come back for it, and what of it is still owed."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .arena import DOWNWARD
from .errors import Code, StylebridgeError
from .passage import Loan
from .pixels import PART_BYTES, Assembly, Picture
from .protocol import WINDOW, Message, cost

#: Requests that answer each entry of their `frames`, in that order, with one picture or more.
STREAMS = ("render", "preview", "mattes")


@dataclass(frozen=True)
class Progress:
    """How far a request is.

    Attributes:
        done, total: frames of the present stage.
        stage: what is being done, in a word or two.
        fps: frames a second, 0 where none is done yet.
    """

    done: int
    total: int
    stage: str
    fps: float


class Lost(Exception):  # noqa: N818 (it never leaves the bridge)
    """The server is gone, or what it knew is."""


class Request:
    """One request of a client, from its first message to its result.

    Args:
        op, fields: the request. `frames` of a stream shrinks as frames arrive, so that the same request can
            be made again and brings only the rest.
        on_progress: called with each progress event, in the waiting thread.

    Attributes:
        frames: how many frames came whole since it was begun.
        taken: of an upload, how many bytes the server has taken since it was begun.
    """

    def __init__(
        self, op: str, fields: dict[str, Any], on_progress: Callable[[Progress], None] | None
    ) -> None:
        self.op = op
        self.fields = dict(fields)
        self.finished = False
        self._on_progress = on_progress
        self._total = len(fields["frames"]) if op in STREAMS else 0
        self._window = fields.get("window") or WINDOW
        self._given: set[Any] = set()  # layers of the present frame that came, before it was begun again too
        self.begin(0)

    def begin(self, number: int) -> None:
        """Starts, or starts over, under a number that was never used before."""
        self.number = number
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._assembly = Assembly()
        self._attempt = self._owed = 0
        self._loans: list[Loan] = []
        self.frames = self.taken = 0
        self._before = self._total - len(self.fields["frames"]) if self._total else 0

    def deliver(self, message: Message | None) -> None:
        """Puts an event in, from any thread; None says that the server is gone."""
        self._inbox.put(message)

    def cancel(self) -> None:
        """Ends the waiting for it, from any thread, whatever the server does."""
        self.fail(Code.CANCELLED, f'"{self.op}" was cancelled.')

    def fail(self, code: str, sentence: str) -> None:
        """Ends the waiting for it with an error, from any thread."""
        self.deliver(Message("error", self.number, {"code": code, "message": sentence, "details": {}}))

    def step(
        self, timeout: float, credit: Callable[[int, int, int, list[Loan]], None]
    ) -> Picture | dict[str, Any] | None:
        """Waits for the next event: a whole picture, the result, or None for all else and after `timeout`.

        Args:
            timeout: seconds.
            credit: called with (number, attempt, bytes, regions taken) to let the server send more.

        Raises:
            Lost: the server is gone.
            StylebridgeError: what the server answered.
        """
        if self._due():
            credit(self.number, self._attempt, self._owed, self._loans)
            self._owed, self._loans = 0, []
        try:
            message = self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None
        if message is None:
            raise Lost
        if message.op == "frame":
            return self._frame(message)
        if message.op == "progress":
            self._progress(message.fields)
        elif message.op == "credit":
            self.taken += message.fields["bytes"]
        elif message.op == "result":
            self.finished = True
            return dict(message.fields["value"])
        elif message.op == "error":
            self.finished = True
            raise StylebridgeError(
                message.fields["code"], message.fields["message"], **_details(message.fields["details"])
            )
        return None

    def _due(self) -> bool:
        """Whether to hand back what was taken: seldom, but before the server must wait for it."""
        near = self._owed >= self._window // 4 or self._owed > self._window - PART_BYTES
        return self._owed > 0 and (near or len(self._loans) >= DOWNWARD // 4)

    def leave(self) -> list[Loan]:
        """Forgets what came and was not taken; the regions that it lies in are to be handed back."""
        loans, self._loans = self._loans, []
        while not self._inbox.empty():
            message = self._inbox.get()
            if message and message.fields.get("loan"):
                loans.append(message.fields["loan"])
        return loans

    def _frame(self, message: Message) -> Picture | None:
        fields = message.fields
        if fields["attempt"] != self._attempt:  # another worker began anew, with its window whole
            self._attempt, self._owed = fields["attempt"], 0
        self._owed += cost(message.payload)
        if "loan" in fields:
            self._loans.append(fields["loan"])
        data = self._assembly.add(message.layout, fields["offset"], message.payload)
        if data is None:
            return None
        frames = self.fields.get("frames")
        if not frames or frames[0] != fields["number"]:
            raise StylebridgeError(
                Code.BAD_REQUEST, f"The server sent frame {fields['number']}, which was not asked for next."
            )
        layer = fields["extra"].get("layer")
        if type(layer) not in (int, type(None)):
            raise StylebridgeError(Code.BAD_REQUEST, f"The server sent a layer of no instance ({layer!r}).")
        again = layer in self._given
        self._given.add(layer)
        if message.ends_frame:
            del frames[0]
            self.frames += 1
            self._given.clear()
        if again:
            return None
        return Picture(fields["number"], message.layout, data, fields["extra"], not message.ends_frame)

    def _progress(self, fields: dict[str, Any]) -> None:
        if self._on_progress is None:
            return
        done, total = fields["done"], fields["total"]
        if total == self._total - self._before:  # asked again for the rest: count what came before
            done, total = done + self._before, self._total
        self._on_progress(Progress(done, total, fields["stage"], float(fields["fps"])))


def _details(details: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in details.items() if name not in ("self", "code", "message")}
