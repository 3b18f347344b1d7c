"""The effect's table: complete, plain, and strict about values."""

from __future__ import annotations

import json
import math

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from look_strategies import ODD

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError


@pytest.mark.parametrize("parameter", effect.PARAMETERS, ids=lambda parameter: parameter.name)
def test_every_row_is_whole(parameter: effect.Parameter) -> None:
    assert parameter.scope in effect.SCOPES
    assert parameter.animation in effect.ANIMATIONS
    assert parameter.hint.endswith(".") and parameter.hint.count(". ") == 0, "one sentence"
    assert parameter.allowed
    if parameter.default is not None:
        value = parameter.check(parameter.default)
        assert value == parameter.default and isinstance(value, parameter.python_type)
    if parameter.kind in ("float", "int"):
        assert parameter.minimum is not None and parameter.maximum is not None
        assert parameter.check(parameter.minimum) == parameter.minimum
        assert parameter.check(parameter.maximum) == parameter.maximum


def test_names_are_unique_and_make_options() -> None:
    names = [parameter.name for parameter in effect.PARAMETERS]
    assert len(set(names)) == len(names)
    assert effect.find("colour_keep").option == "--colour-keep"


def test_description_is_plain_data() -> None:
    described = effect.describe()
    assert msgpack.unpackb(msgpack.packb(described)) == described
    assert json.loads(json.dumps(described)) == described


def test_only_composite_parameters_animate_freely() -> None:
    free = {parameter.name for parameter in effect.PARAMETERS if parameter.animation == effect.FREELY}
    assert free == {"strength", "colour_keep", "visibility", "edge_softness", "matte_grow"}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("strength", 1.7, "strength is 1.7; it must be a number from 0 to 1."),
        ("strength", -0.001, "strength is -0.001; it must be a number from 0 to 1."),
        ("strength", True, "strength is true; it must be a number from 0 to 1."),
        ("strength", "1", "strength is '1'; it must be a number from 0 to 1."),
        ("strength", math.nan, "strength is not a finite number; it must be a number from 0 to 1."),
        ("strength", math.inf, "strength is not a finite number; it must be a number from 0 to 1."),
        ("strength", 10**400, "strength is a number too large; it must be a number from 0 to 1."),
        ("window", 2.5, "window is 2.5; it must be a whole number from 1 to 32 (frames)."),
        ("window", 0, "window is 0; it must be a whole number from 1 to 32 (frames)."),
        ("visibility", "False", "visibility is 'False'; it must be true or false."),
        ("visibility", 1, "visibility is 1; it must be true or false."),
        ("segmenter", "embeded", "segmenter is 'embeded'; did you mean 'embedded'?"),
        (
            "segmenter",
            3,
            "segmenter is 3; known are auto, embedded, maskrcnn, yolact, deeplab, espnetv2, onnx-instances, sam, host, "
            "none.",
        ),
        ("frame", 1.5, "frame is 1.5; it must be a whole number from -1000000000 to 1000000000."),
        ("select", 0, "select is 0; the ids of instances start at 1."),
        ("name", "a\nb", "name is 'a\\nb'; it must be one line of readable text."),
        ("strenght", 1, "'strenght' is no parameter of the effect; did you mean 'strength'?"),
    ],
)
def test_bad_values_are_named_in_a_sentence(name: str, value: object, sentence: str) -> None:
    with pytest.raises(StylebridgeError) as caught:
        effect.check(name, value)
    assert caught.value.code == Code.BAD_VALUE
    assert caught.value.message == sentence


def test_values_come_back_in_their_type() -> None:
    assert isinstance(effect.check("strength", 1), float)
    assert isinstance(effect.check("window", 8.0), int)
    assert effect.check("visibility", False) is False


def test_pictures_are_told_from_presets() -> None:
    assert effect.is_picture("my-painting.jpg") and effect.is_picture("folder/painting")
    assert not effect.is_picture("wheat-field")


def test_a_style_is_a_name_or_a_picture_or_both() -> None:
    for style, parts in {
        "wheat-field": ("wheat-field", None),
        "painting.jpg": (None, "painting.jpg"),
        "microast:painting.jpg": ("microast", "painting.jpg"),
        "microast:/home/me/a: b.jpg": ("microast", "/home/me/a: b.jpg"),
        "C:\\me\\painting.jpg": (None, "C:\\me\\painting.jpg"),
        "microast:C:\\me\\painting.jpg": ("microast", "C:\\me\\painting.jpg"),
        "./odd:name.jpg": (None, "./odd:name.jpg"),
        "microast:": ("microast:", None),
    }.items():
        assert effect.split_style(style) == parts
        if parts[1] is not None:
            assert effect.with_picture(style, parts[1]) == style
    assert not effect.is_picture("microast:painting.jpg")


@given(st.sampled_from(effect.PARAMETERS), ODD)
def test_any_value_is_taken_or_refused_in_one_line(parameter: effect.Parameter, value: object) -> None:
    try:
        parameter.check(value)
        parameter.curve(value)
    except StylebridgeError as error:
        assert error.code == Code.BAD_VALUE
        assert "\n" not in error.message and len(error.message) < 300


def test_frames_are_a_list_in_order() -> None:
    cuts = effect.find("cuts")
    for right in ([], [0], [-3, 96, 40_000]):
        assert cuts.check(right) == right
    for wrong in ([3, 3], [5, 2], [1.5], [True], "3,4", 7, [2**41]):
        with pytest.raises(StylebridgeError, match="a list of frame numbers"):
            cuts.check(wrong)
