"""Layers and proxies: what a host mixes by itself is what the flattened render is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stylebridge.look import Look
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.shot.cache import Cache
from stylebridge_server.shot.proxy import Proxy, shrink, shrink_matte
from stylebridge_server.shot.render import Resolved, render, render_layer, resolve, shares_of
from stylebridge_server.shot.shot import AnyShot, Shot
from stylebridge_server.shot.streams import Streams, Workshop
from stylebridge_server.values import Frame, Instance, Pixels, SourceInfo

from .test_render import STYLES, Paint

HEIGHT, WIDTH, LAST = 131, 203, 3
CENTRES = {1: (70, 50), 2: (95, 75), 3: (120, 55)}


class Plate:
    """A smooth picture that moves, of any type."""

    def __init__(
        self,
        channels: int = 3,
        dtype: str = "uint8",
        size: tuple[int, int] = (HEIGHT, WIDTH),
        premultiplied: bool = False,
    ) -> None:
        self.info = SourceInfo("movie", size[1], size[0], 0, LAST, channels, dtype, Fraction(24))
        if premultiplied:
            self.info = replace(self.info, alpha="premultiplied", colour="acescg")

    def read(self, number: int) -> Frame:
        info = self.info
        noise = np.random.default_rng(3).random((info.height, info.width + 40, info.channels))
        smooth = cv2.GaussianBlur(noise, (0, 0), 3).reshape(noise.shape)
        smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
        moved = smooth[:, 2 * number : 2 * number + info.width]
        if info.dtype in ("uint8", "uint16"):
            moved = np.rint(moved * np.iinfo(info.dtype).max)
        if info.alpha == "premultiplied":  # scene-linear, up to 12, with holes
            alpha = np.clip(moved[..., 3:] * 2 - 0.6, 0, 1)
            moved = np.concatenate((12 * moved[..., :3] ** 4 * alpha, alpha), axis=-1)
            moved[:4, :4] = (0.25, 0.5, 0.75, 0.0)  # shines, and covers nothing
        return Frame(number, np.ascontiguousarray(moved.astype(info.dtype)))

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        return (self.read(number) for number in range(first, last + 1))

    def content_hash(self) -> str:
        return f"plate {self.info}"

    def changed(self, number: int | None = None) -> bool:
        return False

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Three soft discs that overlap."""
    builder = AnalysisStore(tmp_path_factory.mktemp("analyses"), 1 << 30).builder(WIDTH, HEIGHT)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for one, (x, y) in CENTRES.items():
        for number in range(LAST + 1):
            soft = np.clip((36 - np.hypot(columns - x - 2 * number, rows - y)) / 20 + 0.5, 0, 1)
            builder.put(one, number, np.rint(soft * 255).astype(np.uint8))
    instances = [Instance(one, f"disc {one}", None, (255, 0, 0), one, 0, LAST, 0.1) for one in CENTRES]
    return builder.finish(
        "inputs", first=0, last=LAST, cuts=[], instances=instances, segmenter="test", made_with={}
    )


def look(strengths: list[Any], **shapes: Any) -> dict[str, Any]:
    """A style for each disc and another for the background, so strong."""
    styles = ["ink", "gold", "ink", "gold"]
    layers = [
        {"style": name, "strength": strength, "stroke_size": 1.0 + 0.25 * place}
        for place, (name, strength) in enumerate(zip(styles, strengths, strict=True))
    ]
    instances = [{**layer, "select": one, **shapes} for one, layer in enumerate(layers) if one]
    return {"schema": "look.1", "background": layers[0], "instance": instances}


class Bench:
    """A render, and the layers of the same."""

    def __init__(self, shot: AnyShot | Proxy, analysis: Analysis) -> None:
        self.shot, self.analysis = shot, analysis
        workshop = Workshop(Paint(), "test", Cache(1 << 28), Cache(1 << 28))  # type: ignore[arg-type]
        self.streams = Streams(shot, analysis.scenes(), workshop)

    def resolved(self, data: dict[str, Any]) -> Resolved:
        return resolve(Look.from_data(data), self.shot, self.analysis, STYLES.__getitem__)

    def flat(self, data: dict[str, Any], number: int) -> Pixels:
        return render(self.shot, self.analysis, self.resolved(data), number, self.streams).pixels

    def layers(self, data: dict[str, Any], number: int, samples: str | None = None) -> dict[int, Pixels]:
        full = Look.from_data(Look.from_data(data).full_strength().to_data())
        found = resolve(full, self.shot, self.analysis, STYLES.__getitem__)
        shares = shares_of(self.shot, self.analysis, found, number)
        return {
            one: render_layer(self.shot, found, one, number, self.streams, shares[one], samples)
            for one in found.styled
        }


