"""Who is let in, how servers are found, and what the broker loads."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zmq.utils import z85

from stylebridge import keys, launch
from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge.keys import KeyPair, client_key
from stylebridge.launch import StartedServer
from stylebridge.link import Link
from stylebridge.protocol import PROTOCOL, Message, encode, unpack
from stylebridge_server.broker.gate import CLIENTS, Gate
from stylebridge_server.broker.sessions import QUESTIONS_LIMIT

from .conftest import until


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[StartedServer]:
    """One server for all tests here: none of them harms it."""
    server = launch.start_server()
    yield server
    server.stop()


def as_other_user(monkeypatch: pytest.MonkeyPatch, folder: Path) -> bytes:
    """From now on this process has another home, and so another key, which it returns."""
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(folder))
    return client_key().public


def test_a_stranger_is_refused_until_allowed(
    server: StartedServer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = as_other_user(monkeypatch, tmp_path / "other")
    with pytest.raises(StylebridgeError, match=stranger.hex()) as caught:
        Client.connect(server.address.url)
    assert caught.value.code == Code.DENIED

    (home / "allowed" / "friend.public").write_text(stranger.hex() + "\n")
    with Client.connect(server.address.url) as friend:
        with pytest.raises(StylebridgeError, match="Only the user who started") as caught:
            friend.shutdown()
        assert caught.value.code == Code.DENIED
        with pytest.raises(StylebridgeError, match="lies outside the folders") as caught:
            friend.open_shot("/etc/a plate that is not here.mp4")
        assert caught.value.code == Code.DENIED


def test_strangers_learn_little(
    server: StartedServer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client.connect(server.address.url) as mine:
        own = mine.status()
        assert (
            own["pid"] == server.pid and own["workers"][0]["counters"]["pid"] and own["sessions"][-1]["owner"]
        )
    stranger = as_other_user(monkeypatch, tmp_path / "other")
    (home / "allowed" / "curious.public").write_text(stranger.hex())
    with Client.connect(server.address.url) as client:
        seen = client.status()
        assert client.server["pid"] == seen["pid"] == seen["workers"][0]["pid"] == 0
        assert "sessions" not in seen and "pid" not in seen["workers"][0]["counters"]
    bare = Bare(server)
    bare.ask(encode("hello", 1, HELLO))
    denied = []
    paths = ["/etc/passwd", "/etc", "/etc/no such file", "/no such folder/plate.mp4"]
    for number, path in enumerate(paths, 2):
        answer = bare.ask(encode("open_shot", number, {"path": path})).fields
        denied.append((answer["code"], answer["message"].replace(path, ""), repr(answer["details"])))
    bare.link.close()
    assert len(set(denied)) == 1 and denied[0][0] == Code.DENIED, "whether a path exists is nobody's business"


def test_a_revoked_key_ends_its_sessions(
    server: StartedServer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        friend = as_other_user(elsewhere, tmp_path / "other")
    keys.allow("visitor", friend)
    with monkeypatch.context() as elsewhere:
        as_other_user(elsewhere, tmp_path / "other")
        client = Client.connect(server.address.url)
    with Client.connect(server.address.url) as owner, client:
        made = {"width": 6, "height": 4, "channels": 3, "dtype": "uint8", "colour": "srgb", "alpha": "none"}
        shot = client.open_shot(live=made)
        stream = client.render(shot, {"seconds": 0.05}, range(100_000))
        next(stream)
        name = client.server["session"]
        assert name in [one["name"] for one in owner.status()["sessions"]]
        keys.revoke("visitor")
        with pytest.raises(StylebridgeError, match="key was revoked") as caught:
            list(stream)
        assert caught.value.code == Code.DENIED
        with pytest.raises(StylebridgeError) as caught:
            client.status()
        until(lambda: owner.status()["running"] == 0)
        assert name not in [one["name"] for one in owner.status()["sessions"]]
        bare = Bare(server)  # the owner's own key is not taken back
        assert bare.ask(encode("hello", 1, HELLO)).op == "result"
        bare.link.close()


def test_questions_of_one_client_do_not_pile_up(home: Path) -> None:
    """While the worker loads, nothing is answered; a client that asks on and on is refused, not remembered."""
    server = launch.start_server(extra=("--jobs", "slow_jobs"))
    bare = Bare(server)
    for number in range(1, 40):
        bare.link.send(encode("hello", number, HELLO))
    with bare.came:
        assert bare.came.wait_for(lambda: len(bare.answers) >= 39 - QUESTIONS_LIMIT, 20)
        assert {one.fields["code"] for one in bare.answers if one.op == "error"} == {Code.TOO_LARGE}
    bare.link.close()
    server.stop()


def test_refused_keys_do_not_fill_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context: zmq.Context = zmq.Context()
    gate = Gate(context, {CLIENTS: lambda: {b"k" * 32}})
    asking = context.socket(zmq.REQ)
    asking.connect("inproc://zeromq.zap.01")
    lines = []
    monkeypatch.setattr("stylebridge_server.broker.gate.event", lambda *words, **facts: lines.append(facts))
    for number in range(200):
        question = [b"1.0", b"1", b"clients", b"10.0.0.9", b"", b"CURVE", number.to_bytes(32, "big")]
        asking.send_multipart(question)
        gate.answer()
        assert asking.recv_multipart()[2] == b"400"
    assert len(lines) == 10 and lines[0]["origin"] == "10.0.0.9" and gate.refused == 200
    for odd in ([b"1.0", b"1"], [b""], [b"1.0", b"1", b"clients", b"", b"", b"NULL"], [b"\xff"] * 7):
        asking.send_multipart(odd)
        gate.answer()
        assert asking.recv_multipart()[2] == b"400"
    context.destroy(0)


def test_a_server_that_cannot_read_its_keys_denies_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with too many open files. A client that comes back tries again then; one that is denied does not."""
    context: zmq.Context = zmq.Context()

    def unreadable() -> set[bytes]:
        raise StylebridgeError(
            Code.NOT_READABLE, "The keys cannot be read now (Too many open files): try again."
        )

    gate = Gate(context, {CLIENTS: unreadable})
    answering = threading.Thread(target=gate.answer, daemon=True)
    answering.start()
    server, key = context.socket(zmq.ROUTER), KeyPair.make()
    server.curve_server, server.zap_domain = True, CLIENTS.encode()
    server.curve_secretkey = z85.encode(key.secret)
    port = server.bind_to_random_port("tcp://127.0.0.1")
    link = Link(f"tcp://127.0.0.1:{port}", key.public, KeyPair.make(), lambda parts: None, lambda: None)
    with pytest.raises(StylebridgeError, match="can let nobody in for the moment: try again") as caught:
        link.open(20)
    assert caught.value.code == Code.UNREACHABLE and gate.refused == 1
    answering.join()
    context.destroy(0)


