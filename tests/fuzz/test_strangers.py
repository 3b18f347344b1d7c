"""Clients without a key, with a wrong one, with recorded bytes of another, and with paths that lead elsewhere."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import cv2
import pytest
import zmq
from end_to_end_tools import picture, write_movie
from fault_tools import Proxy, Server, until
from fuzz_tools import HELLO, LOOK, Stranger
from zmq.utils import z85

from stylebridge.client import Client
from stylebridge.errors import Code
from stylebridge.keys import KeyPair
from stylebridge.protocol import encode


def test_no_key_and_a_wrong_key(server: Server) -> None:
    """Neither learns anything, not even whether the server has anything to say."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        for key in (None, KeyPair.make()):
            peer = context.socket(zmq.DEALER)
            peer.linger = 0
            if key:
                peer.curve_serverkey = z85.encode(server.address.key)
                peer.curve_publickey, peer.curve_secretkey = z85.encode(key.public), z85.encode(key.secret)
            peer.connect(server.address.endpoint)
            peer.send(encode("hello", 1, HELLO)[0])
            assert not peer.poll(300)
    finally:
        context.destroy(0)
    with Client.connect(server.url) as client:
        assert client.status()["clients"] == 1


def test_recorded_bytes_are_refused(server: Server, root: Path) -> None:
    """The same bytes again, as somebody could send who listens on the network: keys of a connection are used once."""
    with Proxy(server.address) as network, Client.connect(network.url) as client:
        client.open_shot(root / "plate.mp4")
        recorded = bytes(network.sent[0])
    assert len(recorded) > 500
    host, port = server.address.endpoint.removeprefix("tcp://").rsplit(":", 1)
    with Client.connect(server.url) as client:
        until(lambda: client.status()["clients"] == 1, "the recorded client is forgotten")
        opened = server.log.read_text().count(" opened ")
        for end in (len(recorded), len(recorded) // 2, 264):
            with socket.create_connection((host, int(port))) as replay:
                replay.settimeout(5)
                replay.sendall(recorded[:end])
                answer = replay.recv(100_000)
                while more := _more(replay):
                    answer += more
        assert client.status()["clients"] == 1
        assert server.log.read_text().count(" opened ") == opened


def _more(peer: socket.socket) -> bytes:
    peer.settimeout(0.3)
    try:
        return peer.recv(100_000)
    except (TimeoutError, ConnectionError):
        return b""


@pytest.fixture
def secret(tmp_path: Path, root: Path) -> Path:
    """A folder beside the root, with what strangers must not see, and links to it in the root."""
    folder = tmp_path / "secret"
    folder.mkdir()
    write_movie(folder / "plate.mp4", 3, 32, 32, sound=False)
    for number in range(3):
        cv2.imwrite(str(folder / f"f.{number:04}.png"), picture(number, 32, 32))
    return folder


def test_paths_that_lead_out_of_the_roots(
    server: Server, stranger: KeyPair, root: Path, secret: Path
) -> None:
    """Named by somebody who cannot read them: what a client can read itself, it may send."""
    links = root / "links"
    links.mkdir()
    (links / "movie.mp4").symlink_to(secret / "plate.mp4")
    (links / "twice.mp4").symlink_to(links / "movie.mp4")
    (links / "folder").symlink_to(secret)
    for number in range(3):
        (links / f"f.{number:04}.png").symlink_to(secret / f"f.{number:04}.png")
    movies = [
        secret / "plate.mp4",
        f"{root}/{os.path.relpath(secret, root)}/plate.mp4",
        f"{root}/./links/../links/folder/plate.mp4",
        links / "movie.mp4",
        links / "twice.mp4",
        links / "folder" / "plate.mp4",
        secret / "f.####.png",
        links / "folder" / "f.####.png",
        links / "f.####.png",
        links / "f.%04d.png",
        links / "f.0000.png",
        f"/proc/self/root{secret}/plate.mp4",
        f"file:{secret}/plate.mp4",
        f"{root}/plate.mp4\0",
        root,
        "camera:0",
        "/dev/zero",
    ]
    pictures = [secret / "f.0000.png", links / "f.0000.png", links / "folder" / "f.0000.png"]
    enemy = Stranger(server, stranger)
    try:
        answers = {f"shot {path}": enemy.ask("open_shot", {"path": str(path)}) for path in movies}
        shot = enemy.ask("open_shot", {"path": str(root / "plate.mp4")})["value"]["shot"]
        found = {"shot": shot, "prompts": [], "segmenter": "none"}
        analysis = enemy.ask("analyse", found)["value"]["analysis"]
        for path in pictures:
            look = {**LOOK, "background": {"style": str(path)}}
            render = {"shot": shot, "look": look, "frames": [0], "analysis": analysis}
            answers[f"style {path}"] = enemy.ask("render", render)
            prompt = {"name": "x", "frame": 0, "matte": str(path)}
            answers[f"matte {path}"] = enemy.ask("analyse", {**found, "prompts": [prompt]})
        for name in ("../../secret", str(secret), ".", "", "\0"):
            render = {"shot": shot, "look": LOOK, "frames": [0], "analysis": name}
            answers[f"analysis {name!r}"] = enemy.ask("render", render)
    finally:
        enemy.close()
        shutil.rmtree(links)
    refusals = (Code.DENIED, Code.BAD_VALUE, Code.NOT_FOUND, Code.NOT_READABLE, Code.BAD_REQUEST, Code.NEED)
    assert {what: said for what, said in answers.items() if said.get("code") not in refusals} == {}
    assert sum(said["code"] == Code.DENIED for said in answers.values()) >= 17
    # Nor may the sentence tell what is there.
    gone = enemy_sentence(server, stranger, secret / "no such.mp4")
    assert enemy_sentence(server, stranger, secret / "plate.mp4") == gone.replace("no such", "plate")


def enemy_sentence(server: Server, stranger: KeyPair, path: Path) -> str:
    """What somebody is told who names a path."""
    enemy = Stranger(server, stranger)
    try:
        return str(enemy.ask("open_shot", {"path": str(path)})["message"])
    finally:
        enemy.close()