def as_numbers(pixels: Pixels) -> NDArray[np.float64]:
    scale = np.iinfo(pixels.dtype).max if pixels.dtype in (np.uint8, np.uint16) else 1
    return pixels.astype(np.float64) / scale


RAMP = [[0, 0.0], [3, 1.0]]


@pytest.mark.parametrize("strengths", [[0.0] * 4, [0.5] * 4, [1.0] * 4, [RAMP, 1.0, RAMP, 0.25]])
@pytest.mark.parametrize(
    ("dtype", "channels", "samples"),
    [
        ("uint8", 3, "float16"),
        ("uint8", 4, None),
        ("uint16", 4, None),
        ("float16", 4, None),
        ("premultiplied", 4, "float16"),
        ("float32", 3, None),
    ],
)
def test_the_picture_rebuilt_from_the_layers_is_the_flattened_one(
    analysis: Analysis, strengths: list[Any], dtype: str, channels: int, samples: str | None
) -> None:
    premultiplied, dtype = dtype == "premultiplied", "float16" if dtype == "premultiplied" else dtype
    bench = Bench(Shot(Plate(channels, dtype, premultiplied=premultiplied)), analysis)
    said = look(strengths, edge_softness=20.0, matte_grow=15.0, colour_keep=0.3)
    for number in (0, 1, 3):
        flat = bench.flat(said, number)
        layers = bench.layers(said, number, samples)
        assert list(layers) == [0, 1, 2, 3]
        plate = as_numbers(bench.shot.read(number).pixels[..., :3])
        rebuilt, most = plate.copy(), np.abs(plate)
        for layer, strength in zip(layers.values(), strengths, strict=True):
            at = strength if isinstance(strength, float) else number / 3
            assert layer.shape == (HEIGHT, WIDTH, 4) and layer.dtype == (samples or dtype)
            pixels = as_numbers(layer)
            matte, colour = pixels[..., 3:], pixels[..., :3]
            assert not colour[matte[..., 0] == 0].any()
            rebuilt += at * (colour - matte * plate)
            styled = np.divide(colour, matte, out=np.zeros_like(colour), where=matte > 0.01)
            most = np.maximum(most, styled)
        # Half a code value is what the flattened picture itself is rounded by, and 8-bit layers are rounded each.
        # Below 2^-14 half floats lie 2^-24 apart, however small.
        rounding = {"uint8": 0.5 / 255, "uint16": 0.5 / 65535, "float16": 3 * 2**-25}.get(dtype, 0.0)
        rounding += 0.0 if (samples or dtype) != "uint8" else 4 * 2 * 0.5 / 255
        assert np.all(np.abs(rebuilt - as_numbers(flat[..., :3])) <= most * 2**-9 + rounding + 1e-9)
        assert np.array_equal(flat[..., 3:], bench.shot.read(number).pixels[..., 3:])


def test_a_layer_is_the_same_whatever_strength_and_visibility_are(analysis: Analysis) -> None:
    bench = Bench(Shot(Plate()), analysis)
    loud, mute = look([1.0] * 4), look([0.0] * 4)
    mute["instance"][0]["visibility"] = False
    for one, other in zip(bench.layers(loud, 2).values(), bench.layers(mute, 2).values(), strict=True):
        assert np.array_equal(one, other)
        assert one[..., 3].any() and one[..., :3].any()


def test_only_what_has_a_style_has_a_layer_and_the_rest_still_covers(analysis: Analysis) -> None:
    bench = Bench(Shot(Plate()), analysis)
    said = look([1.0] * 4)
    whole = bench.layers(said, 0)
    said["instance"][2] = {"select": 3, "strength": 0}
    del said["background"]
    fewer = bench.layers(said, 0)
    assert list(fewer) == [1, 2]
    assert all(np.array_equal(fewer[one], whole[one]) for one in fewer)


def test_mattes_are_those_of_the_layers_and_of_what_is_not_selected_too(analysis: Analysis) -> None:
    bench = Bench(Shot(Plate()), analysis)
    said = look([1.0] * 4, edge_softness=20.0)
    layers = bench.layers(said, 1, "float32")
    del said["instance"][1]
    found = resolve(Look.from_data(said).for_output("mattes"), bench.shot, analysis, STYLES.__getitem__)
    mattes = shares_of(bench.shot, analysis, found, 1, every=True)
    assert sorted(mattes) == [0, 1, 2, 3] and not found.styled
    assert np.abs(sum(mattes.values()) - 1).max() < 1e-6
    assert np.array_equal(mattes[3], layers[3][..., 3])
    left = np.minimum(analysis.matte(2, 1) / np.float32(255), 1 - mattes[3] - mattes[1])
    assert np.allclose(mattes[2], left, atol=1e-6) and mattes[2].any()


