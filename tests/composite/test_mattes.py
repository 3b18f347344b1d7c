"""Mattes: grow, softness, z-order, and that the shares make one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stylebridge_server.composite import resolve_mattes
from stylebridge_server.composite.mattes import shape_matte

UNIT = st.floats(0, 1, width=32)
SOFT = hnp.arrays(np.float32, (12, 17), elements=UNIT)


def disc(radius: float, blur: float = 0.0, size: int = 161) -> np.ndarray:
    """A disc in the middle, its edge antialiased: (size, size) float32."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) - size // 2
    matte = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(matte, (0, 0), blur)) if blur else matte


def radius_of(matte: np.ndarray) -> float:
    return float(np.sqrt(matte.sum(dtype=np.float64) / np.pi))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(SOFT, st.integers(-2, 2), st.floats(-6, 6), st.floats(0, 9), st.booleans()),
        min_size=1,
        max_size=4,
    )
)
def test_shares_sum_to_one(instances: list[tuple[np.ndarray, int, float, float, bool]]) -> None:
    shares, background = resolve_mattes(instances)
    assert len(shares) == len(instances)
    for share, (_, _, _, _, visible) in zip(shares, instances, strict=True):
        assert share.dtype == np.float32 and share.min() >= 0 and share.max() <= 1
        assert visible or not share.any()
    assert background.min() >= 0
    assert np.abs(sum(shares) + background - 1).max() < 1e-6


def test_higher_z_lies_on_top_whatever_the_order() -> None:
    low, high = np.full((4, 4), 1.0, np.float32), np.full((4, 4), 0.75, np.float32)
    for order in (1, -1):
        placed = [(low, 1, 0.0, 0.0, True), (high, 2, 0.0, 0.0, True)][::order]
        shares, background = resolve_mattes(placed)
        below, above = shares[::order]
        assert (above == 0.75).all() and (below == 0.25).all() and not background.any()


def test_of_equal_z_the_later_lies_on_top() -> None:
    full = np.ones((2, 2), np.float32)
    shares, _ = resolve_mattes([(full, 0, 0.0, 0.0, True), (full, 0, 0.0, 0.0, True)])
    assert not shares[0].any() and (shares[1] == 1).all()


def test_an_invisible_instance_uncovers_what_is_below() -> None:
    full = np.ones((2, 2), np.float32)
    shares, background = resolve_mattes([(full, 0, 0.0, 0.0, True), (full, 9, 0.0, 0.0, False)])
    assert (shares[0] == 1).all() and not shares[1].any() and not background.any()


def test_no_background_between_things_that_touch() -> None:
    ramp = np.tile(np.clip(np.linspace(-1, 2, 40, dtype=np.float32), 0, 1), (5, 1))
    _, background = resolve_mattes([(ramp, 1, 0.0, 0.0, True), (1 - ramp, 0, 0.0, 0.0, True)])
    assert background.max() < 1e-6


def test_untouched_matte_is_itself() -> None:
    matte = disc(30, 2.0)
    assert np.array_equal(shape_matte(matte, 0.0, 0.0), matte)


@pytest.mark.parametrize("blur", [0.0, 2.0])
@pytest.mark.parametrize("grow", [-12.5, -3.0, -1.0, -0.3, 0.3, 1.0, 2.5, 7.25, 20.0])
def test_growth_is_in_pixels(grow: float, blur: float) -> None:
    grown = shape_matte(disc(40, blur), grow, 0.0)
    assert radius_of(grown) == pytest.approx(40 + grow, abs=0.35)


def test_growth_glides() -> None:
    """Every step of a slow keyframe moves the edge by about its own size, and none jumps."""
    matte = disc(40, 1.0)
    radii = [radius_of(shape_matte(matte, grow, 0.0)) for grow in np.arange(-4, 4.01, 0.1)]
    steps = np.diff(radii)
    assert steps.min() > 0.03 and steps.max() < 0.17


@pytest.mark.parametrize("softness", [0.5, 3.0, 12.0])
def test_softness_widens_the_edge_and_keeps_the_size(softness: float) -> None:
    soft = shape_matte(disc(40), 0.0, softness)
    assert radius_of(soft) == pytest.approx(40, abs=0.2)
    row = soft[80, 80:]
    width = int((row > 0.02).sum() - (row > 0.98).sum())
    assert softness - 2 <= width <= softness + 3


def test_a_matte_at_the_edge_of_the_picture_stays_there() -> None:
    matte = np.zeros((40, 60), np.float32)
    matte[:, :20] = 1
    for grow, softness in ((3.0, 0.0), (0.0, 6.0), (-4.0, 5.0)):
        shaped = shape_matte(matte, grow, softness)
        assert (shaped[:, :5] > 0.999).all()
        assert np.abs(shaped - shaped[20]).max() < 1e-5  # no rounding at the corners of the picture


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (3, 50)])
def test_flat_mattes_and_any_size(value: float, shape: tuple[int, int]) -> None:
    matte = np.full(shape, value, np.float32)
    for grow in (-2.0, 0.0, 2.0):
        shaped = shape_matte(matte, grow, 1.5)
        assert shaped.shape == shape and shaped.min() >= 0 and shaped.max() <= 1
        if value in (0.0, 1.0):
            assert np.allclose(shaped, value, atol=1e-6)


def test_inputs_are_left_alone_and_results_repeat() -> None:
    matte = disc(20, 1.0)
    kept = matte.copy()
    first = shape_matte(matte, 2.5, 3.0)
    assert np.array_equal(matte, kept)
    assert first.tobytes() == shape_matte(matte, 2.5, 3.0).tobytes()
