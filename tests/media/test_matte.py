"""Mattes from files: channels of pictures and EXR, things of Cryptomattes, laid out over a shot's picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import media
from stylebridge_server.media import cryptomatte
from stylebridge_server.media.exr_write import NewPart, write_exr
from stylebridge_server.media.matte import Part, Wanted, fitted, read_matte


def plane(of: int, size: tuple[int, int] = (12, 20)) -> np.ndarray:
    return np.random.default_rng(of).random(size).astype(np.float32)


def read(path: Path, channel: str | None = None, thing: str | None = None) -> np.ndarray:
    part = read_matte([path], Wanted(channel, thing))(path)
    assert part is not None
    return part.plane


def test_alpha_grey_or_the_channel_named(tmp_path: Path) -> None:
    rgba = np.random.default_rng(1).integers(0, 256, (12, 20, 4)).astype(np.uint8)
    media.save_image(tmp_path / "rgba.png", rgba)
    media.save_image(tmp_path / "rgb.png", rgba[..., :3])
    media.save_image(tmp_path / "grey.png", rgba[..., 0].astype(np.uint16) * 257)
    assert np.allclose(read(tmp_path / "rgba.png"), rgba[..., 3] / 255)
    assert np.allclose(read(tmp_path / "rgba.png", "G"), rgba[..., 1] / 255)
    assert np.allclose(read(tmp_path / "rgb.png"), rgba[..., :3].mean(-1) / 255)
    assert np.allclose(read(tmp_path / "grey.png"), rgba[..., 0] / 255)
    with pytest.raises(StylebridgeError, match=r'rgb.png has no channel "A"; it has R, G, B\.') as refused:
        read(tmp_path / "rgb.png", "A")
    assert refused.value.code == Code.BAD_VALUE


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_channels_of_an_exr_by_their_full_names(tmp_path: Path, dtype: str) -> None:
    channels = {name: plane(place).astype(dtype) for place, name in enumerate(("R", "G", "B", "left.mask.R"))}
    write_exr(tmp_path / "a.exr", [NewPart(channels)])
    assert np.array_equal(read(tmp_path / "a.exr", "left.mask.R"), channels["left.mask.R"].astype(np.float32))
    colours = np.mean([channels[name].astype(np.float32) for name in "RGB"], axis=0)
    assert np.allclose(read(tmp_path / "a.exr"), colours)
    with pytest.raises(StylebridgeError, match=r'has no channel "mask\.R"; it has B, G, R, left\.mask\.R'):
        read(tmp_path / "a.exr", "mask.R")


def test_channels_of_other_parts_by_the_parts_name(tmp_path: Path) -> None:
    parts = [
        NewPart({"R": plane(1)}, name="left"),
        NewPart({"R": plane(2), "A": plane(3)}, name="right mask"),
    ]
    write_exr(tmp_path / "a.exr", parts)
    assert np.array_equal(read(tmp_path / "a.exr", "right mask.R"), plane(2))
    assert np.array_equal(read(tmp_path / "a.exr", "A"), plane(3))


def crypto(path: Path, name: str, things: dict[str, np.ndarray]) -> NewPart:
    size = next(iter(things.values())).shape
    return NewPart(cryptomatte.channels(name, things, size), header=cryptomatte.header(name, list(things)))


def test_a_thing_that_is_not_there_is_answered_with_what_is(tmp_path: Path) -> None:
    path = tmp_path / "c.exr"
    write_exr(path, [crypto(path, "CryptoObject", {"hero": plane(1) / 2, "Bösewicht": plane(2) / 2})])
    assert np.array_equal(read(path, thing="Bösewicht"), plane(2) / 2)
    assert np.array_equal(read(path, "CryptoObject", "hero"), plane(1) / 2)
    with pytest.raises(
        StylebridgeError, match="has no \"herb\"; did you mean 'hero'\\? It has hero, Bösewicht"
    ):
        read(path, thing="herb")
    with pytest.raises(StylebridgeError, match="has no Cryptomatte with names; name a channel"):
        write_exr(tmp_path / "plain.exr", [NewPart({"A": plane(1)})])
        read(tmp_path / "plain.exr", thing="hero")
    with pytest.raises(StylebridgeError, match='no Cryptomatte "CryptoMaterial" with names'):
        read(path, "CryptoMaterial", "hero")


def test_a_thing_may_be_absent_from_some_frames_but_not_from_all(tmp_path: Path) -> None:
    paths = [tmp_path / f"c.{number}.exr" for number in (1, 2)]
    write_exr(paths[0], [crypto(paths[0], "C", {"hero": plane(1)})])
    write_exr(paths[1], [crypto(paths[1], "C", {"car": plane(2)})])
    matte = read_matte(paths, Wanted(thing="car"))
    assert matte(paths[0]) is None
    found = matte(paths[1])
    assert found is not None and np.array_equal(found.plane, plane(2))
    with pytest.raises(StylebridgeError, match="has no \"cat\"; did you mean 'car'\\? It has hero, car"):
        read_matte(paths, Wanted(thing="cat"))


def test_names_in_a_file_without_a_manifest_are_hashed(tmp_path: Path) -> None:
    path = tmp_path / "c.exr"
    given = {"hero": plane(1) / 2, "car": plane(2) / 2}
    header = {k: v for k, v in cryptomatte.header("C", []).items() if not k.endswith("manifest")}
    write_exr(path, [NewPart(cryptomatte.channels("C", given, (12, 20)), header=header)])
    assert np.array_equal(read(path, thing="car"), given["car"])


def test_a_matte_is_scaled_where_its_aspect_fits() -> None:
    box = (0, 0, 20, 12)
    flat = Part(np.full((12, 20), 0.5, np.float32), box, box)
    large = fitted(flat, (24, 40), None)
    assert large is not None and large.shape == (24, 40) and (large == 128).all()
    small = fitted(flat, (6, 10), None)
    assert small is not None and (small == 128).all()
    assert fitted(flat, (12, 16), None) is None
    soft = fitted(Part(plane(4), box, box), (12, 20), None)
    assert soft is not None and np.array_equal(soft, np.rint(plane(4) * 255).astype(np.uint8))


def test_values_that_no_matte_has_are_clipped() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, -1, 2, 0.25]], np.float32)
    box = (0, 0, 6, 1)
    matte = fitted(Part(values, box, box), (1, 6), None)
    assert matte is not None and matte.tolist() == [[0, 255, 0, 0, 255, 64]]


def test_a_matte_lies_where_its_display_window_says() -> None:
    """A plate with overscan, a matte without; and a matte cropped to its thing."""
    display = (5, 3, 25, 15)  # of the plate, in its pixels
    whole = fitted(Part(np.ones((12, 20), np.float32), (0, 0, 20, 12), (0, 0, 20, 12)), (18, 30), display)
    assert whole is not None and whole[3:15, 5:25].all() and whole.astype(bool).sum() == 12 * 20
    cropped = Part(np.ones((4, 6), np.float32), (2, 1, 8, 5), (0, 0, 20, 12))
    placed = fitted(cropped, (18, 30), display)
    assert placed is not None and placed[4:8, 7:13].all() and placed.astype(bool).sum() == 24
    beyond = fitted(
        Part(np.ones((40, 60), np.float32), (-20, -20, 40, 20), (0, 0, 20, 12)), (18, 30), display
    )
    assert beyond is not None and beyond.all()


def test_a_damaged_matte_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    write_exr(path, [NewPart({"A": plane(1, (64, 64))})])
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(StylebridgeError, match=r"a\.exr") as refused:
        read(path)
    assert refused.value.code == Code.NOT_READABLE
