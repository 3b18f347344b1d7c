"""The worker process: one thread receives, jobs compute one at a time.

The module that does the work is named when the process starts and has these functions:

    handlers() -> dict[str, Handler]     what each request does; see `context.Handler`
    ended(session: str) -> None          a client is gone: lets go of what it had open; from any thread
    fingerprint() -> str                 of everything that results depend on
    status() -> dict[str, Any]           counters, as plain data; called in the receiving thread, any time
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from stylebridge.errors import Code, StylebridgeError
from stylebridge.keys import KeyPair
from stylebridge.link import Link
from stylebridge.pixels import Bytes
from stylebridge.protocol import Message, decode, encode
from stylebridge_server.shot.store import open_store

from . import logs
from .baton import Baton
from .context import Context, Handler
from .frames import Frames
from .ledger import Pen
from .messages import TO_WORKER, failure, refusal, told
from .sharing import Sharing
from .uploads import Uploads

log = logging.getLogger("stylebridge.worker")

_PR_SET_PDEATHSIG = 1

#: Seconds after which a job that runs Python lets the receiving thread go on. Python's own 5 ms are longer than a
#: small request takes.
SWITCH_INTERVAL = 0.00005

#: Threads for jobs, as many as the broker gives places; only one of them computes, the others wait for their turn or
#: their client.
THREADS = 256

#: Requests that need no turn: what they do is little beside a frame.
ASIDE = ("probe", "parse_look", "format_look", "read_analysis", "add_analysis")


@dataclass(frozen=True)
class Orders:
    """What the broker tells a new worker, in one line of JSON on its standard input, where no other process
    can read the keys.

    Attributes:
        endpoint: where the broker listens for this worker alone.
        broker: the broker's public key for it, hexadecimal.
        secret: the worker's secret key, hexadecimal.
        ledger: the file for signs of life.
        jobs: the module that does the work.
        roots: the folders that clients of other users may have read.
        log: how log lines look, see `logs.begin`.
    """

    endpoint: str
    broker: str
    secret: str
    ledger: str
    jobs: str
    roots: tuple[str, ...] = ()
    log: str = "text"

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, pipe: IO[bytes]) -> Orders:
        return cls(**json.loads(pipe.readline()))


class Worker:
    """Receives jobs from the broker and runs them."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._baton = Baton()
        self._pen = Pen(Path(orders.ledger))
        self._roots = tuple(Path(os.path.realpath(root)) for root in orders.roots)
        self._jobs: dict[int, Context] = {}
        self._handlers: dict[str, Handler] = {}
        self._status: Callable[[], dict[str, Any]] = dict
        self._sharing = Sharing(self._send)
        self._frames = Frames(self._sharing)
        self._ended: Callable[[str], None] = lambda session: None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="job")
        self._link = Link(
            orders.endpoint,
            bytes.fromhex(orders.broker),
            KeyPair.of_secret(bytes.fromhex(orders.secret)),
            self._receive,
            lambda: leave("the broker's connection is gone"),
            heartbeats=False,
        )

    def start(self) -> None:
        """Loads the module that does the work and says so to the broker, or why it could not be loaded."""
        self._link.open(10.0)
        try:
            self._store = open_store()
            _at_end.append(self._store.close)
            self._uploads = Uploads(self._store, self._sharing, self._send)
            module = importlib.import_module(self._orders.jobs)
            self._handlers = module.handlers()
            self._status, self._ended = module.status, module.ended
            fingerprint = module.fingerprint()
        except Exception as error:
            if isinstance(error, StylebridgeError):
                log.error("%s", error)
            else:
                log.exception("the work's module %s does not load", self._orders.jobs)
            seen = told(failure(error))
            self._send("failed", 0, {"code": seen["code"], "message": seen["message"]})
            self._link.close()
            raise SystemExit(1) from None
        self._send("ready", 0, {"fingerprint": fingerprint})

    def _send(self, op: str, job: int, fields: dict[str, Any], payload: Bytes | None = None) -> None:
        self._link.send(encode(op, job, fields, payload))

    def _receive(self, parts: list[Bytes]) -> None:
        """In the link's thread. The broker has checked what comes."""
        message = decode(parts, TO_WORKER)
        context = self._jobs.get(message.id)
        if message.op == "run":
            self._run(message)
        elif message.op == "part":
            self._frames.take(message)
        elif message.op == "put":
            self._uploads.take(message)
        elif message.op in ("share", "unshare", "free"):
            self._sharing.receive(message)
        elif message.op == "ended":
            self._threads.submit(self._ended, message.fields["session"])
        elif message.op == "beat":
            self._pen.beat()
        elif message.op == "status":
            store = {"bytes": self._store.bytes, "limit": self._store.limit}
            self._send("status", message.id, {"value": {**self._status(), "store": store}})
        elif message.op == "cancel":
            self._frames.cancel(message.id)
            self._uploads.cancel(message.id)
            if context:
                context.cancel()
        elif message.op == "credit" and context and context.attempt == message.fields["attempt"]:
            context.credit.add(message.fields["bytes"])

    def _run(self, message: Message) -> None:
        fields = dict(message.fields["fields"])
        if message.fields["request"] == "put_frame":
            fields["picture"] = self._frames.whole(message.id)
        context = Context(
            message, self._send, self._baton, self._pen, self._roots, self._store, self._sharing
        )
        self._jobs[message.id] = context
        self._threads.submit(self._do, message.fields["request"], context, fields)

    def _do(self, request: str, context: Context, fields: dict[str, Any]) -> None:
        """In a thread of its own: one job, from its turn to its result."""
        logs.request.set(context.number)
        try:
            if request == "put_frame":
                whole = fields["picture"]
                fields["picture"] = whole.result() if whole else None
            if request == "put_frame" and fields["picture"] is None:
                raise StylebridgeError(Code.BAD_REQUEST, "A pushed frame came incomplete: send it again.")
            handler = self._handlers.get(request)
            if handler is None:
                raise StylebridgeError(Code.BAD_REQUEST, f'This server cannot do "{request}".')
            value = handler(context, fields) if request in ASIDE else context.run(handler, fields)
            answer = encode("result", context.number, {"value": value or {}})
        except Exception as error:
            if not isinstance(error, StylebridgeError):
                logs.event(log, "failed", logging.ERROR, op=request, session=context.session, error=error)
            answer = refusal(context.number, failure(error, context.owner))
        del self._jobs[context.number]
        self._link.send(answer)


#: What is put in order when the process ends.
_at_end: list[Callable[[], None]] = []


def leave(why: str) -> None:
    """Ends the process at once; jobs have nothing to put in order."""
    logs.event(log, "worker leaves", why=why)
    for action in _at_end:
        action()
    logging.shutdown()
    os._exit(0)


def main() -> None:
    """Runs a worker until the broker closes its standard input, or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the broker decides
    sys.setswitchinterval(SWITCH_INTERVAL)
    _end_with_parent()
    orders = Orders.read(sys.stdin.buffer)
    logs.begin(orders.log)
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    Worker(orders).start()
    threading.Event().wait()


def _outlive_nobody() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    leave("the broker closed the pipe")


def _end_with_parent() -> None:
    """Has the system end this process with the broker, where it can: one that hangs does not notice by itself."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
