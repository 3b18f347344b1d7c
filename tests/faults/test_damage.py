"""Files of earlier runs that are damaged: they cost time, never a picture."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_tools import FRAMES, Rendering, Server, pushed, render, worker_of

from stylebridge.client import Client

from .conftest import Undisturbed


def cut_short(path: Path, dice: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path, dice: random.Random) -> None:
    path.write_bytes(b"")


def one_bit(path: Path, dice: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def noise(path: Path, dice: random.Random) -> None:
    path.write_bytes(dice.randbytes(path.stat().st_size))


def gone(path: Path, dice: random.Random) -> None:
    path.unlink()


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    one.__name__: one for one in (cut_short, emptied, one_bit, noise, gone)
}


def of_analyses(home: Path) -> list[Path]:
    return sorted(path for path in (home / "analyses").rglob("*") if path.is_file())


def test_damaged_analyses(served: Server, plate: Path, undisturbed: Undisturbed) -> None:
    """The server runs, and has read them before."""
    dice = random.Random(1)
    for damage in (one_bit, noise):
        assert len(of_analyses(served.home)) >= 3
        for path in of_analyses(served.home):
            damage(path, dice)
        with Client.connect(served.url) as client:
            assert render(client, plate) == undisturbed.frames


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_analyses_one_by_one(
    served: Server, plate: Path, undisturbed: Undisturbed, damage: str
) -> None:
    for path in of_analyses(served.home):
        DAMAGES[damage](path, random.Random(2))
        with Client.connect(served.url) as client:
            assert render(client, plate) == undisturbed.frames, path.name


def test_a_damaged_disk_cache(home: Path, plate: Path, undisturbed: Undisturbed) -> None:
    """The worker that wrote it is gone, and the next one finds it damaged in every way there is."""
    dice, cache = random.Random(3), home / "cache"
    with Server(home, STYLEBRIDGE_CACHE=str(cache)) as server, Client.connect(server.url) as client:
        assert render(client, plate) == undisturbed.frames
        tiles = sorted(path for path in cache.rglob("*") if path.is_file())
        assert len(tiles) > 60
        for number, path in enumerate(tiles):
            if number % 6 < 5:  # the rest stays whole, and is used
                list(DAMAGES.values())[number % 6](path, dice)
        os.kill(worker_of(client), signal.SIGKILL)
        assert render(client, plate) == undisturbed.frames
        found = client.status()["workers"][0]["counters"]["caches"]["disk"]
        assert found["damaged"] > 40 and found["hits"] > 10


@pytest.mark.long
def test_a_damaged_store(home: Path, plate: Path, undisturbed: Undisturbed) -> None:
    """The worker that took the client's frames is killed, and the next one finds them damaged: it asks for them."""
    dice = random.Random(4)
    with Server(home) as server, Client.connect(server.url) as client:
        rendering = Rendering(client, pushed(client, plate)).take(1)
        os.kill(worker_of(client), signal.SIGKILL)
        blobs = sorted((home / "store" / "blobs").rglob("?" * 64))
        assert len(blobs) == FRAMES
        for number, path in enumerate(blobs):
            if number % 6 < 5:
                list(DAMAGES.values())[number % 6](path, dice)
        assert rendering.take().hashes == undisturbed.frames