def test_a_server_with_another_key_is_not_believed(server: StartedServer) -> None:
    false = launch.Address(server.address.endpoint, KeyPair.make().public.hex())
    with pytest.raises(StylebridgeError, match="another key than the one expected") as caught:
        Client.connect(false.url)
    assert caught.value.code == Code.UNREACHABLE


def test_nobody_there(home: Path) -> None:
    with pytest.raises(StylebridgeError, match="does not answer: start it") as caught:
        Client.connect("tcp://127.0.0.1:9")
    assert caught.value.code == Code.UNREACHABLE
    with pytest.raises(StylebridgeError, match="No server is running"):
        Client.connect(start=False)


def test_a_staying_server_is_found_and_is_the_only_one(home: Path) -> None:
    launch.start_server(stay=True)
    with Client.connect(start=False) as client:
        with pytest.raises(StylebridgeError, match="runs already at tcp:"):
            launch.start_server(stay=True)
        found = launch.find_server()
        assert found and found.pid == client.server["pid"]
        until(lambda: (address := launch.find_server()) and address.fingerprint == "toy-1")
        client.shutdown()
    until(lambda: launch.find_server() is None)
    until(lambda: not (home / "run" / "server.json").exists())


def test_a_server_that_listens_everywhere_is_reached_on_loopback() -> None:
    server = launch.start_server(extra=("--jobs", "toy_jobs", "--bind", "tcp://0.0.0.0:*"))
    assert server.address.endpoint.startswith("tcp://127.0.0.1:")
    with Client.connect(server.address.url) as client:
        assert client.server["fingerprint"] == "toy-1"
    server.stop()


