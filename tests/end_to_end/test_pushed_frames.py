"""Frames that a host pushes, and a camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge.pixels import Picture
from stylebridge_server import media
from stylebridge_server.cli import live

LOOK = Look.simple("great-wave").to_data()


def declared(source: media.Source) -> dict[str, object]:
    info = source.info
    size = {"width": info.width, "height": info.height, "channels": info.channels, "dtype": info.dtype}
    return {"first": info.first, "last": info.last, **size}


def test_pushed_frames_give_the_pixels_that_the_file_gives(server: str, movie: Path) -> None:
    with Client.connect(server) as client, media.open_source(movie) as source:
        shot = client.open_shot(movie)
        expected = list(client.render(shot, LOOK, [7], analysis=client.analyse(shot, segmenter="none")))
        pushed = client.open_shot(pushed=declared(source))
        for frame in source.frames():
            client.put_frame(pushed, Picture.of(frame.number, frame.pixels))
        result = list(client.render(pushed, LOOK, [7], analysis=client.analyse(pushed, segmenter="none")))
        np.testing.assert_array_equal(np.asarray(result[0]), np.asarray(expected[0]))
        client.close_shot(pushed)


def test_a_frame_that_was_not_pushed_is_needed(server: str, movie: Path) -> None:
    with Client.connect(server) as client, media.open_source(movie) as source:
        pushed = client.open_shot(pushed=declared(source))
        with pytest.raises(StylebridgeError) as lacking:
            client.analyse(pushed, segmenter="none")
        assert lacking.value.code == Code.NEED
        assert lacking.value.details["frames"] == list(range(12))
        client.close_shot(pushed)


def test_a_camera_is_styled_as_it_comes(server: str, movie: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A movie that plays at its own rate stands in for the camera."""
    live.run(str(movie), Look.simple("great-wave"), server)
    said = capsys.readouterr().out
    assert "http://127.0.0.1:" in said
    assert "12 frames shown" in said


def test_a_camera_has_no_instances(server: str) -> None:
    look = Look.from_data({"schema": "look.1", "instance": [{"select": "dog", "style": "great-wave"}]})
    with pytest.raises(StylebridgeError, match=r"camera.*\[\[instance\]\]"):
        live.run("camera:0", look, server)
