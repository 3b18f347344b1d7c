"""Pixels through shared memory, and what happens where it cannot be had, or goes away."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylebridge import arena as arenas
from stylebridge import launch, memory, passage
from stylebridge.client import Client, Shot, Source
from stylebridge.keys import client_key
from stylebridge.launch import StartedServer
from stylebridge.pixels import SAMPLE_BYTES, Layout, Picture

from .conftest import alive, until

pytestmark = pytest.mark.skipif(not memory.POSSIBLE, reason="this system shares no memory by files")

SHOT = Shot("mine", {"first": 0, "last": 99}, Source({}))


def left_behind(*pids: int) -> list[str]:
    """Files that these processes, or this one, made to be shared; others may have theirs meanwhile."""
    found = memory.files_folder().glob(f"{memory.PREFIX}*{memory.SUFFIX}")
    return [path.name for path in found if int(path.name.split("-")[1]) in (os.getpid(), *pids)]


def random_picture(number: int, dtype: str = "uint8", size: tuple[int, int] = (700, 1000)) -> Picture:
    """A picture of some parts, the last of them small."""
    layout = Layout(dtype, *size, 4)
    return Picture(number, layout, os.urandom(layout.nbytes))


def there_and_back(client: Client, pictures: list[Picture]) -> None:
    """Frames that are pushed come back as they were."""
    for picture in pictures:
        client.put_frame(SHOT, picture)
    frames = list(client.render(SHOT, {}, [picture.number for picture in pictures]))
    assert len(frames) == len(pictures)
    for picture, got in zip(pictures, frames, strict=True):
        assert got.layout == picture.layout and bytes(got.data) == bytes(picture.data)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[StartedServer]:
    """One server for the tests that do it no harm."""
    server = launch.start_server()
    yield server
    server.stop()


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where each part of a frame lay that clients of this process got."""
    seen: list[str] = []
    receive = passage.Passage.receive

    def spy(self: passage.Passage, message: Any) -> Any:
        message = receive(self, message)
        if message.op == "frame":
            seen.append("memory" if "loan" in message.fields else "message")
        return message

    monkeypatch.setattr(passage.Passage, "receive", spy)
    return seen


@pytest.mark.parametrize("dtype", SAMPLE_BYTES)
@pytest.mark.parametrize("share", [True, False])
def test_frames_are_the_same_either_way(
    server: StartedServer, places: list[str], dtype: str, share: bool
) -> None:
    with Client.connect(server.address.url, share=share) as client:
        assert client.server["pixels"] == "messages"
        there_and_back(client, [random_picture(number, dtype) for number in range(2)])
        assert client.server["pixels"] == ("shared memory" if share else "messages")
        assert set(places) == {"memory" if share else "message"}
        assert client.status()["workers"][0]["sharing"]["clients"] == int(share)
        if not share:
            until(lambda: client.status()["workers"][0]["sharing"]["lending"])
            there_and_back(client, [random_picture(number, dtype) for number in range(2)])
    assert not left_behind()


@pytest.mark.parametrize("share", [True, False])
def test_a_picture_of_many_parts(server: StartedServer, share: bool) -> None:
    """More than what is taken at once for a picture that is coming."""
    with Client.connect(server.address.url, share=share) as client:
        there_and_back(client, [random_picture(1, "float32", (1500, 1500))])


