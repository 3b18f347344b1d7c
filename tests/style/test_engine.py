"""The engine: pieces fit, results repeat, odd pictures are handled, and styling is really done."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import style
from stylebridge_server.values import Rgb, Tile


@pytest.fixture(scope="module")
def engine() -> style.Engine:
    return style.load()


def picture(height: int, width: int, seed: int = 0) -> Rgb:
    """A smooth scene with edges: bands of colour and a disc."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    phase = np.array([0.0, 2.1, 4.2], np.float32) + seed
    bands = 0.5 + 0.4 * np.sin(x[..., None] / 23 + y[..., None] / 41 + phase)
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(height, width) / 4) ** 2
    bands[disc] = bands[disc][:, ::-1]
    return np.ascontiguousarray(bands, np.float32)


def whole(engine: style.Engine, rgb: Rgb, code: NDArray[np.float32]) -> Rgb:
    """The picture, tile by tile."""
    features, statistics = engine.features(rgb), engine.statistics([rgb])
    result = np.full_like(rgb, np.nan)
    for tile in style.tiles(*rgb.shape[:2]):
        result[tile.slices] = engine.decode(features, statistics, code, tile)
    return result


def preset(engine: style.Engine, name: str) -> NDArray[np.float32]:
    return engine.presets()[name].code


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (3, 4097), (360, 640), (257, 130)])
def test_every_size(engine: style.Engine, size: tuple[int, int]) -> None:
    result = whole(engine, picture(*size), preset(engine, "starry-night"))
    assert result.shape == (*size, 3) and result.dtype == np.float32
    assert np.isfinite(result).all() and result.min() >= 0 and result.max() <= 1


def test_tiles_fit_without_a_seam(engine: style.Engine) -> None:
    rgb = picture(300, 520)
    code = preset(engine, "great-wave")
    one = engine.decode(engine.features(rgb), engine.statistics([rgb]), code, Tile(0, 0, 520, 300))
    assert np.array_equal(whole(engine, rgb, code), one)


def test_tile_that_begins_inside_a_cell(engine: style.Engine) -> None:
    rgb = picture(64, 96)
    code = preset(engine, "fauve")
    features, statistics = engine.features(rgb), engine.statistics([rgb])
    one = engine.decode(features, statistics, code, Tile(0, 0, 96, 64))
    part = engine.decode(features, statistics, code, Tile(13, 6, 50, 41))
    assert np.abs(part - one[6:41, 13:50]).max() <= 1e-4


def test_far_change_does_not_reach_a_tile(engine: style.Engine) -> None:
    """Locality, bit for bit: with statistics given, a change 100 pixels away changes nothing."""
    rgb = picture(256, 768)
    other = rgb.copy()
    other[:, 400:] = 1 - other[:, 400:]
    statistics, code = engine.statistics([rgb]), preset(engine, "shipwreck")
    tile = Tile(0, 0, 256, 256)
    a = engine.decode(engine.features(rgb), statistics, code, tile)
    b = engine.decode(engine.features(other), statistics, code, tile)
    assert np.array_equal(a, b)


def test_repeats_in_any_order(engine: style.Engine) -> None:
    rgb = picture(300, 520)
    code = preset(engine, "wheat-field")
    features, statistics = engine.features(rgb), engine.statistics([rgb])
    tiles = style.tiles(300, 520)
    forwards = [engine.decode(features, statistics, code, tile) for tile in tiles]
    again, second = style.load(), None
    for tile, expected in reversed(list(zip(tiles, forwards, strict=True))):
        second = again.decode(again.features(rgb), again.statistics([rgb]), code, tile)
        assert np.array_equal(second, expected)


