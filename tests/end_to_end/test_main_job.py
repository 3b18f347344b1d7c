"""The main job as a person does it: a clip in, a styled clip out."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import av
import cv2
import numpy as np
from end_to_end_tools import FRAMES, HEIGHT, WIDTH, Command, picture, write_movie
from numpy.typing import NDArray

from stylebridge.client import Client
from stylebridge_server import media

LOOK = """
schema = "look.1"
[background]
style = "great-wave"
strength = {strength}
[[instance]]
select = "disc"
style = "starry-night"
strength = [[0, 1.0], [11, 0.5]]
[[prompt]]
name = "disc"
frame = 0
box = [0.15, 0.25, 0.45, 0.75]
"""


def decoded(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def sound_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_a_movie_comes_back_styled_with_its_sound(stylebridge: Command, movie: Path) -> None:
    done = stylebridge(
        "render", movie, "out.mp4", "--style", "starry-night", "--contact-sheet", "sheet.png", process=True
    )
    assert done.status == 0, done.err
    assert "out.mp4: 12 frames" in done.out and "sheet.png" in done.out
    target = stylebridge.folder / "out.mp4"
    before, after = decoded(movie), decoded(target)
    assert len(after) == FRAMES and after[0].shape == (HEIGHT, WIDTH, 3)
    assert sound_packets(target) == sound_packets(movie)
    with media.open_source(target) as source:
        assert source.info.rate == 24
    assert np.abs(after[6].astype(int) - before[6]).mean() > 10
    sheet = cv2.imread(str(stylebridge.folder / "sheet.png"))
    assert sheet.shape[1] > 1900 and sheet.std() > 20
    assert sorted(one.name for one in stylebridge.folder.iterdir()) == ["out.mp4", "sheet.png"]


def test_each_instance_has_its_own_style_and_keyed_strength(stylebridge: Command, movie: Path) -> None:
    (stylebridge.folder / "disc.toml").write_text(LOOK.format(strength=0.0))
    done = stylebridge("render", movie, "out.####.png", "--look", "disc.toml")
    assert done.status == 0, done.err
    with media.open_source(movie) as source:
        plates = [source.read(number).pixels for number in range(FRAMES)]
    changes = []
    for number in (0, 11):
        result = media.load_image(stylebridge.folder / f"out.{number:04d}.png").pixels
        x = round(WIDTH * (0.3 + 0.03 * number))
        disc = np.s_[HEIGHT // 2 - 8 : HEIGHT // 2 + 8, x - 8 : x + 8]
        changes.append(np.abs(result[disc].astype(int) - plates[number][disc]).mean())
        far = np.s_[:10]
        np.testing.assert_array_equal(result[far], plates[number][far])
    assert changes[0] > 8
    assert 0.3 < changes[1] / changes[0] < 0.75


def test_a_changed_keyframe_runs_no_network(stylebridge: Command, movie: Path) -> None:
    def network() -> dict[str, int]:
        return json.loads(stylebridge("status", "--json").out)["workers"][0]["counters"]["network"]

    looks = []
    for name, strength in (("a", 0.9), ("b", 0.3)):
        (stylebridge.folder / f"{name}.toml").write_text(LOOK.format(strength=strength))
        assert stylebridge("render", movie, f"{name}.mp4", "--look", f"{name}.toml").status == 0
        looks.append(network())
    assert looks[0] == looks[1]
    assert (
        decoded(stylebridge.folder / "a.mp4")[3].tobytes()
        != decoded(stylebridge.folder / "b.mp4")[3].tobytes()
    )


def test_strength_zero_gives_pictures_back_bit_for_bit(stylebridge: Command) -> None:
    rng = np.random.default_rng(2)
    before = json.loads(stylebridge("status", "--json").out)["workers"][0]["counters"]["network"]
    for name, dtype in (("eight", np.uint8), ("sixteen", np.uint16)):
        for number in (1001, 1002):
            pixels = rng.integers(0, np.iinfo(dtype).max, (20, 30, 4), endpoint=True).astype(dtype)
            media.save_image(stylebridge.folder / f"{name}.{number}.png", pixels)
        done = stylebridge(
            "render", f"{name}.####.png", f"{name}-out.####.png", "--style", "great-wave", "--strength", 0
        )
        assert done.status == 0, done.err
        for number in (1001, 1002):
            a = media.load_image(stylebridge.folder / f"{name}.{number}.png").pixels
            b = media.load_image(stylebridge.folder / f"{name}-out.{number}.png").pixels
            assert a.dtype == b.dtype == dtype
            np.testing.assert_array_equal(a, b)
    assert json.loads(stylebridge("status", "--json").out)["workers"][0]["counters"]["network"] == before


def test_frames_in_order_backwards_and_at_random_are_identical(
    stylebridge: Command, movie: Path, server: str
) -> None:
    def hashes(client: Client, numbers: list[int]) -> dict[int, str]:
        shot = client.open_shot(movie)
        look = client.parse_look(LOOK.format(strength=0.8))
        analysis = client.analyse(shot, look["prompt"])
        frames = client.render(shot, look, numbers, analysis=analysis)
        return {one.number: hashlib.sha256(bytes(one.data)).hexdigest() for one in frames}

    numbers = list(range(FRAMES))
    with Client.connect(server) as client:
        straight = hashes(client, numbers)
        assert hashes(client, numbers[::-1]) == straight
    # A server of its own has seen nothing yet.
    with Client.connect(timeout=180) as client:
        assert hashes(client, random.Random(4).sample(numbers, FRAMES)) == straight


def test_a_range_writes_its_frames_and_their_piece_of_sound(stylebridge: Command, movie: Path) -> None:
    whole = stylebridge("render", movie, "whole.####.png", "--style", "great-wave")
    part = stylebridge("render", movie, "part.####.png", "--style", "great-wave", "--frames", "8-10")
    assert whole.status == part.status == 0, part.err
    names = sorted(one.name for one in stylebridge.folder.glob("part.*.png"))
    assert names == ["part.0008.png", "part.0009.png", "part.0010.png"]
    for number in (8, 9, 10):
        a, b = (
            media.load_image(stylebridge.folder / f"{name}.{number:04d}.png").pixels
            for name in ("whole", "part")
        )
        np.testing.assert_array_equal(a, b)
    assert stylebridge("render", movie, "part.mp4", "--style", "great-wave", "--frames", "6-11").status == 0
    assert len(decoded(stylebridge.folder / "part.mp4")) == 6
    assert 0 < len(sound_packets(stylebridge.folder / "part.mp4")) < len(sound_packets(movie))


def test_odd_sizes_and_lengths_are_handled(stylebridge: Command) -> None:
    for width, height, frames in ((1, 1, 2), (7, 5, 3), (4097, 3, 1)):
        name = f"odd-{width}"
        write_movie(stylebridge.folder / f"{name}.mp4", frames, width, height, sound=False)
        done = stylebridge("render", f"{name}.mp4", f"{name}-out.mp4", "--style", "great-wave")
        assert done.status == 0, (name, done.err)
        result = decoded(stylebridge.folder / f"{name}-out.mp4")
        assert len(result) == frames and result[0].shape == (height, width, 3)


def test_a_still_is_styled(stylebridge: Command) -> None:
    media.save_image(stylebridge.folder / "still.png", picture(3))
    done = stylebridge("render", "still.png", "out.png", "--style", "starry-night", "--colour-keep", 1)
    assert done.status == 0, done.err
    result = media.load_image(stylebridge.folder / "out.png").pixels
    assert result.shape == (HEIGHT, WIDTH, 3) and (result != picture(3)).any()


def test_a_picture_can_be_the_style(stylebridge: Command, movie: Path) -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::4] = (255, 200, 0)
    media.save_image(stylebridge.folder / "stripes.png", stripes)
    done = stylebridge("render", movie, "out.mp4", "--style", "stripes.png", "--frames", "0-1")
    assert done.status == 0, done.err


def test_the_server_describes_what_it_offers(server: str) -> None:
    with Client.connect(server) as client:
        offered = client.describe()
    assert {"starry-night", "great-wave", "wheat-field"} <= {one["name"] for one in offered["styles"]}
    assert len(offered["styles"]) >= 6
    assert {"auto", "embedded", "none"} <= set(offered["segmenters"])
    assert "strength" in {one["name"] for one in offered["effect"]["parameters"]}
