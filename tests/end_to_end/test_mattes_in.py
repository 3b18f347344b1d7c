"""Mattes that the user brings: as files of a look, shared with the server or sent to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from end_to_end_tools import Command, picture

from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import media
from stylebridge_server.media import cryptomatte
from stylebridge_server.media.exr_write import NewPart, write_exr

FRAMES = range(1001, 1004)


def disc(number: int, x: float = 0.3, size: tuple[int, int] = (96, 160)) -> np.ndarray:
    """A soft disc that moves to the right, (H, W) float32."""
    rows, columns = (np.mgrid[: size[0], : size[1]] + 0.5) / size[0]
    distance = np.hypot(columns - x * size[1] / size[0] - 0.05 * (number - 1001), rows - 0.5)
    return np.clip((0.25 - distance) / 0.1 + 0.5, 0, 1).astype(np.float32)


@pytest.fixture
def plate(tmp_path: Path) -> str:
    for number in FRAMES:
        media.save_image(tmp_path / f"plate.{number}.png", picture(number - 1001))
        media.save_image(tmp_path / f"roto.{number}.png", np.rint(disc(number) * 255).astype(np.uint8))
        things = {"the ball": disc(number) / 2, "Tänzerin": disc(number, 0.6) / 2}
        channels = {"R": disc(number), **cryptomatte.channels("CryptoObject", things, (96, 160))}
        part = NewPart(channels, header=cryptomatte.header("CryptoObject", list(things)))
        write_exr(tmp_path / f"crypto.{number}.exr", [part])
    return str(tmp_path / "plate.####.png")


def eight_bit(matte: np.ndarray) -> np.ndarray:
    return np.rint(matte * np.float32(255)).astype(np.uint8)


def test_mattes_are_instances_on_every_frame(server: str, plate: str, tmp_path: Path) -> None:
    mattes = [
        {"name": "roto", "path": str(tmp_path / "roto.####.png")},
        {"name": "dancer", "path": str(tmp_path / "crypto.####.exr"), "cryptomatte": "Tänzerin", "z": 7},
        {"name": "red", "path": str(tmp_path / "crypto.1002.exr"), "channel": "R"},
    ]
    prompt = {"name": "ball", "frame": 1001, "box": [0.2, 0.2, 0.5, 0.8]}
    with Client.connect(server) as client:
        shot = client.open_shot(plate)
        alone = client.analyse(shot, mattes=mattes)
        assert [(one["id"], one["name"]) for one in alone.instances] == [
            (1, "roto"),
            (2, "dancer"),
            (3, "red"),
        ]
        z = {one["name"]: one["z"] for one in alone.instances}
        assert z["dancer"] == 7 and z["red"] > z["roto"] > 7
        expected = {
            1: [disc(number) for number in FRAMES],
            2: [disc(number, 0.6) / 2 for number in FRAMES],
            3: [disc(1002)] * 3,
        }
        for one, planes in expected.items():
            for found, plane in zip(client.mattes(shot, alone, one, FRAMES), planes, strict=True):
                assert np.array_equal(np.asarray(found)[..., 0], eight_bit(plane))
        beside = client.analyse(shot, [prompt], mattes=mattes)
        assert [one["name"] for one in beside.instances] == ["roto", "dancer", "red", "ball"]
        assert client.analyse(shot, mattes=mattes[:1], segmenter="host").instances == [
            {**alone.instances[0], "z": 1}
        ]
        look = {"schema": "look.1", "instance": [{"select": "dancer", "style": "great-wave"}]}
        [mixed] = client.render(shot, look, [1002], analysis=alone)
        plate_of = media.load_image(tmp_path / "plate.1002.png").pixels
        changed = (np.asarray(mixed) != plate_of).any(-1)
        assert changed.any() and not changed[disc(1002, 0.6) == 0].any()


def test_another_matte_is_another_analysis(server: str, plate: str, tmp_path: Path) -> None:
    matte = {"name": "roto", "path": str(tmp_path / "roto.####.png")}
    with Client.connect(server) as client:
        shot = client.open_shot(plate)
        before = client.analyse(shot, mattes=[matte])
        assert client.analyse(shot, mattes=[matte]).id == before.id
        assert client.analyse(shot, mattes=[{**matte, "z": 3}]).id != before.id
        media.save_image(tmp_path / "roto.1003.png", eight_bit(disc(1003, 0.5)))
        after = client.analyse(shot, mattes=[matte])
        assert after.id != before.id


def test_a_matte_of_another_size_is_scaled_where_its_aspect_fits(
    server: str, plate: str, tmp_path: Path
) -> None:
    media.save_image(tmp_path / "large.png", eight_bit(disc(1001, size=(192, 320))))
    media.save_image(tmp_path / "other.png", eight_bit(disc(1001, size=(96, 96))))
    with Client.connect(server) as client:
        shot = client.open_shot(plate)
        analysis = client.analyse(shot, mattes=[{"name": "large", "path": str(tmp_path / "large.png")}])
        [found] = client.mattes(shot, analysis, 1, [1002])
        assert np.abs(np.asarray(found)[..., 0].astype(int) - eight_bit(disc(1001))).max() <= 4
        with pytest.raises(StylebridgeError, match="'other' is 96x96 on frame 1001, which does not fit"):
            client.analyse(shot, mattes=[{"name": "other", "path": str(tmp_path / "other.png")}])


def test_a_matte_may_be_inverted(server: str, plate: str, tmp_path: Path) -> None:
    matte = {"name": "roto", "path": str(tmp_path / "roto.####.png")}
    with Client.connect(server) as client:
        shot = client.open_shot(plate)
        plain, turned = (client.analyse(shot, mattes=[{**matte, **more}]) for more in ({}, {"invert": True}))
        assert plain.id != turned.id == client.analyse(shot, mattes=[{**matte, "invert": True}]).id
        [found] = client.mattes(shot, turned, 1, [1002])
        [around] = client.mattes(shot, plain, 0, [1002])
        assert np.array_equal(np.asarray(found)[..., 0], 255 - eight_bit(disc(1002)))
        assert np.array_equal(np.asarray(found), np.asarray(around)), "which is what the background is"


def test_what_is_wrong_with_a_matte_is_named(server: str, plate: str, tmp_path: Path) -> None:
    (tmp_path / "roto.1002.png").unlink()
    roto = {"name": "roto", "path": str(tmp_path / "roto.####.png")}
    crypto = {"name": "c", "path": str(tmp_path / "crypto.####.exr")}
    media.save_image(tmp_path / "black.png", np.zeros((96, 160), np.uint8))
    prompt = {"name": "roto", "frame": 1001, "box": [0.2, 0.2, 0.5, 0.8]}
    (tmp_path / "roto.1002.exr").write_bytes(b"no picture")
    cases = [
        ({"mattes": [roto]}, Code.NOT_FOUND, r"'roto' lacks frame 1002 of the shot's frames 1001 to 1003"),
        (
            {"mattes": [{**crypto, "channel": "A"}]},
            Code.BAD_VALUE,
            r'crypto\.1001\.exr has no channel "A"; it has',
        ),
        ({"mattes": [{**crypto, "cryptomatte": "the bell"}]}, Code.BAD_VALUE, "did you mean 'the ball'"),
        ({"mattes": [{**roto, "path": str(tmp_path / "black.png")}]}, Code.BAD_VALUE, "empty on every frame"),
        ({"mattes": [{**roto, "path": str(tmp_path / "no.png")}]}, Code.NOT_FOUND, r"no\.png"),
        ({"mattes": [{**roto, "path": str(tmp_path / "no.##.png")}]}, Code.NOT_FOUND, "no file that fits"),
        (
            {"mattes": [{**roto, "path": str(tmp_path / "roto.1002.exr")}]},
            Code.NOT_READABLE,
            r"roto\.1002\.exr",
        ),
        (
            {"mattes": [{**crypto, "channel": "R"}], "segmenter": "none"},
            Code.BAD_VALUE,
            "'none' has no instances",
        ),
        ({"mattes": [{**crypto, "name": "7"}]}, Code.BAD_LOOK, "kept for ids and labels"),
        (
            {"mattes": [{**crypto, "name": "roto", "channel": "R"}], "prompts": [prompt]},
            Code.BAD_VALUE,
            "both called 'roto'",
        ),
    ]
    with Client.connect(server) as client:
        shot = client.open_shot(plate)
        for asked, code, words in cases:
            with pytest.raises(StylebridgeError, match=words) as refused:
                client.analyse(shot, **asked)
            assert refused.value.code == code, asked


def test_a_look_brings_its_mattes(stylebridge: Command, plate: str, tmp_path: Path) -> None:
    look = """schema = "look.1"
[[matte]]
name = "ball"
path = "crypto.####.exr"   # beside the look
cryptomatte = "the ball"
[[instance]]
select = "ball"
style = "great-wave"
"""
    (tmp_path / "look.toml").write_text(look, encoding="utf-8")
    ran = stylebridge("render", plate, "out.####.png", "--look", "look.toml", "--quiet")
    assert ran.status == 0, ran.err
    out, source = (media.load_image(tmp_path / f"{name}.1003.png").pixels for name in ("out", "plate"))
    changed = (out != source).any(-1)
    assert changed.any() and not changed[disc(1003) == 0].any()
    ran = stylebridge("segment", plate, "--look", "look.toml", "--quiet")
    assert ran.status == 0 and "ball" in ran.out
