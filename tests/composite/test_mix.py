"""The composite formula, identity, alpha and types."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylebridge_server.composite import composite, resolve_mattes, result_channels

DTYPES = (np.uint8, np.uint16, np.float16, np.float32)


def source_of(dtype: type, channels: int, seed: int = 0, shape: tuple[int, int] = (9, 11)) -> np.ndarray:
    generator = np.random.default_rng(seed)
    if np.issubdtype(dtype, np.integer):
        return generator.integers(0, np.iinfo(dtype).max + 1, (*shape, channels)).astype(dtype)
    return (generator.random((*shape, channels)) * 6 - 1).astype(dtype)


def random_layers(seed: int, strengths: tuple[float, ...], shape: tuple[int, int] = (9, 11)) -> list:
    generator = np.random.default_rng(seed)
    mattes = [generator.random(shape, dtype=np.float32) for _ in strengths[1:]]
    for matte in mattes:
        matte[matte < 0.4] = 0
    if mattes:
        shares, background = resolve_mattes([(m, i, 0.0, 0.0, True) for i, m in enumerate(mattes)])
    else:
        shares, background = [], np.ones(shape, np.float32)
    styled = [generator.random((*shape, 3), dtype=np.float32) for _ in strengths]
    return list(zip([background, *shares], strengths, styled, strict=True))


def in_colour(source: np.ndarray) -> np.ndarray:
    channels = source.shape[2]
    return source if channels > 2 else source[..., [0, 0, 0, 1][: channels + 2]]


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(DTYPES),
    st.integers(1, 4),
    st.lists(st.sampled_from([0.0, 0.25, 0.7, 1.0]), min_size=1, max_size=4),
    st.integers(0, 1000),
)
def test_formula(dtype: type, channels: int, strengths: list[float], seed: int) -> None:
    source, layers = source_of(dtype, channels, seed), random_layers(seed, tuple(strengths))
    before = source.copy()
    result = composite(source, layers)
    assert np.array_equal(source, before)
    assert result.dtype == dtype and result.shape == (9, 11, result_channels(channels))

    integer = np.issubdtype(dtype, np.integer)
    scale = float(np.iinfo(dtype).max) if integer else 1.0
    plate = in_colour(source)
    colour = plate[..., :3].astype(np.float64) / scale
    expected = colour + sum(m[..., None].astype(np.float64) * s * (S - colour) for m, s, S in layers)
    tolerance = {np.uint8: 0.501, np.uint16: 0.52, np.float16: 2e-3, np.float32: 1e-5}[dtype]
    assert np.abs(result[..., :3].astype(np.float64) - expected * scale).max() <= tolerance
    if channels in (2, 4):
        assert result[..., 3].tobytes() == source[..., -1].tobytes()
    untouched = sum(m * s for m, s, _ in layers) == 0
    assert np.array_equal(result[untouched], plate[untouched])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_strength_zero_is_identity(dtype: type, channels: int) -> None:
    source = source_of(dtype, channels)
    layers = random_layers(1, (0.0, 0.0, 0.0))
    assert composite(source, layers).tobytes() == in_colour(source).tobytes()
    assert composite(source, []).tobytes() == in_colour(source).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_full_strength_is_the_styled_picture(dtype: type) -> None:
    source = source_of(dtype, 4)
    styled = np.random.default_rng(5).random((9, 11, 3), dtype=np.float32)
    result = composite(source, [(np.ones((9, 11), np.float32), 1.0, styled)])
    if np.issubdtype(dtype, np.integer):
        expected = np.rint(styled * np.float32(np.iinfo(dtype).max))
    else:
        expected = styled.astype(dtype)
    assert np.array_equal(result[..., :3], expected)


@pytest.mark.parametrize(("dtype", "levels"), [(np.uint8, 256), (np.uint16, 65536)])
def test_every_code_value_survives_a_style_that_changes_nothing(dtype: type, levels: int) -> None:
    codes = np.arange(levels).astype(dtype).reshape(16, -1, 1)
    source = np.concatenate([codes, codes[::-1], codes], axis=2)
    same = source.astype(np.float32) / np.float32(levels - 1)
    for strength in (0.3, 1.0):
        result = composite(source, [(np.full(source.shape[:2], 0.6, np.float32), strength, same)])
        assert np.array_equal(result, source)


def test_values_outside_the_display_are_kept_in_float() -> None:
    source = np.array([[[200.0, -0.1, 3.0]]], np.float32)
    styled = np.array([[[0.5, 0.5, 0.5]]], np.float32)
    result = composite(source, [(np.full((1, 1), 0.5, np.float32), 1.0, styled)])
    assert np.allclose(result, [[[100.25, 0.2, 1.75]]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_nothing_that_is_no_number_is_made(dtype: type) -> None:
    source = np.full((4, 6, 4), 0.5, dtype)
    source[0, 0, 1], source[1, 1, 0], source[2, 2, 2] = np.nan, np.inf, -np.inf
    source[2, 4, 3] = np.nan
    styled = np.full((4, 6, 3), 0.25, np.float32)
    styled[3, 3] = np.nan
    styled[3, 4] = 1e6  # beyond a float16
    result = composite(source, [(np.ones((4, 6), np.float32), 1.0, styled)])
    broken = ~np.isfinite(source).all(axis=-1)
    broken[3, 3] = True
    assert np.array_equal(result[broken], source[broken], equal_nan=True)
    assert np.isfinite(result[~broken][:, :3]).all()
    assert (result[0, 1, :3] == 0.25).all()
    assert (result[3, 4, :3] == (65504 if dtype == np.float16 else 1e6)).all()


def test_a_layer_may_hold_anything_outside_its_share() -> None:
    source = source_of(np.uint8, 3)
    share = np.zeros((9, 11), np.float32)
    share[2:5, 3:6] = 1
    styled = np.full((9, 11, 3), np.nan, np.float32)
    styled[2:5, 3:6] = 0.5
    ground = np.full((9, 11, 3), 0.1, np.float32)
    result = composite(source, [(share, 1.0, styled), (1 - share, 1.0, ground)])
    assert (result[2:5, 3:6] == 128).all() and (result[0] == 26).all()


def test_rounding_is_unbiased() -> None:
    source = np.zeros((200, 200, 3), np.uint8)
    styled = np.random.default_rng(8).random((200, 200, 3), dtype=np.float32)
    result = composite(source, [(np.ones((200, 200), np.float32), 0.7, styled)])
    assert abs(float((result - 0.7 * 255 * styled.astype(np.float64)).mean())) < 0.003


def test_rows_do_not_show() -> None:
    """The result of a tall picture is that of its parts: bands are an inner matter."""
    source, layers = source_of(np.uint16, 3, shape=(300, 7)), random_layers(2, (0.5, 1.0), (300, 7))
    whole = composite(source, layers)
    part = composite(source[77:99], [(m[77:99], s, S[77:99]) for m, s, S in layers])
    assert np.array_equal(whole[77:99], part)