def test_bands_equal_one_band(engine: style.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from stylebridge_server.style import layout

    rgb = picture(200, 96)
    one = engine.features(rgb).cells
    monkeypatch.setattr(layout, "bands", lambda rows, columns: [(0, 17), (17, 33), (33, rows)])
    assert float((engine.features(rgb).cells - one).abs().max()) <= 1e-5


def test_bands_cover_all_rows_and_stay_small() -> None:
    from stylebridge_server.style.layout import bands

    for rows, columns in ((1, 1), (135, 240), (1080, 1920), (1, 20000)):
        parts = bands(rows, columns)
        assert parts[0][0] == 0 and parts[-1][1] == rows
        assert all(a[1] == b[0] for a, b in itertools.pairwise(parts))
        assert all((b - a) * columns <= 40_000 or b - a <= 16 for a, b in parts)


def test_values_outside_the_range_do_no_harm(engine: style.Engine) -> None:
    rgb = picture(32, 32) * 3 - 1
    rgb[3, 3] = np.nan
    rgb[5, 5] = np.inf
    assert np.isfinite(whole(engine, rgb, preset(engine, "starry-night"))).all()


def test_runs_are_counted() -> None:
    engine = style.load()
    rgb = picture(16, 16)
    code = engine.code(rgb)
    statistics = engine.statistics([rgb, rgb])
    assert engine.runs == {"encode": 0, "decode": 0}
    features = engine.features(rgb)
    for _ in range(2):
        engine.decode(features, statistics, code, Tile(0, 0, 16, 16))
    assert engine.runs == {"encode": 1, "decode": 2}
    assert features.nbytes == 4 * 4 * 67 * 4


def test_styling_changes_a_picture_and_styles_differ(engine: style.Engine) -> None:
    rgb = picture(128, 192)
    night, wave = (whole(engine, rgb, preset(engine, name)) for name in ("starry-night", "great-wave"))
    assert np.abs(night - rgb).mean() > 0.08
    assert np.abs(night - wave).mean() > 0.08
    # Neither a flat colour nor a picture lost in white or black.
    assert 0.05 < night.mean() < 0.95 and night.std() > 0.05 and wave.std() > 0.05


def test_mixing_two_codes_changes_the_picture_evenly(engine: style.Engine) -> None:
    rgb = picture(128, 192)
    night, fauve = preset(engine, "starry-night"), preset(engine, "fauve")
    mixed = [whole(engine, rgb, (1 - share) * night + share * fauve) for share in (0, 0.25, 0.5, 0.75, 1)]
    steps = [float(np.abs(b - a).mean()) for a, b in itertools.pairwise(mixed)]
    assert min(steps) > 0.005 and max(steps) < 2.5 * min(steps)
    # And it leads from the one to the other: no detour.
    assert sum(steps) < 1.5 * float(np.abs(mixed[-1] - mixed[0]).mean())


def test_noise_is_not_blown_up_in_a_smooth_scene(engine: style.Engine) -> None:
    rgb = picture(128, 192)
    noisy = rgb + np.random.default_rng(0).normal(0, 0.02, rgb.shape).astype(np.float32)
    code, statistics = preset(engine, "starry-night"), engine.statistics([rgb])
    tile = Tile(0, 0, 192, 128)
    clean, other = (engine.decode(engine.features(x), statistics, code, tile) for x in (rgb, noisy))
    assert (clean - other).std() < 2.5 * 0.02


def test_presets(engine: style.Engine) -> None:
    presets = engine.presets()
    assert len(presets) >= 8 and {"starry-night", "wheat-field", "great-wave"} <= set(presets)
    for name, entry in presets.items():
        assert entry.name == name and entry.title and entry.credit
        assert entry.code.shape == (137,) and entry.code.dtype == np.float32 and np.isfinite(entry.code).all()


def test_codes_of_odd_style_pictures(engine: style.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylebridge_models.fitting._STEPS", 2)
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    code = engine.code(base)
    alpha = np.dstack([base, np.full((40, 60), 9, np.uint8)])
    assert np.array_equal(engine.code(alpha), code)
    assert np.allclose(engine.code(base.astype(np.uint16) * 257), code, atol=1e-4)
    assert np.allclose(engine.code(base.astype(np.float32) / 255), code, atol=1e-4)
    grey = base[..., :1]
    assert np.array_equal(engine.code(grey), engine.code(grey[..., 0]))
    assert np.array_equal(engine.code(grey), engine.code(np.repeat(grey, 3, 2)))
    for odd in (
        base[:1, :1],
        base[:1],
        rng.random((2000, 3, 3), dtype=np.float32),
        np.zeros((5, 5, 2), np.uint8),
    ):
        assert np.isfinite(engine.code(odd)).all()


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 4, 3)), np.zeros(5), np.zeros((4, 4, 5)), np.zeros((2, 2, 3), complex)]
)
def test_what_is_no_picture_is_refused(engine: style.Engine, bad: NDArray[np.float32]) -> None:
    with pytest.raises(StylebridgeError) as caught:
        engine.code(bad)
    assert caught.value.code == Code.BAD_VALUE


