"""Pixel aspect in Matroska and WebM: the header is laid out anew and everything else stays where it was."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from media.samples import make_movie

from stylebridge_server.media import open_source
from stylebridge_server.media.matroska import set_pixel_aspect


def packets(path: Path) -> list[tuple[int | None, int | None, bytes]]:
    with av.open(str(path)) as container:
        return [(one.pts, one.pos, bytes(one)) for one in container.demux() if one.size]


@pytest.mark.parametrize("ending", ["mkv", "webm"])
@pytest.mark.parametrize("aspect", [Fraction(16, 15), Fraction(3, 4), Fraction(64, 45), Fraction(1001, 1000)])
def test_the_aspect_is_there_and_nothing_moves(tmp_path: Path, ending: str, aspect: Fraction) -> None:
    path = make_movie(
        tmp_path / f"a.{ending}",
        count=9,
        size=(720, 48),
        codec="libvpx-vp9",
        options={"cpu-used": "8"},
        sound=("libopus",),
        metadata={"title": "A plate", "comment": "long " * 99},
    )
    before, data = packets(path), path.read_bytes()
    assert set_pixel_aspect(path, aspect)
    assert packets(path) == before and path.stat().st_size == len(data)
    with av.open(str(path)) as container:
        shown = container.streams.video[0].sample_aspect_ratio
        assert shown is not None and abs(shown - aspect) < Fraction(1, 720)
        assert aspect in (shown, Fraction(1001, 1000))
        assert container.metadata["title"] == "A plate"
        container.seek(200_000)
        assert next(container.decode(video=0)).width == 720
    assert set_pixel_aspect(path, Fraction(2))
    with open_source(path) as source:
        assert source.info.pixel_aspect == 2 and source.read(8).pixels.shape == (48, 720, 3)


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "no room"])
def test_what_has_no_room_is_left_as_it_is(tmp_path: Path, damage: str) -> None:
    path = make_movie(tmp_path / "a.mkv", count=2)
    data = path.read_bytes()
    at = data.index(b"\x11\x4d\x9b\x74")
    changed = {
        "empty": b"",
        "cut": data[:60],
        "noise": data[:at] + bytes(range(256)) * 9,
        "no room": data[:at] + data[at:].replace(b"\xec\x01\x00", b"\x42\x42\x01", 1),
    }[damage]
    path.write_bytes(changed)
    assert not set_pixel_aspect(path, Fraction(4, 3))
    assert path.read_bytes() == changed