def test_an_unused_server_stops() -> None:
    server = launch.start_server(extra=("--jobs", "toy_jobs", "--idle-exit", "0.5"))
    until(lambda: server._process.poll() == 0)
    server.stop()


class Bare:
    """A client that may send anything."""

    def __init__(self, server: StartedServer) -> None:
        self.answers: list[Message] = []
        self.came = threading.Condition()
        self.link = Link(
            server.address.endpoint, server.address.key, client_key(), self._receive, lambda: None
        )
        self.link.open(5)

    def _receive(self, parts: list) -> None:
        with self.came:
            named = unpack(parts[0])
            message = Message(named["op"], named["id"], named)
            if message.op not in ("ping", "accepted"):
                self.answers.append(message)
            self.came.notify_all()

    def ask(self, parts: list[bytes]) -> Message:
        with self.came:
            self.answers.clear()
            self.link.send(parts)
            assert self.came.wait_for(lambda: self.answers, 20)
            return self.answers[0]


HELLO = {"version": "0.0.9", "protocol": PROTOCOL, "client": "test"}


def test_malformed_messages_are_refused_and_others_served(server: StartedServer) -> None:
    bare = Bare(server)
    assert bare.ask(encode("status", 1, {})).fields["message"].startswith('Say "hello"')
    assert bare.ask(encode("hello", 2, HELLO)).op == "result"
    for parts in (
        [b"\xc1"],
        [b"", b"", b""],
        [msgpack.packb([1, 2])],
        [msgpack.packb({"v": PROTOCOL, "id": 7, "op": "fly"})],
        [msgpack.packb({"v": PROTOCOL, "id": 7, "op": "render", "shot": 3})],
        [msgpack.packb({"v": PROTOCOL, "id": 7, "op": "status"}), b"pixels"],
        [b"\x91" * 100_000],
    ):
        answer = bare.ask(parts)
        assert answer.op == "error" and answer.fields["code"] == Code.BAD_REQUEST, parts[0][:20]

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(min_size=1, max_size=300))
    def fuzz(data: bytes) -> None:
        assert bare.ask([data]).op == "error"

    fuzz()
    huge = {"number": 0, "dtype": "float32", "height": 60_000, "width": 60_000, "channels": 4, "offset": 0}
    answer = bare.ask(encode("put_frame", 9, {"shot": "toy", **huge}, b"x"))
    assert answer.fields["code"] == Code.TOO_LARGE
    assert bare.ask(encode("status", 10, {})).op == "result"
    bare.link.close()


def test_version_skew_names_both_versions(server: StartedServer) -> None:
    bare = Bare(server)
    answer = bare.ask([msgpack.packb({"v": 0, "id": 4, "op": "hello", "version": "0.0.1"})])
    bare.link.close()
    assert answer.fields["code"] == Code.VERSION
    assert "client is 0.0.1 (protocol 0): update the client" in answer.fields["message"]


def test_a_client_of_another_protocol_is_told(server: StartedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylebridge.protocol.PROTOCOL", PROTOCOL + 1)
    monkeypatch.setattr(encode, "__defaults__", (None, PROTOCOL + 1))
    with pytest.raises(StylebridgeError, match="update the server") as caught:
        Client.connect(server.address.url)
    assert caught.value.code == Code.VERSION


def test_a_message_over_the_limit_ends_the_connection_and_not_the_server(server: StartedServer) -> None:
    bare = Bare(server)
    bare.link.send([b"x" * (8 << 20)])
    assert bare.link.lost.wait(10)
    bare.link.close()
    with Client.connect(server.address.url) as client:
        assert client.status()["workers"][0]["state"] == "ready"


def test_the_broker_loads_nothing_heavy(repository: Path) -> None:
    script = (
        "import stylebridge_server.broker, stylebridge_server.worker.process, sys\n"
        "print([name for name in ('torch', 'numpy', 'cv2') if name in sys.modules])"
    )
    env = {"PYTHONPATH": f"{repository / 'bridge'}:{repository / 'server'}"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sockets_are_encrypted(server: StartedServer) -> None:
    """A peer without CURVE gets no answer at all."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(server.address.endpoint)
    socket.send(encode("hello", 1, HELLO)[0])
    assert not socket.poll(300)
    context.destroy()
