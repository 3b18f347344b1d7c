"""Curves: exact at keys, between their neighbours elsewhere, and the same data out as in."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stylebridge.errors import Code, StylebridgeError
from stylebridge.keyframes import INTERPOLATIONS, Curve, Key, bake

FRAMES = st.integers(-5000, 5000) | st.floats(-5000, 5000, allow_nan=False)
VALUES = st.integers(0, 1) | st.floats(-10, 10, allow_nan=False)
KEYS = st.tuples(FRAMES, VALUES).map(list) | st.tuples(FRAMES, VALUES, st.sampled_from(INTERPOLATIONS)).map(
    list
)
CURVES = st.lists(KEYS, min_size=1, max_size=6, unique_by=lambda key: float(key[0]))


@given(CURVES | VALUES)
def test_plain_data_comes_back_as_it_was(data: Any) -> None:
    back = Curve.from_data(data).to_data()
    assert back == data and repr(back) == repr(data)  # 1 stays 1 and 1.0 stays 1.0, in the same order


@given(CURVES)
def test_keys_are_exact_and_the_ends_stay(data: list[Any]) -> None:
    curve = Curve.from_data(data)
    for frame, value, *_ in data:
        assert curve.evaluate(frame) == value
    ordered = sorted(data, key=lambda key: float(key[0]))
    assert curve.evaluate(ordered[0][0] - 1000.5) == ordered[0][1]
    assert curve.evaluate(ordered[-1][0] + 1000.5) == ordered[-1][1]


@given(CURVES, FRAMES)
def test_values_lie_between_the_neighbouring_keys(data: list[Any], frame: float) -> None:
    before = [key for key in data if key[0] <= frame] or [min(data, key=lambda key: float(key[0]))]
    after = [key for key in data if key[0] >= frame] or [max(data, key=lambda key: float(key[0]))]
    ends = (max(before, key=lambda key: float(key[0]))[1], min(after, key=lambda key: float(key[0]))[1])
    assert min(ends) <= Curve.from_data(data).evaluate(frame) <= max(ends)


@given(
    st.lists(st.tuples(st.integers(-500, 500), VALUES, st.sampled_from(["linear", "smooth"])), min_size=1),
    st.floats(-600, 600),
)
def test_linear_and_smooth_never_jump(keys: list[Any], frame: float) -> None:
    assume(len({key[0] for key in keys}) == len(keys))
    curve = Curve.from_data([list(key) for key in keys])
    # Values differ by at most 20 and whole frames lie between keys; smooth is at most 1.5 times as steep.
    assert abs(curve.evaluate(frame + 1e-3) - curve.evaluate(frame)) <= 20 * 1.5 * 1e-3 + 1e-9


def test_interpolations() -> None:
    curve = Curve.from_data([[30, 1, "hold"], [10, 0.0], [20, 1.0, "smooth"], [40, 3.0, "smooth"], [44, 7.0]])
    assert curve.evaluate(12.5) == 0.25
    assert curve.evaluate(25) == 1.0
    assert curve.evaluate(39.999) == 1.0 and curve.evaluate(40) == 3.0
    assert curve.evaluate(41) == pytest.approx(3 + 4 * 0.15625)  # 3 u^2 - 2 u^3 at u = 1/4
    assert curve.evaluate(42) == 5.0
    assert isinstance(curve.evaluate(30), float)


def test_curves_that_hold() -> None:
    curve = Curve.from_data([[1, "a"], [40.5, "b", "hold"]], hold=True)
    assert [curve.evaluate(frame) for frame in (0, 40, 40.5, 99)] == ["a", "a", "b", "b"]
    assert curve.values == ("a", "b")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            [[1, 0], [5, 1], [1.0, 0.5]],
            "strength has two keys at frame 1, its keys 1 and 3; keep one of them.",
        ),
        ([], "strength has an empty list of keys."),
        ([1, 0.5], "strength, key 1, is 1; a key is [frame, value] or [frame, value, interpolation]."),
        ([[1, 0.5, "smoth"]], "strength, key 1, goes on with 'smoth'; did you mean 'smooth'?"),
        ([[1, 0.5, None]], "strength, key 1, goes on with nothing; known are linear, smooth, hold."),
        ([[1, 0.5], [2, "x"]], "strength, key 2, is 'x'; it must be a number."),
        (
            [[True, 0.5]],
            "strength, key 1, is at frame true; a frame is a number no further than 1000000000 from 0.",
        ),
        ("high", "strength is 'high'; it must be a number."),
    ],
)
def test_bad_keys_are_named(data: object, sentence: str) -> None:
    with pytest.raises(StylebridgeError) as caught:
        Curve.from_data(data, name="strength")
    assert caught.value.code == Code.BAD_VALUE
    assert caught.value.message == sentence


@pytest.mark.parametrize("frame", [math.nan, math.inf, -(10**10)])
def test_frames_are_finite(frame: float) -> None:
    with pytest.raises(StylebridgeError):
        Curve.from_data([[frame, 0.5]])


def test_a_curve_that_holds_refuses_to_mix() -> None:
    with pytest.raises(StylebridgeError, match="style can only hold between keys"):
        Curve.from_data([[1, "a", "linear"], [2, "b"]], name="style", hold=True)


def test_constant_and_zero() -> None:
    assert Curve.from_data(0.5).is_constant and not Curve.from_data(0.5).is_zero(1, 9)
    assert Curve.from_data([[1, 2], [5, 2.0]]).is_constant
    ramp = Curve.from_data([[10, 0], [20, 1], [30, 0], [50, 0]])
    assert not ramp.is_constant
    assert ramp.is_zero(-5, 10) and ramp.is_zero(30, 99) and ramp.is_zero(10, 10)
    assert not ramp.is_zero(5, 10.01) and not ramp.is_zero(0, 99) and not ramp.is_zero(29, 40)
    switch = Curve.from_data([[1, False], [5, True], [6, False]], hold=True)
    assert switch.is_zero(1, 4.99) and not switch.is_zero(1, 5) and not switch.is_zero(5.5, 9)


@given(CURVES, st.integers(-50, 50), st.integers(0, 30), st.floats(0, 1))
def test_zero_means_zero_everywhere(data: list[Any], first: int, count: int, where: float) -> None:
    curve = Curve.from_data(data)
    if curve.is_zero(first, first + count):
        assert curve.evaluate(first + where * count) == 0


def test_bake() -> None:
    baked = bake(lambda frame: math.sin(frame / 9), 5, 25)
    assert len(baked.keys) == 21
    assert baked.evaluate(13) == math.sin(13 / 9)
    assert Curve.from_data(baked.to_data()) == baked
    assert bake(lambda frame: 0.5, 1, 100) == Curve(constant=0.5)
    switched = bake(lambda frame: frame > 3, 1, 5, hold=True)
    assert switched.evaluate(3.5) is False and switched.evaluate(4) is True
    for function, first, last in ((lambda frame: math.nan, 1, 2), (lambda frame: 1.0, 2, 1)):
        with pytest.raises(StylebridgeError):
            bake(function, first, last)


def test_keys_may_be_made_by_hand() -> None:
    assert Curve((Key(1, 0.0), Key(3, 1.0))).evaluate(2) == 0.5