def test_memory_in_a_file(server: StartedServer, places: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As where memory cannot be sealed."""
    monkeypatch.setattr(memory, "SEALABLE", False)
    with Client.connect(server.address.url) as client:
        there_and_back(client, [random_picture(number, "float16") for number in range(3)])
        assert set(places) == {"memory"}
        assert not left_behind()


def test_strided_pictures_there_and_back(server: StartedServer) -> None:
    """A host's memory, bottom-up with padded rows."""
    layout = Layout("float16", 300, 400, 4)
    host = bytearray(os.urandom((layout.row_bytes + 64) * 300))
    picture = Picture.from_rows(7, layout, host, -(layout.row_bytes + 64))
    with Client.connect(server.address.url) as client:
        client.put_frame(SHOT, picture)
        got = next(iter(client.render(SHOT, {}, [7])))
    target = bytearray(host)
    got.into_rows(target, -(layout.row_bytes + 64))
    assert target == host


def test_more_than_there_are_regions(server: StartedServer, places: list[str]) -> None:
    """Streams that nobody reads hold regions; others go on in messages, and the regions come back."""
    look = {"size": [1000, 1000]}
    with Client.connect(server.address.url) as client:
        held = [client.render(SHOT, look, range(50, 90), window=64 << 20) for _ in range(3)]
        for stream in held:
            next(stream)
        there_and_back(client, [random_picture(1)])
        until(lambda: "message" in places)
        for stream in held:
            stream.close()
        there_and_back(client, [random_picture(2)])
        places.clear()
        there_and_back(client, [random_picture(number) for number in range(3, 9)])
        assert set(places) == {"memory"}


def test_regions_of_cancelled_requests_come_back(server: StartedServer, places: list[str]) -> None:
    with Client.connect(server.address.url) as client:
        for _ in range(10):
            stream = client.render(SHOT, {"size": [1000, 1000]}, range(50, 90))
            next(stream)
            stream.close()
        client.describe()  # what was sent for them is behind us
        until(lambda: client.status()["running"] == 0)
        places.clear()
        there_and_back(client, [random_picture(number, "float32") for number in range(4)])
        assert set(places) == {"memory"}


def test_without_room_pixels_go_in_messages(
    server: StartedServer, places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*unused: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with Client.connect(server.address.url) as client:
        there_and_back(client, [random_picture(1)])
        assert client.server["pixels"] == "messages" and set(places) == {"message"}
    assert not left_behind()


def test_a_server_that_sees_other_memory_gets_messages(
    server: StartedServer, places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with a file of the same name, or at the far end of a tunnel."""
    monkeypatch.setattr(arenas.Arena, "seen", lambda self, nonce: False)
    with Client.connect(server.address.url) as client:
        there_and_back(client, [random_picture(1)])
        assert client.server["pixels"] == "messages" and set(places) == {"message"}
    assert not left_behind()


def test_another_user_shares_no_memory(
    server: StartedServer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: list[str]
) -> None:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path / "other"))
    public = client_key().public
    (home / "allowed").mkdir(exist_ok=True)
    (home / "allowed" / "guest.public").write_text(public.hex())
    with Client.connect(server.address.url) as guest:
        there_and_back(guest, [random_picture(1)])
        assert guest.server["pixels"] == "messages" and set(places) == {"message"}


@pytest.mark.parametrize("share", [True, False])
def test_a_killed_worker_loses_no_frame(places: list[str], tmp_path: Path, share: bool) -> None:
    """It dies in the middle of a stream; its successor is offered other memory, and goes on with it."""
    look = {"size": [1000, 1000], "die_at": 5, "die_once": str(tmp_path / "died")}
    with Client.connect(timeout=30, share=share) as client:
        frames = list(client.render(Shot("toy", {"first": 0, "last": 9}, Source({})), look, range(10)))
        assert [bytes(frame.data) == bytes([frame.number]) * 3_000_000 for frame in frames] == [True] * 10
        assert client.status()["workers"][0]["restarts"] == 1
        places.clear()
        there_and_back(client, [random_picture(number) for number in range(3)])
        assert set(places) == {"memory" if share else "message"}
    assert not left_behind()


@pytest.mark.parametrize("victim", ["client", "broker", "worker"])
def test_nothing_is_left_of_the_killed(repository: Path, victim: str) -> None:
    script = (
        "import time; from stylebridge.client import Client, Shot, Source\n"
        "from stylebridge.pixels import Layout, Picture\n"
        "client = Client.connect(); shot = Shot('mine', {}, Source({}))\n"
        "other = Client.connect(client._connection._finder._started.address.url, share=False)\n"
        "layout = Layout('uint8', 1000, 1000, 3)\n"
        "for one in (client, other):\n"
        "    one.put_frame(shot, Picture(1, layout, bytes(3_000_000))); list(one.render(shot, {}, [1]))\n"
        "assert client.server['pixels'] == 'shared memory'\n"
        "print(client.server['pid'], client.status()['workers'][0]['pid'], flush=True); time.sleep(60)"
    )
    path = os.pathsep.join([str(repository / "bridge"), str(repository / "server"), os.environ["PYTHONPATH"]])
    script = (
        "import functools; from stylebridge import launch\n"
        "launch.start_server = functools.partial(launch.start_server, extra=('--jobs', 'toy_jobs'))\n"
        + script
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    )
    assert process.stdout is not None
    broker, worker = (int(word) for word in process.stdout.readline().split())
    everyone = (process.pid, broker, worker)
    assert not left_behind(*everyone)  # the names went when both sides had the memory open
    os.kill({"client": process.pid, "broker": broker, "worker": worker}[victim], signal.SIGKILL)
    if victim != "client":
        process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: not alive(broker) and not alive(worker))  # what they had open went with them
    assert not left_behind(*everyone)
