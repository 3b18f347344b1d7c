"""There and back: what is not painted comes back, highlights survive, alpha leaves no fringes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.colour import Encoding, encode, shaper
from stylebridge_server.values import Pixels, Rgb

SCENE = ("linear", "acescg", "aces2065-1")
LOGS = ("acescct", "logc3", "logc4")


def chart() -> Rgb:
    """(12, N, 3) of scene-linear values: ramps from 0.0001 to 100 of grey, of saturated colours and of colours with
    channels under 0; and all mixtures of a few values."""
    ramp = np.geomspace(1e-4, 100, 343, dtype=np.float32)
    tints = [*itertools.product((1, 0.001), repeat=3)][:-1]
    rows = [ramp[:, None] * np.array(tint, np.float32) for tint in tints]
    rows += [ramp[:, None] * np.array(tint) for tint in ((1, -0.1, 0.5), (-0.1, 1, -0.05), (0.2, -0.1, 1))]
    rows.append(np.array([*itertools.product((-0.1, 0, 1e-4, 0.18, 1, 16, 100), repeat=3)]))
    rows.append(np.full((343, 3), -0.1))
    return np.stack(rows).astype(np.float32)


def identity(shown: Rgb) -> Rgb:
    """A network that paints what it sees, kept with 16 bits as streams are."""
    return np.rint(shown * 65535).astype(np.uint16).astype(np.float32) / np.float32(65535)


def there_and_back(encoding: Encoding, pixels: Pixels) -> NDArray[np.float32]:
    seen = encoding.display(pixels)
    assert seen.min() >= 0 and seen.max() <= 1
    return encoding.back(identity(seen), seen, pixels)


@pytest.mark.parametrize("space", [*SCENE, "srgb"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_is_not_painted_comes_back(space: str, dtype: type) -> None:
    pixels = chart().astype(dtype)
    back = there_and_back(encode(space), pixels)
    assert np.abs(back / np.where(pixels == 0, 1, pixels).astype(np.float32) - (pixels != 0)).max() < 1e-3


@pytest.mark.parametrize("space", LOGS)
def test_what_is_not_painted_comes_back_from_logarithms(space: str) -> None:
    """Compared as light: 0.1 % of it is less than a hundred thousandth of a code there."""
    encoding = encode(space)
    codes = chart().reshape(1, -1, 3)
    encoding._trip[1].applyRGB(codes)
    back = there_and_back(encoding, codes)
    light, before = back.copy(), codes.copy()
    encoding._trip[0].applyRGB(light)
    encoding._trip[0].applyRGB(before)
    assert np.allclose(light, before, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("space", SCENE)
def test_the_way_back_itself_is_exact_and_not_only_the_choice_of_the_source(space: str) -> None:
    """Painted a hair, everywhere: nothing is taken from the source, and nothing moves by more than the paint."""
    encoding, pixels = encode(space), chart()
    seen = encoding.display(pixels)
    painted = np.clip(seen + np.float32(2e-5), 0, 1)
    moved = encoding.back(painted, seen, pixels) - pixels
    size = np.abs(pixels).max(-1, keepdims=True)
    assert (np.abs(moved) <= 1e-3 * size + 1e-4).all()


def paints(shape: tuple[int, ...]) -> dict[str, Rgb]:
    rng = np.random.default_rng(3)
    return {
        "black": np.zeros(shape, np.float32),
        "blue": np.broadcast_to(np.array([0, 0.05, 0.9], np.float32), shape).copy(),
        "anything": rng.random(shape, np.float32),
    }


@pytest.mark.parametrize("space", SCENE[:1])
@pytest.mark.parametrize("paint", ["black", "blue", "anything"])
def test_highlights_stay_highlights_whatever_is_painted(space: str, paint: str) -> None:
    encoding = encode(space)
    pixels = np.abs(chart())
    seen = encoding.display(pixels)
    back = encoding.back(paints(seen.shape)[paint], seen, pixels)
    before, after = pixels.max(-1), back.max(-1)
    assert (after[before > 1] > 1).all()
    assert (after[before >= 16] > before[before >= 16] / 2).all()
    assert (back >= -1e-6).all()


def test_grey_highlights_stay_over_half_in_the_other_spaces_too() -> None:
    for space in SCENE[1:]:
        pixels = np.full((1, 1, 3), 16, np.float32)
        seen = encode(space).display(pixels)
        assert encode(space).back(np.zeros_like(seen), seen, pixels).max() > 8


def test_mid_grey_is_shown_as_a_display_shows_it() -> None:
    pixels = np.full((1, 1, 3), 0.18, np.float32)
    assert encode("linear").display(pixels) == pytest.approx(0.4614, abs=1e-3)
    dark = np.linspace(0, 0.3, 100, dtype=np.float32)[None, :, None].repeat(3, 2)
    painted = np.random.default_rng(0).random(dark.shape, np.float32)
    back = encode("linear").back(painted, encode("linear").display(dark), dark)
    assert np.allclose(back, shaper.decode(painted), atol=5e-5)


def test_compression_begins_without_a_step_or_an_edge() -> None:
    n = np.linspace(0.2, 1.2, 10001, dtype=np.float32)
    for curve in (shaper.tone(n), shaper.floor(n)):
        assert (np.diff(curve) > -1e-7).all()
        slopes = np.diff(curve.astype(np.float64)) / 1e-4
        assert np.abs(np.diff(slopes)).max() < 0.05
    ramp = n[None, :, None].repeat(3, 2)
    for level in (0.0, 0.2, 0.6, 1.0):
        back = encode("linear").back(np.full_like(ramp, level), encode("linear").display(ramp), ramp)
        assert np.abs(np.diff(back, axis=1)).max() < 5e-4
        assert (np.diff(back, axis=1) > -1e-6).all()
    assert shaper.floor(np.float32([0.99999, 1.00001])) == pytest.approx([1, 1], abs=1e-4)
    assert (shaper.tone(np.float32([1e3, 65504, 3e38])) <= 1).all()


def test_the_hue_of_highlights_is_not_clipped() -> None:
    pixels = np.array([[[40, 10, 2.5]]], np.float32)
    light = shaper.decode(encode("linear").display(pixels))[0, 0]
    assert light / light.max() == pytest.approx([1, 0.25, 0.0625], rel=1e-3)


def edge(premultiplied: bool) -> tuple[Pixels, NDArray[np.float32]]:
    """An antialiased edge of a bright thing on nothing, and its alpha."""
    alpha = np.clip((np.arange(64, dtype=np.float32) - 30) / 5, 0, 1)[None].repeat(16, 0)
    colour = np.array([0.6, 0.3, 0.1], np.float32)
    rgb = np.where(alpha[..., None] > 0, colour, 0)
    if premultiplied:
        rgb = rgb * alpha[..., None]
    return np.concatenate((rgb, alpha[..., None]), axis=-1).astype(np.float32), alpha


@pytest.mark.parametrize("alpha", ["premultiplied", "straight"])
@pytest.mark.parametrize("space", ["linear", "srgb"])
def test_networks_see_no_edge_where_only_alpha_has_one(alpha: str, space: str) -> None:
    pixels, _ = edge(alpha == "premultiplied")
    seen = encode(space, alpha, 4).display(pixels)
    assert np.ptp(seen, axis=(0, 1)).max() < 1e-4


def test_a_painted_edge_keeps_its_alpha_as_its_profile() -> None:
    pixels, alpha = edge(True)
    encoding = encode("acescg", "premultiplied", 4)
    seen = encoding.display(pixels)
    back = encoding.back(np.full_like(seen, 0.5), seen, pixels)
    inside = alpha > 0
    assert np.allclose(back[inside] / alpha[inside][:, None], back[0, -1], rtol=1e-4)
    assert (back[~inside] == 0).all()


def test_what_shines_where_alpha_is_0_comes_back_as_it_was() -> None:
    pixels, _ = edge(True)
    pixels[3, 5, :3] = 4.0, 0.1, -0.3
    encoding = encode("linear", "premultiplied", 4)
    seen = encoding.display(pixels)
    back = encoding.back(np.full_like(seen, 0.5), seen, pixels)
    assert (back[3, 5] == pixels[3, 5, :3]).all()


@pytest.mark.parametrize("space", ["linear", "srgb", "logc3"])
def test_what_is_not_finite_is_seen_by_nobody(space: str) -> None:
    pixels = np.full((20, 30, 4), 0.4, np.float16)
    clean = encode(space, "premultiplied", 4).display(pixels)
    pixels[4, 5, 0], pixels[9, 9, 1], pixels[15, 2, 3] = np.nan, np.inf, -np.inf
    seen = encode(space, "premultiplied", 4).display(pixels)
    assert np.abs(seen - clean).max() < 1e-5
    back = encode(space, "premultiplied", 4).back(seen * 0.5, seen, pixels)
    whole = np.isfinite(pixels).all(-1)
    assert np.isfinite(back[whole]).all()


def test_plain_integers_are_what_they_were() -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (9, 70, 3), np.uint16)
    encoding = encode()
    seen = encoding.display(pixels)
    assert (seen == pixels.astype(np.float32) / np.float32(65535)).all()
    painted = seen[::-1].copy()
    assert encoding.back(painted, seen, pixels) is painted
    assert encoding.id is None


@pytest.mark.parametrize(
    "space", ["linear", "Linear Rec.709 (sRGB)", "lin_rec709", "LIN_SRGB", "Linear Rec709 sRGB"]
)
def test_a_space_has_one_name_whatever_it_is_called(space: str) -> None:
    assert encode(space).id == encode("linear").id
    assert encode(space).colour == "Linear Rec.709 (sRGB)"


def test_roles_and_cameras_are_known() -> None:
    assert encode("scene_linear").colour == "ACEScg"
    assert encode("LogC").colour == "ARRI LogC3 (EI800)"
    assert encode("S-Log3 S-Gamut3").colour == "S-Log3 S-Gamut3"
    assert encode("sRGB") == encode("srgb") and encode("sRGB - Texture").colour.startswith("sRGB Enc")


@pytest.mark.parametrize(
    ("space", "alpha", "channels", "words"),
    [
        ("ACEScgg", None, 3, "There is no colour space 'ACEScgg'.*did you mean 'ACEScg'"),
        ("logc5", None, 3, "did you mean 'logc"),
        ("raw", None, 3, "holds data and no colours"),
        ("", None, 3, "no colour space ''"),
        ("linear", "premultiplied", 3, 'Pictures of 3 channels cannot have the alpha "premultiplied"'),
        ("linear", "premult", 4, "did you mean 'premultiplied'"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(
    space: str, alpha: str | None, channels: int, words: str
) -> None:
    with pytest.raises(StylebridgeError, match=words) as refused:
        encode(space, alpha, channels)
    assert refused.value.code == Code.BAD_VALUE
