"""Malformed messages at the server: none may harm it, make it grow, or keep it from its honest clients."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from pathlib import Path

import psutil
import pytest
from fault_tools import Proxy, Server, until, worker_of
from fuzz_tools import LOOK, REQUESTS, Mutator, Stranger, real_messages
from hypothesis import given, settings
from hypothesis import strategies as st

from stylebridge.client import Client
from stylebridge.errors import StylebridgeError
from stylebridge.keys import KeyPair, client_key
from stylebridge.protocol import decode, encode

#: Messages sent before their answers are waited for. The client's queue at the server holds many times that.
BATCH = 200


class Honest:
    """The owner's client, which goes on rendering in a thread, and must always get the same pixels."""

    def __init__(self, server: Server, root: Path) -> None:
        self.served = 0
        self.slowest = 0.0
        self._client = Client.connect(server.url)
        self._shot = self._client.open_shot(root / "plate.mp4")
        self._analysis = self._client.analyse(self._shot, segmenter="none")
        self._expected = self._render()
        self.wrong: list[object] = []
        self._going = True
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._going = False
        self._thread.join()
        self._client.close()
        assert self.wrong == [] and self.served > 0

    def _render(self) -> list[bytes]:
        frames = self._client.render(self._shot, LOOK, self._shot.frames, analysis=self._analysis)
        return [bytes(picture.data) for picture in frames]

    def _run(self) -> None:
        while self._going:
            begun = time.monotonic()
            try:
                if self._render() != self._expected:
                    self.wrong.append("other pixels")
            except Exception as error:
                self.wrong.append(error)
                return
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.served += 1


@pytest.mark.parametrize(
    ("who", "amount"),
    [
        ("stranger", 2_000),
        pytest.param("stranger", 100_000, marks=pytest.mark.long),
        pytest.param("owner", 30_000, marks=pytest.mark.long),
    ],
)
def test_damaged_messages(server: Server, stranger: KeyPair, root: Path, who: str, amount: int) -> None:
    """With a shot of the sender's own, so that what is still a message reaches the work itself."""
    enemy = Stranger(server, stranger if who == "stranger" else client_key())
    honest = Honest(server, root)
    shot = enemy.ask("open_shot", {"path": str(root / "plate.mp4")})["value"]["shot"]
    analysis = enemy.ask("analyse", {"shot": shot, "prompts": [], "segmenter": "none"})["value"]["analysis"]
    known = {"shot": shot, "analysis": analysis, "path": str(root / "plate.mp4")}
    mutator = Mutator(REQUESTS, 1, known)
    with Client.connect(server.url) as watcher:
        both = [psutil.Process(server.process.pid), psutil.Process(worker_of(watcher))]
        before, malformed, sent = [], 0, 0
        print(f"\n{who} sends {amount:,} malformed messages, and others that are only odd")
        while malformed < amount:
            for _ in range(BATCH):
                parts = mutator.message(sent + 1)
                enemy.send(parts)
                sent += 1
                malformed += _refused(parts)
            enemy.settle()
            if not before and malformed > amount // 5:
                before = [one.memory_info().rss for one in both]
            if sent % (50 * BATCH) == 0:
                print(f"  {malformed:,} malformed, {honest.served} honest renders, {dict(enemy.answers)}")
        grown = [one.memory_info().rss - was for one, was in zip(both, before, strict=True)]
        honest.stop()
        enemy.close()
        print(f"  memory: broker {grown[0] / 2**20:+.1f} MiB, worker {grown[1] / 2**20:+.1f} MiB;", end=" ")
        print(f"honest renders: {honest.served}, the slowest {honest.slowest:.2f} s")
        assert watcher.status()["workers"][0]["restarts"] == 0
        until(lambda: watcher.status()["clients"] == 1, "the others are forgotten")
    assert enemy.unforeseen == set()
    assert enemy.answers["bad_request"] > malformed / 2
    assert grown[0] < 8 << 20 and grown[1] < 64 << 20, "the server grew"


def _refused(parts: list[bytes]) -> bool:
    try:
        decode(parts, REQUESTS)
    except StylebridgeError:
        return True
    return False


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("amount", [200, pytest.param(3_000, marks=pytest.mark.long)])
def test_messages_that_hypothesis_makes(server: Server, stranger: KeyPair, amount: int) -> None:
    enemy = Stranger(server, stranger)

    @settings(max_examples=amount, database=None)
    @given(st.data())
    def send(data: st.DataObject) -> None:
        op = data.draw(st.sampled_from([op for op in sorted(REQUESTS) if op != "bye"]))
        names = st.sampled_from([*REQUESTS[op], "more"])
        fields = data.draw(st.dictionaries(names, _plain, max_size=5))
        payload = data.draw(st.none() | st.binary())
        with contextlib.suppress(StylebridgeError):
            enemy.send(encode(op, data.draw(st.integers(0, 2**30)), fields, payload))
        if data.draw(st.integers(0, 50)) == 0:
            enemy.settle()

    send()
    enemy.settle()
    enemy.close()
    assert enemy.unforeseen == set()


@pytest.mark.parametrize("amount", [200, pytest.param(3_000, marks=pytest.mark.long)])
def test_connections_that_break_the_transport(server: Server, root: Path, amount: int) -> None:
    """Handshakes that are damaged, cut short or replaced by noise, as raw bytes."""
    with Proxy(server.address) as proxy, Client.connect(proxy.url) as client:
        client.describe()
        recorded = bytes(proxy.sent[0])
    dice = random.Random(2)
    host, port = server.address.endpoint.removeprefix("tcp://").rsplit(":", 1)
    with Client.connect(server.url) as watcher:
        broker = psutil.Process(server.process.pid)
        until(lambda: watcher.status()["clients"] == 1, "the others are forgotten")
        files, before = broker.num_fds(), 0
        for number in range(amount):
            data = bytearray(recorded[: dice.randrange(1, len(recorded))])
            for _ in range(dice.choice([0, 1, 3])):
                data[dice.randrange(len(data))] = dice.randrange(256)
            if number % 5 == 0:
                data[:] = dice.randbytes(dice.randrange(1, 2_000))
            with socket.create_connection((host, int(port))) as enemy, contextlib.suppress(OSError):
                enemy.sendall(data)
            if number % 50 == 0:
                assert watcher.status()["clients"] == 1, "somebody was let in"
            if number == amount // 5:
                before = broker.memory_info().rss
        until(lambda: broker.num_fds() <= files, "the connections are closed")
        grown = broker.memory_info().rss - before
        assert grown < 8 << 20, f"the server grew by {grown} bytes"


def test_memory_is_not_taken_for_promises(server: Server, stranger: KeyPair) -> None:
    """The first bytes of the largest pictures that there are, and nothing more."""
    enemy = Stranger(server, stranger)
    size = {"width": 16_384, "height": 16_384, "channels": 4, "dtype": "uint8"}
    with Client.connect(server.url) as watcher:
        both = [psutil.Process(server.process.pid), psutil.Process(worker_of(watcher))]
        before = sum(one.memory_info().rss for one in both)
        for number in range(4):
            picture = {"shot": "x", "number": number, **size, "offset": 0}
            enemy.send([bytes(part) for part in encode("put_frame", number + 1, picture, b"x")])
        enemy.settle()
        worker_of(watcher)  # it has taken what came before
        assert sum(one.memory_info().rss for one in both) - before < 256 << 20
    enemy.close()


def test_the_examples_are_messages() -> None:
    """Else the campaign would damage what is broken already."""
    for op, fields, payload in real_messages(REQUESTS, {}):
        assert decode(encode(op, 1, fields, payload), REQUESTS).op == op
