"""A network that the user imports styles clips through a server that was running already."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from end_to_end_tools import FRAMES, Command

from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import johnson

LOOK = {"schema": "look.1", "background": {"style": "candy"}, "shot": {"window": 3}}


def write_checkpoint(path: Path, seed: int) -> Path:
    """Random weights whose answers are about as bright and varied as a picture."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in johnson.shapes().items():
        scale = 1 / max(1, torch.Size(shape[1:]).numel()) ** 0.5
        state[name] = torch.randn(shape, generator=generator) * scale
    state["deconv3.conv2d.weight"] *= 60
    state["deconv3.conv2d.bias"] += 128
    torch.save(state, path)
    return path


def rendered(client: Client, movie: Path, look: dict[str, object], numbers: list[int]) -> dict[int, str]:
    shot = client.open_shot(movie)
    analysis = client.analyse(shot, [], "none")
    frames = client.render(shot, look, numbers, analysis=analysis)
    return {one.number: hashlib.sha256(bytes(one.data)).hexdigest() for one in frames}


def test_import_and_render(stylebridge: Command, movie: Path, server: str) -> None:
    first = write_checkpoint(stylebridge.folder / "candy.pth", 1)
    done = stylebridge("models", "import", first, "--licence", "MIT")
    assert done.status == 0 and "--style candy" in done.out, done.err
    done = stylebridge("render", movie, "styled.####.png", "--style", "candy", "--frames", "0-1")
    assert done.status == 0, done.err
    numbers = list(range(FRAMES))
    with Client.connect(server) as client:
        told = client.describe()
        assert "candy" in [one["name"] for one in told["styles"]]
        straight = rendered(client, movie, LOOK, numbers)
        assert len(set(straight.values())) == FRAMES
        # A look records the version; another network under the same name does not change it.
        kept = {**LOOK, "models": {"candy": told["models"]["candy"]}}
        again = write_checkpoint(stylebridge.folder / "other.pth", 2)
        assert stylebridge("models", "import", again, "--name", "candy").status == 0
        assert rendered(client, movie, kept, numbers[::-1]) == straight
        assert rendered(client, movie, LOOK, [5])[5] != straight[5]
        with pytest.raises(StylebridgeError, match="not installed in version") as caught:
            rendered(client, movie, {**LOOK, "models": {"candy": "0" * 16}}, [0])
        assert caught.value.code == Code.NOT_FOUND


def test_a_bad_checkpoint_is_one_sentence(stylebridge: Command) -> None:
    (stylebridge.folder / "bad.pth").write_bytes(b"not found")
    done = stylebridge("models", "import", "bad.pth")
    assert done.status == 2 and done.err.count("\n") == 1 and "bad.pth" in done.err
