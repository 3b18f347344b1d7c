"""Files of earlier runs that are damaged: they cost time, never a picture."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from fault_tools import Server, render

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


def test_damaged_analyses(home: Path, plate: Path, undisturbed: Undisturbed) -> None:
    dice = random.Random(1)
    damages: list[Callable[[Path, random.Random], None]] = [cut_short, emptied, one_bit, noise, gone]
    with Server(home) as server:
        with Client.connect(server.url) as client:
            assert render(client, plate) == undisturbed.frames
        for damage in damages:
            files = sorted(path for path in (home / "analyses").rglob("*") if path.is_file())
            assert len(files) >= 3
            for path in files:
                damage(path, dice)
                with Client.connect(server.url) as client:
                    assert render(client, plate) == undisturbed.frames, f"{damage.__name__} {path.name}"
