"""A server that sees nothing of the client's disk, and one that was restarted, give the same pictures."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from end_to_end_tools import environment, picture

from stylebridge.client import Client, Progress
from stylebridge.errors import Code, StylebridgeError
from stylebridge.inputs import Inputs
from stylebridge.launch import StartedServer, start_server
from stylebridge.look import Look
from stylebridge_server import media

LOOK = Look.simple("great-wave").to_data()


def rendered(client: Client, path: Path | str, look: dict[str, Any], frames: list[int]) -> list[bytes]:
    shot = client.open_shot(path)
    analysis = client.analyse(shot, segmenter="none")
    return [bytes(one.data) for one in client.render(shot, look, frames, analysis=analysis)]


def test_a_movie_is_sent_once_and_gives_the_pictures_that_a_shared_disk_gives(
    server: str, home: Path, foreign: StartedServer, movie: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts: list[object] = []
    put = Inputs.put
    monkeypatch.setattr(Inputs, "put", lambda self, *given: puts.append(given[0]) or put(self, *given))
    with Client.connect(foreign.address.url) as client:
        sent = client.open_shot(movie)
        result = rendered(client, movie, LOOK, [0, 7])
        monkeypatch.chdir(movie.parent)
        assert rendered(client, movie.name, LOOK, [7]) == result[1:]
    assert puts == [movie], "what the server has is not sent again"
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(home / "settings"))
    with Client.connect(server) as client:
        assert client.open_shot(movie).id == sent.id
        assert rendered(client, movie, LOOK, [0, 7]) == result
    assert puts == [movie], "what the server sees is not sent"


def test_a_sequence_a_style_picture_and_a_matte_are_sent(
    foreign: StartedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        media.save_image(tmp_path / f"plate.{number + 8:04d}.png", picture(number))
    matte = np.zeros((96, 160, 3), np.uint8)
    matte[20:60, 40:90] = 255
    media.save_image(tmp_path / "dog.png", matte)
    media.save_image(tmp_path / "style.png", picture(30)[::-1])
    look = {
        "schema": "look.1",
        "instance": [{"select": "dog", "style": str(tmp_path / "style.png"), "strength": 1.0}],
    }
    prompts = [{"name": "dog", "frame": 8, "matte": str(tmp_path / "dog.png")}]
    seen: list[Progress] = []
    with Client.connect(foreign.address.url) as client:
        shot = client.open_shot(tmp_path / "plate.####.png", progress=seen.append)
        assert (list(shot.frames), shot.info["kind"]) == ([8, 9, 10], "sequence")
        analysis = client.analyse(shot, prompts)
        assert [one["name"] for one in analysis.instances] == ["dog"]
        [sent] = client.render(shot, look, [8], analysis=analysis)
        assert not np.array_equal(np.asarray(sent), picture(0))
        np.testing.assert_array_equal(np.asarray(sent)[80:], picture(0)[80:])
        monkeypatch.chdir(tmp_path)
        look["instance"][0]["style"] = "./style.png"  # type: ignore[index]
        [relative] = client.render(shot, look, [8], analysis=analysis)
        assert bytes(relative.data) == bytes(sent.data)
    assert {"reading files", "sending"} <= {one.stage for one in seen}


def test_errors_speak_of_the_files_as_the_client_names_them(foreign: StartedServer, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no movie" * 100)
    (tmp_path / "style.png").write_bytes(b"no picture" * 100)
    media.save_image(tmp_path / "plate.png", picture(0))
    with Client.connect(foreign.address.url) as client:
        with pytest.raises(StylebridgeError) as refused:
            client.open_shot(tmp_path / "broken.mp4")
        assert refused.value.code == Code.NOT_READABLE
        assert str(tmp_path / "broken.mp4") in refused.value.message
        with pytest.raises(StylebridgeError) as refused:
            rendered(client, tmp_path / "plate.png", Look.simple(str(tmp_path / "style.png")).to_data(), [0])
        assert str(tmp_path / "style.png") in refused.value.message
        with pytest.raises(StylebridgeError) as refused:
            client.open_shot("/nowhere/plate.mp4")
        assert refused.value.code == Code.DENIED


def test_an_analysis_is_brought_from_one_server_to_another(
    server: str,
    home: Path,
    foreign: StartedServer,
    movie: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompts = [{"name": "disc", "frame": 0, "points": [[0.3, 0.5]]}]
    look = {"schema": "look.1", "instance": [{"select": "disc", "style": "great-wave"}]}
    with Client.connect(foreign.address.url) as client:
        shot = client.open_shot(movie)
        analysis = client.analyse(shot, prompts)
        expected = [bytes(one.data) for one in client.render(shot, look, [0, 7], analysis=analysis)]
        client.save_analysis(analysis, tmp_path / "plate.analysis")
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(home / "settings"))
    with Client.connect(server) as client:
        shot = client.open_shot(movie)
        with pytest.raises(StylebridgeError) as lacking:
            list(client.render(shot, look, [0], analysis=analysis.id))
        assert lacking.value.code == Code.NEED
        brought = client.load_analysis(tmp_path / "plate.analysis")
        assert brought == analysis
        shutil.rmtree(home / "analyses" / analysis.id)
        result = [bytes(one.data) for one in client.render(shot, look, [0, 7], analysis=brought)]
        assert result == expected
        (tmp_path / "no.analysis").write_text("nonsense")
        with pytest.raises(StylebridgeError, match="brought as an analysis"):
            client.load_analysis(tmp_path / "no.analysis")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["no.analysis", "plate.analysis"]


def test_a_large_look_is_read_while_the_server_works(foreign: StartedServer) -> None:
    keys = [[number, number % 10 / 10] for number in range(2000)]
    data = Look.simple("great-wave", strength=keys).to_data()
    with Client.connect(foreign.address.url) as client:
        text = client.format_look(data)
        assert len(text) > 20_000 and client.parse_look(text) == data
        with pytest.raises(StylebridgeError, match="more than 2000 tables"):
            client.parse_look('schema = "look.1"\n' + '[[instance]]\nselect = "a"\n' * 3000)


def test_a_server_killed_in_mid_render_gets_everything_again(
    tmp_path: Path, movie: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushed frames, their store and the analysis lost: the same pictures as of an undisturbed run, each once."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with media.open_source(movie) as source:
        info = source.info
        frames = {frame.number: frame.pixels for frame in source.frames()}
    made = {"width": info.width, "height": info.height, "channels": 3, "dtype": info.dtype}
    asked: list[int] = []

    def give(number: int) -> np.ndarray:
        asked.append(number)
        return frames[number]

    order = [*range(info.first, info.last + 1)] * 2
    first = start_server(timeout=180)
    bind = ("--bind", first.address.endpoint)
    with Client.connect(first.address.url) as client:
        shot = client.open_shot(pushed={"first": info.first, "last": info.last, **made}, frames=give)
        analysis = client.analyse(shot, segmenter="none")
        expected = [bytes(one.data) for one in client.render(shot, LOOK, order, analysis=analysis)]
        assert len(asked) == len(frames)
        stream = client.render(shot, LOOK, order, analysis=analysis, window=2 << 20)
        result = [bytes(next(stream).data)]
        os.kill(client.server["pid"], signal.SIGKILL)
        first._process.wait()
        shutil.rmtree(tmp_path / "store")
        shutil.rmtree(tmp_path / "analyses")
        second = start_server(timeout=180, extra=bind)
        result += [bytes(one.data) for one in stream]
        assert result == expected
        assert sorted(asked) == sorted([*frames, *frames])
        assert client.server["pid"] == second.pid
    second.stop()
    first.stop()


def test_mattes_of_a_look_are_sent(foreign: StartedServer, tmp_path: Path) -> None:
    """Of a sequence, with numbers beyond the shot's; what is wrong with them is said of the client's own names."""
    planes = [np.roll(np.eye(96, 160, dtype=np.uint8) * 255, number, 1) for number in range(4)]
    for number, plane in enumerate(planes):
        if number < 3:
            media.save_image(tmp_path / f"plate.{number}.png", picture(number))
        media.save_image(tmp_path / f"roto.{number}.png", plane)
    roto = {"name": "roto", "path": str(tmp_path / "roto.#.png")}
    still = {"name": "still", "path": str(tmp_path / "roto.2.png"), "channel": "Y"}
    with Client.connect(foreign.address.url) as client:
        shot = client.open_shot(tmp_path / "plate.#.png")
        analysis = client.analyse(shot, mattes=[roto, still])
        for one, expected in ((1, planes), (2, [planes[2]] * 3)):
            found = client.mattes(shot, analysis, one, range(3))
            assert all(
                np.array_equal(np.asarray(a)[..., 0], b) for a, b in zip(found, expected, strict=False)
            )
        (tmp_path / "roto.1.png").unlink()
        with pytest.raises(StylebridgeError, match="'roto' lacks frame 1 of the shot's frames 0 to 2"):
            client.analyse(shot, mattes=[roto])
        media.save_image(tmp_path / "roto.1.png", planes[1][:, :96])
        with pytest.raises(StylebridgeError, match="does not fit the picture's 160x96"):
            client.analyse(shot, mattes=[roto])
        with pytest.raises(StylebridgeError, match=f'{tmp_path}/roto.0.png has no channel "R"'):
            client.analyse(shot, mattes=[{**roto, "channel": "R"}])
