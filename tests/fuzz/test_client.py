"""A server that answers malformed messages: the client says so in a sentence, goes on, and does not grow."""

from __future__ import annotations

import collections
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import psutil
import pytest
import zmq
from fuzz_tools import EVENTS, LOOK, Mutator, real_messages
from zmq.utils import z85

from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge.keys import server_key
from stylebridge.protocol import PROTOCOL, decode, encode

#: What it answers rightly.
RIGHT: dict[str, dict[str, Any]] = {
    "hello": {"version": "0.1.0", "protocol": PROTOCOL, "fingerprint": "f", "pid": 1, "session": "s"},
    "describe": {"styles": []},
    "open_shot": {"shot": "id", "info": {"first": 0, "last": 2}},
}
#: Malformed messages that one request is answered with.
BURST = 50


class Liar:
    """A server that answers most requests rightly, and a render with what `Mutator` damages."""

    def __init__(self) -> None:
        self.sent = 0
        self._mutator = Mutator(EVENTS, 3, {"number": 0})
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.curve_server = True
        self._socket.curve_secretkey = z85.encode(server_key().secret)
        self._socket.sndhwm = 0
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.url = f"tcp://127.0.0.1:{self.port}"
        self._going = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._going = False
        self._thread.join()
        self._context.destroy(0)

    def _run(self) -> None:
        while self._going:
            if not self._socket.poll(20):
                continue
            routing, envelope, *_ = self._socket.recv_multipart()
            named = msgpack.unpackb(envelope)
            if named["op"] in RIGHT:
                value = {"value": RIGHT[named["op"]]}
                self._socket.send_multipart([routing, *encode("result", named["id"], value)])
            elif named["op"] == "render":
                for _ in range(BURST):
                    self._socket.send_multipart([routing, *self._mutator.malformed(named["id"])])
                self.sent += BURST


@pytest.fixture
def liar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Liar]:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path / "home"))
    liar = Liar()
    yield liar
    liar.close()


def settle(client: Client) -> None:
    """Asks something else until it is answered: what is still coming for the request before is not this one's fault."""
    for _ in range(2 * BURST):
        try:
            assert client.describe() == {"styles": []}
            return
        except StylebridgeError as error:
            assert "unreadable" in error.message
    pytest.fail("the client does not go on")


@pytest.mark.parametrize("amount", [2_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_damaged_answers(liar: Liar, amount: int) -> None:
    said: collections.Counter[str] = collections.Counter()
    process, before = psutil.Process(), 0
    print(f"\nanswering with {amount:,} malformed messages")
    with Client.connect(liar.url, timeout=20) as client:
        shot = client.open_shot("camera:0")
        while liar.sent < amount:
            with pytest.raises(StylebridgeError) as caught:
                list(client.render(shot, LOOK, [0, 1, 2], analysis="a"))
            said[caught.value.code] += 1
            settle(client)
            if not before and liar.sent > amount // 5:
                before = process.memory_info().rss
        grown = process.memory_info().rss - before
    print(f"  {liar.sent:,} sent; the client said {dict(said)} and grew by {grown / 2**20:+.1f} MiB")
    assert set(said) <= {Code.BAD_REQUEST, Code.BAD_VALUE, Code.TOO_LARGE, Code.VERSION}
    assert grown < 16 << 20


@pytest.mark.parametrize("amount", [5_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_answers_that_are_odd_but_whole(amount: int) -> None:
    """What a damaged answer does to a request that takes it for its own, without a network between."""
    from stylebridge.requests import Lost, Request

    mutator, dice = Mutator(EVENTS, 4, {"number": 0}), random.Random(4)
    taken = refused = 0
    for _ in range(amount):
        parts = mutator.message(7)
        try:
            message = decode(parts, EVENTS)
        except StylebridgeError:
            refused += 1
            continue
        request = Request("render", {"frames": [0, 1, 2], "window": None}, lambda progress: None)
        request.begin(7)
        for one in [message] * dice.choice([1, 2, 5]):
            request.deliver(one)
        try:
            for _ in range(5):
                request.step(0.0, lambda *credit: None)
        except (StylebridgeError, Lost):
            pass
        taken += 1
    assert taken > amount // 20 and refused > amount // 4


@pytest.mark.parametrize("amount", [20, pytest.param(300, marks=pytest.mark.long)])
def test_a_server_that_speaks_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, amount: int
) -> None:
    """Noise, silence and hanging up in place of a handshake."""
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path / "home"))
    files = psutil.Process().num_fds()
    dice = random.Random(5)
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + b"\x00" * 32
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                noise = dice.randbytes(dice.randrange(1, 500))
                peer.sendall(dice.choice([b"", noise, greeting[: dice.randrange(64)], greeting + noise]))

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    for _ in range(amount):
        with pytest.raises(StylebridgeError) as caught:
            Client.connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}", timeout=2)
        assert caught.value.code == Code.UNREACHABLE
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    assert psutil.Process().num_fds() <= files + 1


def test_the_examples_are_messages() -> None:
    """Else the campaign would damage what is broken already."""
    for op, fields, payload in real_messages(EVENTS, {}):
        assert decode(encode(op, 1, fields, payload), EVENTS).op == op
