"""Layers and proxies over the whole way: server, worker, client."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError

PROMPT = {"name": "ball", "frame": 0, "box": [0.15, 0.2, 0.45, 0.8]}
LOOK = {
    "schema": "look.1",
    "background": {"style": "great-wave", "strength": 0.5},
    "instance": [{"select": "ball", "style": "wheat-field", "strength": [[0, 0.0], [11, 1.0]]}],
}


def test_the_client_mixes_layers_to_the_flattened_frame(server: str, movie: Path) -> None:
    with Client.connect(server) as client:
        shot = client.open_shot(movie)
        analysis = client.analyse(shot, [PROMPT])
        flat = [np.asarray(one) for one in client.render(shot, LOOK, [4, 2], analysis=analysis)]
        off = {**LOOK, "background": {"style": "great-wave", "strength": 0, "visibility": False}}
        ask = {"analysis": analysis, "output": "layers", "samples": "float16"}
        layers = list(client.render(shot, LOOK, [4, 2], **ask))
        again = list(client.render(shot, off, [4, 2], **ask))
        assert [(one.number, one.extra["layer"]) for one in layers] == [(4, 0), (4, 1), (2, 0), (2, 1)]
        assert all(bytes(one.data) == bytes(other.data) for one, other in zip(layers, again, strict=True))
        idle = {"schema": "look.1"}
        plates = [np.asarray(one) / 255 for one in client.render(shot, idle, [4, 2], analysis=analysis)]
        for place, number in enumerate((4, 2)):
            mixed = plates[place]
            for one, strength in zip(layers[2 * place :], (0.5, number / 11), strict=False):
                pixels = np.asarray(one).astype(np.float64)
                mixed = mixed + strength * (pixels[..., :3] - pixels[..., 3:] * plates[place])
            assert np.abs(mixed - flat[place] / 255).max() < 2**-9 + 0.5 / 255


def test_mattes_come_alone(server: str, movie: Path) -> None:
    with Client.connect(server) as client:
        shot = client.open_shot(movie)
        analysis = client.analyse(shot, [PROMPT])
        ask = {"analysis": analysis, "output": "mattes", "samples": "uint8"}
        background, ball = client.render(shot, {"schema": "look.1"}, [4], **ask)
        [found] = client.mattes(shot, analysis, 1, [4])
        assert (background.channels, background.extra, ball.extra) == (1, {"layer": 0}, {"layer": 1})
        assert bytes(ball.data) == bytes(found.data)
        assert np.array_equal(255 - np.asarray(ball), np.asarray(background))


def test_a_proxy_has_the_size_divided(server: str, movie: Path) -> None:
    with Client.connect(server) as client:
        shot = client.open_shot(movie)
        analysis = client.analyse(shot, [PROMPT])
        [small] = client.render(shot, LOOK, [3], analysis=analysis, scale=3)
        assert (small.width, small.height) == (54, 32)
        layers = list(client.render(shot, LOOK, [3], analysis=analysis, scale=4, output="layers"))
        assert {(one.width, one.height, one.channels, one.dtype) for one in layers} == {(40, 24, 4, "uint8")}
        [whole] = client.render(shot, LOOK, [3], analysis=analysis)
        assert (whole.width, whole.height) == (160, 96)


def test_what_cannot_be_asked_is_refused(server: str, movie: Path) -> None:
    with Client.connect(server) as client:
        shot = client.open_shot(movie)
        analysis = client.analyse(shot, segmenter="none")
        for fields, code, words in (
            ({"output": "deep"}, Code.BAD_REQUEST, "none of flat, layers, mattes"),
            ({"scale": 0}, Code.BAD_REQUEST, "out of range"),
            ({"output": "layers", "samples": "float64"}, Code.BAD_REQUEST, "none of uint8"),
            ({"samples": "float32"}, Code.BAD_REQUEST, "only layers"),
            ({"output": "layers"}, Code.BAD_LOOK, "styles nothing"),
        ):
            with pytest.raises(StylebridgeError, match=words) as refused:
                list(client.render(shot, {"schema": "look.1"}, [0], analysis=analysis, **fields))
            assert refused.value.code == code
