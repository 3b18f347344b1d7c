"""What frames are followed by, cuts that are given, repeats, and interlaced movies, as a person meets them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from end_to_end_tools import Command, picture, write_movie

from stylebridge import stamp
from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge.launch import StartedServer
from stylebridge.look import Look
from stylebridge_server import media
from stylebridge_server.media.exr_write import NewPart, write_exr

FRAMES, SIZE = range(1001, 1005), (96, 160)
NAMES = ("forward.u", "forward.v", "backward.u", "backward.v")


@pytest.fixture
def plate(tmp_path: Path) -> str:
    """Pictures of a disc that moves 4.8 pixels a frame, and vectors that know it."""
    for number in FRAMES:
        media.save_image(tmp_path / f"plate.{number}.png", picture(number - 1001))
        vectors(tmp_path / f"vectors.{number}.exr", number)
    return str(tmp_path / "plate.####.png")


def vectors(path: Path, number: int, speed: float = 4.8, size: tuple[int, int] = SIZE) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]]
    disc = np.hypot(columns - 160 * (0.3 + 0.03 * (number - 1001)), rows - 48) < 20
    moving = (speed * disc).astype(np.float32)
    zero = np.zeros(size, np.float32)
    write_exr(path, [NewPart(dict(zip(NAMES, (moving, zero, -moving, zero), strict=True)))])


def frames(client: Client, plate: str, **parameters: object) -> list[bytes]:
    shot = client.open_shot(plate)
    look = Look.simple("great-wave", **parameters).to_data()
    analysis = client.analyse(shot, segmenter="none")
    return [bytes(one.data) for one in client.render(shot, look, FRAMES, analysis=analysis)]


def test_vectors_of_the_host_are_followed_whoever_reads_them(
    server: str,
    foreign: StartedServer,
    plate: str,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = str(tmp_path / "vectors.####.exr")
    with Client.connect(foreign.address.url) as client:
        sent = frames(client, plate, vectors=named)
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(home / "settings"))
    with Client.connect(server) as client:
        found = frames(client, plate, flow="dis")
        assert found == frames(client, plate)  # "auto" on a processor
        given = frames(client, plate, vectors=named)
        assert given == sent == frames(client, plate, flow="host", vectors=named)
        assert all(a != b for a, b in zip(given, found, strict=True))
        # A changed file is noticed, by renders and by stamps.
        shot, look = client.open_shot(plate), Look.simple("great-wave", vectors=named)
        before = stamp.of(client, shot, None, look).stamp(1001)
        vectors(tmp_path / "vectors.1002.exr", 1002, speed=-9)
        assert stamp.of(client, shot, None, look).stamp(1001) != before
        assert frames(client, plate, vectors=named)[1] != given[1]


def test_what_is_wrong_with_vectors_is_said(
    server: str, plate: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(home / "settings"))
    named = str(tmp_path / "vectors.####.exr")
    with Client.connect(server) as client:

        def refused(**parameters: object) -> StylebridgeError:
            with pytest.raises(StylebridgeError) as caught:
                frames(client, plate, **parameters)
            return caught.value

        assert "name their files with --vectors" in refused(flow="host").message
        missing = refused(flow="raft-large")
        assert missing.code == Code.NOT_FOUND and "stylebridge models pull raft-large" in missing.message
        one = refused(vectors=str(tmp_path / "vectors.1001.exr"))
        assert "vectors.####.exr" in one.message
        vectors(tmp_path / "vectors.1003.exr", 1003, size=(48, 80))
        assert "80x48" in refused(vectors=named).message
        (tmp_path / "vectors.1003.exr").unlink()
        gone = refused(vectors=named)
        assert (
            gone.code == Code.NOT_FOUND
            and "lack frame 1003 of the shot's frames 1001 to 1004" in gone.message
        )
        # Nothing is followed, so nothing is asked for.
        assert len(frames(client, plate, vectors=named, window=1)) == len(FRAMES)


def test_cuts_that_are_given_are_the_shots(
    stylebridge: Command, server: str, movie: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(home / "settings"))
    with Client.connect(server) as client:
        shot = client.open_shot(movie)
        found, given = (
            client.analyse(shot, segmenter="none"),
            client.analyse(shot, segmenter="none", cuts=[5, 8]),
        )
        assert (found.cuts, given.cuts) == ([], [5, 8]) and found.id != given.id
        assert client.analyse(shot, segmenter="none", cuts=[]).cuts == []
        for wrong in ([0], [12], [5, 5]):
            with pytest.raises(StylebridgeError) as caught:
                client.analyse(shot, segmenter="none", cuts=wrong)
            assert caught.value.code == Code.BAD_VALUE
        assert "12" in str(caught.value) or "order" in caught.value.message
        look = Look.simple("great-wave").to_data()
        # Frame 5 begins a scene: it does not look back.
        alone, whole = (next(client.render(shot, look, [5], analysis=one)) for one in (given, found))
        assert bytes(alone.data) != bytes(whole.data)
    ran = stylebridge("render", movie, "a.mp4", "--style", "great-wave", "--cuts", "5,8", "--quiet")
    assert ran.status == 0, ran.err
    for cuts, words in (("5,40", "frame 40 is outside the shot"), ("5;8", "--cuts 24,96")):
        ran = stylebridge("render", movie, "b.mp4", "--style", "great-wave", "--cuts", cuts, "--quiet")
        assert ran.status == 2 and words in ran.err and ran.err.count("\n") <= 2


def test_repeated_frames_give_repeated_results(
    server: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve drawings a second, each shown twice."""
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(home / "settings"))
    for number in range(8):
        media.save_image(tmp_path / f"twos.{number:04d}.png", picture(3 * (number // 2)))
    with Client.connect(server) as client:
        shot = client.open_shot(tmp_path / "twos.####.png")
        box = {"name": "disc", "frame": 2, "box": [0.2, 0.2, 0.6, 0.8]}
        analysis = client.analyse(shot, [box])
        look = {
            "schema": "look.1",
            "background": {"style": "great-wave"},
            "instance": [{"select": "disc", "style": "starry-night"}],
        }
        made = [bytes(one.data) for one in client.render(shot, look, range(8), analysis=analysis)]
        assert made[0::2] == made[1::2] and len(set(made)) == 4
        backwards = [
            bytes(one.data) for one in client.render(shot, look, range(7, -1, -1), analysis=analysis)
        ]
        assert backwards == made[::-1]


def test_an_interlaced_movie_is_refused_or_deinterlaced(stylebridge: Command, tmp_path: Path) -> None:
    def woven(number: int, width: int, height: int) -> np.ndarray:
        first, second = picture(2 * number, width, height), picture(2 * number + 1, width, height)
        return np.where(np.arange(height)[:, None, None] % 2 == 0, first, second)

    path = write_movie(tmp_path / "fields.mp4", draw=woven, sound=False)
    words = ["render", path, "out.mkv", "--style", "great-wave", "--quiet"]
    ran = stylebridge(*words)
    assert ran.status == 2 and "interlaced (top field first)" in ran.err and "--deinterlace auto" in ran.err
    ran = stylebridge(*words, "--deinterlace", "auto")
    assert ran.status == 0 and "was deinterlaced (top field first)" in ran.out
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12
    ran = stylebridge("render", path, "off.mkv", "--style", "great-wave", "--quiet", "--deinterlace", "off")
    assert ran.status == 0 and "taken as they are" in ran.out
