"""One encrypted connection: a thread that owns the sockets, so that any thread may send.

A link is used once. When the other side is gone it says so and ends; who wants to go on makes another.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from .errors import Code, StylebridgeError
from .keys import KeyPair
from .pixels import Bytes
from .protocol import MESSAGE_LIMIT

log = logging.getLogger("stylebridge.link")

#: Seconds between the transport's own heartbeats, and after how many of silence the other side is gone.
HEARTBEAT = 2
HEARTBEAT_LIMIT = 10

#: What a server that cannot read its keys answers to a handshake, by rfc.zeromq.org/spec/27.
NOBODY_NOW = 500

_STOP: list[Bytes] = [b""]
_numbers = itertools.count(1)


def prepare(socket: zmq.Socket[Any]) -> None:
    """What all sockets have in common. Queues are bounded by credit and not by the socket."""
    socket.linger = 0
    socket.maxmsgsize = MESSAGE_LIMIT
    socket.sndhwm = socket.rcvhwm = 0
    socket.heartbeat_ivl = HEARTBEAT * 1000
    socket.heartbeat_timeout = HEARTBEAT_LIMIT * 1000


class Link:
    """A DEALER socket to one server.

    Attributes:
        heard: when (`time.monotonic`) the last message came.
        lost: set when the other side is gone.

    Args:
        endpoint: "tcp://host:port".
        server: the public key that the other side must have.
        key: this side's key.
        receive: called in the link's thread with the parts of each message.
        on_lost: called in the link's thread, once, when the other side is gone; not after `close`.
        heartbeats: whether silence of the transport means that it is gone.
    """

    def __init__(
        self,
        endpoint: str,
        server: bytes,
        key: KeyPair,
        receive: Callable[[list[Bytes]], None],
        on_lost: Callable[[], None],
        heartbeats: bool = True,
    ) -> None:
        self.heard = time.monotonic()
        self.lost = threading.Event()
        self._endpoint, self._key = endpoint, key
        self._receive, self._on_lost = receive, on_lost
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        prepare(self._socket)
        if not heartbeats:
            self._socket.heartbeat_ivl = 0
        self._socket.reconnect_ivl = -1
        self._socket.connect_timeout = 5000
        self._socket.curve_serverkey = z85.encode(server)
        self._socket.curve_publickey = z85.encode(key.public)
        self._socket.curve_secretkey = z85.encode(key.secret)
        name = f"inproc://outbox-{next(_numbers)}"
        self._outbox = self._context.socket(zmq.PULL)
        self._outbox.rcvhwm = 0
        self._outbox.bind(name)
        self._sender = self._context.socket(zmq.PUSH)
        self._sender.sndhwm = self._sender.linger = 0
        self._sender.connect(name)
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="stylebridge link", daemon=True)

    def open(self, timeout: float) -> None:
        """Connects, proves who this side is and who the other is, and begins to receive.

        Raises:
            StylebridgeError: `UNREACHABLE` where nobody answers, another than the named server does, or it lets
                nobody in for the moment; `DENIED` where the server does not let this side's key in.
        """
        events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
        events |= zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        events |= zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        self._monitor = monitor = self._socket.get_monitor_socket(events)
        event = status = 0
        try:
            self._socket.connect(self._endpoint)
            if monitor.poll(int(timeout * 1000), zmq.POLLIN):
                seen = recv_monitor_message(monitor)
                event, status = int(seen["event"]), int(seen["value"])
        except zmq.ZMQError:
            event = zmq.EVENT_CLOSED  # no such address
        if event != zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._release()
            raise self._refusal(event, status)
        atexit.register(self.close)
        self._thread.start()

    def send(self, parts: Sequence[Bytes]) -> None:
        """Hands a message to the link's thread; from any thread, without waiting. The bytes are not copied
        and must stay as they are. What is sent after the other side is gone is dropped.
        """
        with self._lock:
            if not self._closed:
                self._sender.send_multipart(parts, copy=False)

    def close(self) -> None:
        """Sends what is waiting, within half a second, and ends the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._sender.send_multipart(_STOP)
        atexit.unregister(self.close)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        monitor = self._monitor
        poller = zmq.Poller()
        for socket in (self._socket, self._outbox, monitor):
            poller.register(socket, zmq.POLLIN)
        going = True
        while going:
            for socket, _ in poller.poll():
                if socket is self._outbox:
                    parts = self._outbox.recv_multipart(copy=False)
                    if len(parts) == 1 and not parts[0].bytes:
                        going = False
                    else:
                        with contextlib.suppress(zmq.Again):  # the other side is gone
                            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
                elif socket is self._socket:
                    self.heard = time.monotonic()
                    parts = self._socket.recv_multipart(copy=False)
                    try:
                        self._receive([part.buffer for part in parts])
                    except Exception:  # one message must not end the connection
                        log.exception("a message could not be taken")
                elif recv_monitor_message(monitor)["event"] == zmq.EVENT_DISCONNECTED:
                    poller.unregister(monitor)
                    if not self.lost.is_set():
                        self.lost.set()
                        self._on_lost()
        self._socket.disable_monitor()
        self._socket.linger = 500
        self._release()

    def _release(self) -> None:
        with self._lock:
            self._closed = True
        self._context.destroy()

    def _refusal(self, event: int, status: int) -> StylebridgeError:
        where = f"The server at {self._endpoint}"
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and status == NOBODY_NOW:
            return StylebridgeError(
                Code.UNREACHABLE,
                f"{where} can let nobody in for the moment: try again soon; its log says why.",
            )
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return StylebridgeError(
                Code.DENIED,
                f"{where} does not let this client in: ask its owner to run "
                f"`stylebridge keys allow NAME {self._key.public.hex()}` there.",
                public=self._key.public.hex(),
            )
        if event in (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL):
            return StylebridgeError(
                Code.UNREACHABLE,
                f"{where} has another key than the one expected, or is no Stylebridge server: "
                "use the whole URL that `stylebridge serve` prints, with its key.",
            )
        return StylebridgeError(
            Code.UNREACHABLE,
            f"{where} does not answer: start it with `stylebridge serve`, or check host and port.",
        )
