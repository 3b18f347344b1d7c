"""A compositor's shot through the whole render: streams, mattes and mix, in the shot's own colour space."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stylebridge.look import Look
from stylebridge_server import colour, composite, style
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.shot.cache import Cache
from stylebridge_server.shot.proxy import Proxy
from stylebridge_server.shot.render import render, render_layer, resolve, shares_of
from stylebridge_server.shot.shot import Shot
from stylebridge_server.shot.streams import Streams, Workshop
from stylebridge_server.values import Frame, Instance, Pixels, Rgb, SourceInfo

HEIGHT, WIDTH, LAST = 60, 343, 3
STYLES = {
    "same": style.FrameStyle("same-1", "same", "1", lambda rgb: rgb),
    "dark": style.FrameStyle("dark-1", "dark", "1", lambda rgb: rgb * np.float32(0.2)),
    "blue": style.FrameStyle("blue-1", "blue", "1", lambda rgb: rgb[..., ::-1] * np.float32([0.2, 0.6, 1])),
}


class Chart:
    """The same picture on every frame."""

    def __init__(self, pixels: Pixels, space: str, alpha: str = "") -> None:
        height, width, channels = pixels.shape
        self.info = SourceInfo(
            "sequence",
            width,
            height,
            0,
            LAST,
            channels,
            str(pixels.dtype),
            Fraction(24),
            colour=space,
            alpha=alpha,
        )
        self._pixels = pixels

    def read(self, number: int) -> Frame:
        return Frame(number, self._pixels.copy())

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        return (self.read(number) for number in range(first, last + 1))

    def content_hash(self) -> str:
        return "chart"

    def changed(self, number: int | None = None) -> bool:
        return False

    def close(self) -> None:
        pass


class Bench:
    """A shot of one picture, with a disc for an instance, and what renders it."""

    def __init__(self, folder: Path, pixels: Pixels, space: str, alpha: str = "", scale: int = 1) -> None:
        self.shot = Shot(Chart(pixels, space, alpha))
        self.analysis = _analysis(folder, *pixels.shape[:2])
        self.seen = self.shot if scale == 1 else Proxy(self.shot, scale)
        workshop = Workshop(style.load(), "test", Cache(1 << 28), Cache(1 << 28))
        self.streams = Streams(self.seen, self.analysis.scenes(), workshop)

    def look(self, data: dict[str, object]):  # type: ignore[no-untyped-def]
        presets = {name: style.CodeStyle(one.code) for name, one in style.load().presets().items()}
        found = {**STYLES, **presets}
        return resolve(
            Look.from_data({"schema": "look.1", **data}), self.shot, self.analysis, found.__getitem__
        )

    def flat(self, data: dict[str, object], number: int = 2) -> Pixels:
        return render(self.seen, self.analysis, self.look(data), number, self.streams).pixels


def _analysis(folder: Path, height: int, width: int) -> Analysis:
    rows, columns = np.mgrid[:height, :width]
    disc = (np.clip(20 - np.hypot(columns - width / 2, rows - height / 2), 0, 1) * 255).astype(np.uint8)
    builder = AnalysisStore(folder, 1 << 30).builder(width, height)
    for number in range(LAST + 1):
        builder.put(1, number, disc)
    ball = Instance(1, "ball", None, (255, 0, 0), 1, 0, LAST, 0.1)
    return builder.finish(
        "inputs", first=0, last=LAST, cuts=[], instances=[ball], segmenter="test", made_with={}
    )


def ramps() -> Rgb:
    """(60, 343, 3): ramps from 0.0001 to 100, grey and coloured, and -0.1."""
    ramp = np.geomspace(1e-4, 100, WIDTH)
    tints = np.array(
        [(1, 1, 1), (1, 0.01, 0.01), (0.01, 1, 0.2), (0.02, 0.05, 1), (1, -0.1, 0.3), (-0.1, 1, 0.5)]
    )
    rows = [*(ramp[:, None] * tint for tint in tints), np.full((WIDTH, 3), -0.1)]
    return np.repeat(np.stack(rows), 9, 0)[:HEIGHT].astype(np.float32)


def everything(name: str, **values: object) -> dict[str, object]:
    return {"background": {"style": name, **values}}


def bits(pixels: Pixels) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels).view(np.uint8)


@pytest.mark.parametrize("space", ["linear", "acescg", "aces2065-1"])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_network_that_paints_what_it_sees_changes_nothing(tmp_path: Path, space: str, scale: int) -> None:
    bench = Bench(tmp_path, ramps(), space, scale=scale)
    before = bench.seen.read(2).pixels
    assert np.allclose(bench.flat(everything("same")), before, rtol=1e-3, atol=1e-8)


def test_nor_in_a_log_space(tmp_path: Path) -> None:
    codes = ramps()
    encoding = colour.encode("logc4")
    encoding._trip[1].applyRGB(codes)
    result = Bench(tmp_path, codes, "logc4").flat(everything("same"))
    light, before = result.copy(), codes.copy()
    encoding._trip[0].applyRGB(light)
    encoding._trip[0].applyRGB(before)
    assert np.allclose(light, before, rtol=1e-3, atol=1e-6)


def test_a_picture_larger_than_networks_see_changes_nothing_either(tmp_path: Path) -> None:
    wide = np.repeat(np.repeat(ramps(), 10, 0), 2, 1)[:580]
    result = Bench(tmp_path, wide, "acescg").flat(everything("same", detail=1.0))
    assert np.allclose(result, wide, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("preset", ["great-wave", "blue", "dark"])
def test_highlights_survive_a_style(tmp_path: Path, preset: str) -> None:
    pixels = np.full((HEIGHT, 96, 3), 0.2, np.float16)
    pixels[10:40, 20:50] = 16, 14, 12
    pixels[45:55, 60:90] = 2, 1, 0.5
    for keep in (0.0, 1.0):
        result = Bench(tmp_path, pixels, "linear").flat(everything(preset, colour_keep=keep))
        assert result[10:40, 20:50].max(-1).min() > 8
        assert result[pixels.max(-1) > 1].max(-1).min() > 1
        assert np.isfinite(result).all()


def wild() -> Pixels:
    """(60, 96, 4) float16: what a plate may hold: over 1, under 0, glow without cover, infinities, NaN, tiny alpha."""
    rng = np.random.default_rng(2)
    alpha = np.clip((rng.random((HEIGHT, 96)) * 3 - 1), 0, 1).astype(np.float32)
    pixels = np.empty((HEIGHT, 96, 4), np.float16)
    pixels[..., :3] = np.exp2(rng.random((HEIGHT, 96, 3)) * 12 - 6) * alpha[..., None]
    pixels[..., 3] = alpha
    pixels[0, :20, 0], pixels[3, 40:50, :3] = -0.1, 200
    pixels[8, 8:30, 3] = 0
    pixels[20, 20, 1], pixels[21, 50, 0], pixels[22, 30, 3], pixels[40, 70] = np.nan, np.inf, np.nan, -np.inf
    pixels[50, 40:60] = (1e-6, 5e-7, 1e-6, 1e-6)
    return pixels


@pytest.mark.parametrize("alpha", ["premultiplied", "straight", "none"])
@pytest.mark.parametrize("space", ["acescg", "srgb"])
def test_what_is_not_styled_keeps_its_bits(tmp_path: Path, alpha: str, space: str) -> None:
    pixels = wild()
    bench = Bench(tmp_path, pixels, space, alpha)
    off = {"background": {"style": "dark", "strength": 0}, "instance": [{"select": "ball", "strength": 0}]}
    assert (bits(bench.flat(off)) == bits(pixels)).all()
    result = bench.flat({"instance": [{"select": "ball", "style": "dark"}]})
    outside = bench.analysis.matte(1, 2) == 0
    still = outside | ~np.isfinite(pixels).all(-1)
    if alpha == "premultiplied":
        still |= ~(pixels[..., 3] > 0)
    assert (bits(result[still]) == bits(pixels[still])).all()
    assert (bits(result[..., 3]) == bits(pixels[..., 3])).all()
    finite = np.isfinite(pixels).all(-1)
    assert np.isfinite(result[finite]).all()
    styled = ~still & (pixels[..., 3] > 0.1)
    assert (result[styled] != pixels[styled]).any(-1).mean() > 0.95


def test_one_broken_pixel_spoils_no_other(tmp_path: Path) -> None:
    """Flow, blending and the network never see it: all around it is as if it held what is around it."""
    rng = np.random.default_rng(0)
    clean = (0.2 + 0.1 * rng.random((HEIGHT, 96, 4))).astype(np.float16)
    broken = clean.copy()
    broken[30, 40] = np.nan
    look = everything("great-wave")
    whole, spoiled = (
        Bench(tmp_path / name, pixels, "linear", "premultiplied").flat(look).astype(np.float32)
        for name, pixels in (("clean", clean), ("broken", broken))
    )
    assert np.isnan(spoiled[30, 40]).all()
    spoiled[30, 40] = whole[30, 40]
    assert np.abs(spoiled - whole).max() < 0.02


def test_layers_rebuild_the_picture_of_a_premultiplied_plate(tmp_path: Path) -> None:
    pixels = wild().astype(np.float32)
    bench = Bench(tmp_path, pixels, "acescg", "premultiplied")
    data = {**everything("dark"), "instance": [{"select": "ball", "style": "blue"}]}
    look = bench.look(data)
    shares = shares_of(bench.shot, bench.analysis, look, 2)
    result = pixels[..., :3].copy()
    with np.errstate(invalid="ignore"):
        for one in look.styled:
            layer = render_layer(bench.shot, look, one, 2, bench.streams, shares[one])
            result += layer[..., :3] - layer[..., 3:] * pixels[..., :3]
    flat = bench.flat(data)[..., :3]
    finite = np.isfinite(pixels).all(-1)
    size = np.maximum(np.abs(pixels[finite][:, :3]), np.abs(flat[finite]))
    assert (np.abs(result[finite] - flat[finite]) <= size * 2.0**-9 + 1e-6).all()
    assert (composite.result_channels(4), len(look.styled)) == (4, 2)
