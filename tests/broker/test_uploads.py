"""Blobs on their way through the broker into the worker's store."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from stylebridge import launch
from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import PART_BYTES
from stylebridge.protocol import UPLOAD_WINDOW

from .conftest import until
from .test_access import HELLO, Bare, encode


def name_of(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def left(home: Path) -> list[Path]:
    """Half blobs."""
    return list((home.parent / "store" / "run").rglob("parts/*"))


@pytest.mark.parametrize("size", [1, PART_BYTES, PART_BYTES + 1, UPLOAD_WINDOW * 3 + 5])
def test_a_blob_is_named_by_its_hash(client: Client, size: int) -> None:
    data = os.urandom(size)
    assert client.put(data) == name_of(data)
    assert client.put(data) == name_of(data)


@pytest.mark.parametrize("who", ["worker", "server"])
def test_a_process_killed_in_mid_upload_costs_nothing(client: Client, home: Path, who: str) -> None:
    data = os.urandom(5 * PART_BYTES)
    status = client.status()
    victim = status["pid"] if who == "server" else status["workers"][0]["pid"]

    def kill(size: int) -> None:
        if not killed:
            killed.append(size)
            os.kill(victim, signal.SIGKILL)

    killed: list[int] = []
    assert client._inputs.put(data, None, kill) == name_of(data)
    assert client.status()["workers"][0]["pid"] != status["workers"][0]["pid"]
    until(lambda: left(home) == [])


def test_a_refused_blob_leaves_nothing_and_the_next_is_served(client: Client, home: Path) -> None:
    data = os.urandom(3 * PART_BYTES)
    with pytest.raises(StylebridgeError, match="the file changed meanwhile") as refused:
        client._inputs.put(data, "0" * 64)
    assert refused.value.code == Code.BAD_VALUE
    with pytest.raises(StylebridgeError, match="STYLEBRIDGE_STORE_MB") as refused:
        client._connection.call("put", {"size": 2**50}, parts=lambda: [({"offset": 0}, b"x")])
    assert refused.value.code == Code.TOO_LARGE
    assert client.put(data) == name_of(data)
    assert left(home) == []


def test_the_worker_is_told_when_a_session_ends() -> None:
    server = launch.start_server()
    with Client.connect(server.address.url) as client:
        with Client.connect(server.address.url) as other:
            session = other.server["session"]
        until(lambda: session in client.status()["workers"][0]["counters"]["ended"])
    server.stop()


def test_who_sends_without_credit_is_stopped(client: Client) -> None:
    """A client that takes no notice of credit; the worker, stopped, gives none."""
    server: Any = client._connection._finder._started
    bare = Bare(server)
    assert bare.ask(encode("hello", 1, HELLO)).op == "result"
    os.kill(client.status()["workers"][0]["pid"], signal.SIGSTOP)
    part = bytes(PART_BYTES)
    for offset in range(0, 2 * UPLOAD_WINDOW, PART_BYTES):
        bare.link.send(encode("put", 2, {"size": 1 << 30, "offset": offset}, part))
    with bare.came:
        assert bare.came.wait_for(lambda: any(one.op == "error" for one in bare.answers), 20)
    [error] = [one for one in bare.answers if one.op == "error"]
    assert error.fields["code"] == Code.TOO_LARGE and "without credit" in error.fields["message"]
    os.kill(client.status()["workers"][0]["pid"], signal.SIGCONT)
    bare.link.close()
