"""A server that answers by a script, also wrongly."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Optional  # noqa: UP035 (of Python 3.9)

import msgpack
import zmq
from zmq.utils import z85

from stylebridge.keys import server_key
from stylebridge.protocol import PROTOCOL

HELLO = {"version": "0.1.0", "protocol": PROTOCOL, "fingerprint": "f", "pid": 1, "session": "s"}
SHOT = {"shot": "id", "info": {"first": 0, "last": 3}}

#: What a peer answers: pairs of an event's fields and its pixels.
Answers = list[tuple[dict[str, Any], Optional[bytes]]]  # noqa: UP045


def result(**value: Any) -> Answers:
    return [({"op": "result", "value": value}, None)]


def error(code: str, **details: Any) -> Answers:
    return [({"op": "error", "code": code, "message": "There is none.", "details": details}, None)]


def frame(number: int, data: bytes = b"\7", **changed: Any) -> tuple[dict[str, Any], bytes]:
    header = {"dtype": "uint8", "height": 1, "width": 1, "channels": 1, "offset": 0}
    return {"op": "frame", "number": number, "attempt": 1, "extra": {}, **header, **changed}, data


class Peer:
    """A server that answers each request as `script` says; None hangs up."""

    def __init__(self, script: Callable[[dict[str, Any]], Answers | None]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._script = script
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._open("tcp://127.0.0.1:*")
        self.url = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._going = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ops(self) -> list[str]:
        aside = ("credit", "bye", "hello", "share", "unshare")
        return [named["op"] for named in self.asked if named["op"] not in aside]

    def close(self) -> None:
        self._going = False
        self._thread.join()
        self._context.destroy(0)

    def _open(self, endpoint: str) -> Any:
        socket = self._context.socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_secretkey = z85.encode(server_key().secret)
        for _ in range(100):
            try:
                socket.bind(endpoint)
                break
            except zmq.ZMQError:
                time.sleep(0.01)  # the one before is not closed yet
        return socket

    def _run(self) -> None:
        while self._going:
            if not self._socket.poll(20):
                continue
            routing, envelope, *_ = self._socket.recv_multipart()
            named = msgpack.unpackb(envelope)
            self.asked.append(named)
            answers = self._script(named)
            if answers is None:
                self._socket.close(0)
                self._socket = self._open(self.url)
                continue
            for fields, payload in answers:
                reply = msgpack.packb({"v": PROTOCOL, "id": named["id"], **fields})
                self._socket.send_multipart([routing, reply, *([] if payload is None else [payload])])
