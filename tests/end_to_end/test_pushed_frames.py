"""Frames that a host makes, and a camera."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stylebridge.client import Client, Progress
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge_server import media
from stylebridge_server.cli import live

LOOK = Look.simple("great-wave").to_data()


def declared(source: media.Source) -> dict[str, object]:
    info = source.info
    size = {"width": info.width, "height": info.height, "channels": info.channels, "dtype": info.dtype}
    return {"first": info.first, "last": info.last, **size}


def pixels(source: media.Source) -> Callable[[int], np.ndarray]:
    return lambda number: source.read(number).pixels


def test_pushed_frames_give_the_pixels_that_the_file_gives(server: str, movie: Path) -> None:
    seen: list[Progress] = []
    with Client.connect(server) as client, media.open_source(movie) as source:
        shot = client.open_shot(movie)
        expected = list(client.render(shot, LOOK, [7], analysis=client.analyse(shot, segmenter="none")))
        pushed = client.open_shot(pushed=declared(source), frames=pixels(source), progress=seen.append)
        result = list(client.render(pushed, LOOK, [7], analysis=client.analyse(pushed, segmenter="none")))
        np.testing.assert_array_equal(np.asarray(result[0]), np.asarray(expected[0]))
        assert client.open_shot(pushed=declared(source), frames=pixels(source)).id == pushed.id
        assert {name: pushed.info[name] for name in ("kind", "colour", "alpha")} == {
            "kind": "frames",
            "colour": "srgb",
            "alpha": "none",
        }
        client.close_shot(pushed)
    assert [(one.done, one.total, one.stage) for one in seen] == [
        (n + 1, 12, "sending frames") for n in range(12)
    ]


def test_a_window_that_lacks_handles_is_said_to_be_short(server: str, movie: Path) -> None:
    with Client.connect(server) as client, media.open_source(movie) as source:
        part = {**declared(source), "first": 2, "last": 11}

        def short(**said: object) -> list[int]:
            shot = client.open_shot(pushed={**part, **said}, frames=pixels(source))
            analysis = client.analyse(shot, segmenter="none")
            pictures = client.render(shot, LOOK, [2, 8, 9, 11], analysis=analysis)
            return [one.number for one in pictures if one.extra.get("window_short")]

        assert short() == []  # the whole source, as far as anybody knows
        assert short(whole=[2, 11]) == []
        assert short(whole=[0, 11]) == [2, 8]  # 7 frames back from 8 is 1
        assert short(whole=[2, 12]) == [8, 9, 11]  # 4 frames ahead of 8 is 12
        with pytest.raises(StylebridgeError, match="no part of a source"):
            short(whole=[3, 11])


def test_a_preview_says_that_it_is_one(server: str, movie: Path) -> None:
    with Client.connect(server) as client:
        shot = client.open_shot(movie)
        analysis = client.analyse(shot, segmenter="none")
        (preview,) = client.preview(shot, LOOK, [5], analysis=analysis)
        alone = {**LOOK, "shot": {"window": 1}}
        (rendered,) = client.render(shot, alone, [5], analysis=analysis, scale=2)
        np.testing.assert_array_equal(np.asarray(preview), np.asarray(rendered))
        assert preview.extra["preview"] is True and "preview" not in rendered.extra


def test_a_frame_that_the_host_cannot_make_is_named(server: str, movie: Path) -> None:
    with Client.connect(server) as client, media.open_source(movie) as source:
        with pytest.raises(
            StylebridgeError, match="Frame 3 of the pushed shot 0 to 11 is not there"
        ) as lacking:
            client.open_shot(pushed=declared(source), frames={n: source.read(n).pixels for n in range(3)})
        assert lacking.value.code == Code.NOT_FOUND


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"alpha": "premultiplied"}, 'cannot have the alpha "premultiplied"'),
        ({"alpha": "straight"}, "3 channels cannot have"),
        ({"alpha": "premultiplyed"}, "did you mean 'premultiplied'"),
        ({"colour": "ACEScgg"}, "did you mean 'ACEScg'"),
        ({"width": 161}, "put frames of one size and type"),
        ({"rate": [24, 0]}, "numerator and denominator"),
        ({"last": 2**40}, "at most 100000"),
        ({"last": -1}, "no such range"),
    ],
)
def test_what_is_declared_wrongly_is_refused(
    server: str, movie: Path, changed: dict[str, object], words: str
) -> None:
    with Client.connect(server) as client, media.open_source(movie) as source:
        with pytest.raises(StylebridgeError, match=words) as refused:
            client.open_shot(pushed={**declared(source), **changed}, frames=pixels(source))
        assert refused.value.code == Code.BAD_VALUE


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