def test_pixels_that_are_not_finite_are_in_no_layer(analysis: Analysis) -> None:
    class Holed(Plate):
        def read(self, number: int) -> Frame:
            frame = super().read(number)
            frame.pixels[60, 80] = np.nan
            return frame

    layers = Bench(Shot(Holed(3, "float32")), analysis).layers(look([1.0] * 4), 0)
    assert not any(layer[60, 80].any() for layer in layers.values())
    assert all(np.isfinite(layer).all() for layer in layers.values())


def block_means(pixels: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """By the definition, one block at a time."""
    rows, columns = -(-pixels.shape[0] // scale), -(-pixels.shape[1] // scale)
    blocks = [
        [
            pixels[y * scale : (y + 1) * scale, x * scale : (x + 1) * scale].mean((0, 1))
            for x in range(columns)
        ]
        for y in range(rows)
    ]
    return np.array(blocks)


@pytest.mark.parametrize("scale", [2, 3, 4, 16])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_a_proxy_is_the_mean_of_each_block(scale: int, dtype: str) -> None:
    pixels = Plate(3, dtype).read(1).pixels
    expected = block_means(pixels.astype(np.float64), scale)
    shrunk = shrink(pixels, scale)
    assert shrunk.dtype == pixels.dtype and shrunk.shape == (-(-HEIGHT // scale), -(-WIDTH // scale), 3)
    close = {"uint8": 0.501, "uint16": 0.51, "float16": 3e-4, "float32": 1e-5}[dtype]
    assert np.abs(shrunk.astype(np.float64) - expected).max() <= close
    matte = pixels[..., 0].astype(np.float32)
    means = block_means(matte.astype(np.float64)[..., None], scale)[..., 0]
    assert np.allclose(shrink_matte(matte, scale), means, rtol=1e-5)


def test_straight_alpha_weighs_the_colours_of_a_proxy() -> None:
    pixels = np.zeros((2, 4, 4), np.float32)
    pixels[:, :2] = (1.0, 0.5, 0.25, 1.0)
    pixels[0, 1] = (9.0, 9.0, 9.0, 0.0)  # what nothing is seen of
    pixels[:, 2:] = (0.0, 2.0, 0.0, 0.0)
    shrunk = shrink(pixels, 2)
    assert np.allclose(shrunk[0, 0], (1.0, 0.5, 0.25, 0.75))
    assert np.allclose(shrunk[0, 1], (0.0, 2.0, 0.0, 0.0))


def test_a_proxy_is_rendered_as_if_the_plate_had_been_shrunk(analysis: Analysis, tmp_path: Path) -> None:
    scale = 2
    shot = Shot(Plate())
    small = (-(-HEIGHT // scale), -(-WIDTH // scale))

    class Shrunk(Plate):
        def read(self, number: int) -> Frame:
            return Frame(number, shrink(shot.read(number).pixels, scale))

    builder = AnalysisStore(tmp_path, 1 << 30).builder(small[1], small[0])
    for one in analysis.instances:
        for number in range(LAST + 1):
            matte = shrink_matte(analysis.matte(one.id, number).astype(np.float32), scale)
            builder.put(one.id, number, np.rint(matte).astype(np.uint8))
    likewise = builder.finish(
        "shrunk",
        first=0,
        last=LAST,
        cuts=[],
        instances=list(analysis.instances),
        segmenter="test",
        made_with={},
    )
    said = look([1.0, 0.5, RAMP, 0.7], edge_softness=30.0)
    proxy, shrunk = Bench(Proxy(shot, scale), analysis), Bench(Shot(Shrunk(size=small)), likewise)
    for number in (0, 2):
        by_proxy = proxy.flat(said, number).astype(int)
        assert by_proxy.shape == (*small, 3)
        # The mattes of the analysis that was made of the small plate have 8 bits; else they are the same.
        assert np.abs(by_proxy - shrunk.flat(said, number).astype(int)).max() <= 1
    assert np.array_equal(proxy.flat(look([0.0] * 4), 1), shrink(shot.read(1).pixels, scale))