def test_tile_outside_the_picture_is_refused(engine: style.Engine) -> None:
    rgb = picture(8, 8)
    features, statistics = engine.features(rgb), engine.statistics([rgb])
    for tile in (Tile(0, 0, 9, 8), Tile(-1, 0, 4, 4), Tile(4, 4, 4, 8)):
        with pytest.raises(StylebridgeError):
            engine.decode(features, statistics, preset(engine, "fauve"), tile)
    with pytest.raises(StylebridgeError):
        engine.statistics([])


def test_network_size() -> None:
    assert style.network_size(360, 640, 1.0) == (360, 640)
    assert style.network_size(1080, 1920, 1.0) == (540, 960)
    assert style.network_size(1080, 1920, 2.0) == (270, 480)
    assert style.network_size(3, 4097, 1.0) == (3, 4097)
    assert style.network_size(1, 1, 4.0) == (1, 1)
    for bad in ((0, 5, 1.0), (5, 5, 0.0), (5, 5, float("nan"))):
        with pytest.raises(StylebridgeError):
            style.network_size(*bad)


def test_tiles_cover_every_pixel_once() -> None:
    for height, width in ((1, 1), (256, 256), (540, 960), (3, 4097)):
        seen = np.zeros((height, width), int)
        for tile in style.tiles(height, width):
            seen[tile.slices] += 1
        assert (seen == 1).all()


def test_tiles_are_the_same_in_every_piece(engine: style.Engine) -> None:
    rgb = picture(300, 520)
    code = preset(engine, "tahiti")
    features, statistics = engine.features(rgb), engine.statistics([rgb])
    one = engine.decode(features, statistics, code, Tile(0, 0, 520, 300))
    tiles = style.tiles(300, 520)
    for wanted in (tiles[::5], tiles[3:9], tiles):
        for piece in style.pieces(wanted):
            assert np.array_equal(engine.decode(features, statistics, code, piece), one[piece.slices])


def test_pieces_hold_every_wanted_tile_whole_and_cost_less_than_tiles() -> None:
    tiles = style.tiles(540, 960)
    rng = np.random.default_rng(0)
    for share in (0.05, 0.3, 0.7, 1.0):
        wanted = [tile for tile in tiles if rng.uniform() < share]
        found = style.pieces(wanted)
        for tile in wanted:
            assert any(
                piece.x0 <= tile.x0 and tile.x1 <= piece.x1 and piece.y0 <= tile.y0 and tile.y1 <= piece.y1
                for piece in found
            )
        spent, alone = (
            sum((one.x1 - one.x0 + 48) * (one.y1 - one.y0 + 48) for one in some) for some in (found, wanted)
        )
        assert spent <= alone
    assert style.pieces(tiles) == [Tile(0, 0, 960, 540)]
    assert style.pieces([]) == []
    apart = [tiles[0], tiles[-1]]
    assert style.pieces(apart) == apart


def test_pieces_of_a_huge_picture_stay_small() -> None:
    found = style.pieces(style.tiles(4096, 4096))
    assert all((one.x1 - one.x0) * (one.y1 - one.y0) <= 1_000_000 for one in found)
