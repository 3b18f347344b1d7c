"""Looks: checked against the effect's table, the same data out as in, and never a traceback."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from look_strategies import LOOKS, NEARLY, ODD

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Layer, Look

EXAMPLE: dict[str, Any] = {
    "schema": "look.1",
    "models": {"style": "arbitrary-1"},
    "shot": {"window": 6, "segmenter": "embedded"},
    "background": {"style": "wheat-field", "strength": 0.4},
    "instance": [
        {
            "select": "dancer",
            "style": [[1001, "my-painting.jpg"], [1040, "starry-night"]],
            "strength": [[1001, 0.0], [1024.5, 1.0, "smooth"], [1048, 0.25, "hold"]],
            "visibility": [[1001, True], [1100, False]],
            "edge_softness": 2,
        },
        {"select": 3, "strength": 0},
    ],
    "prompt": [
        {"name": "dancer", "frame": 1010, "box": [0.31, 0.12, 0.55, 0.96]},
        {"name": "dancer", "frame": 1040, "points": [[0.4, 0.5], [0, 1]], "not_points": [[0.9, 0.1]]},
        {"name": "cup", "frame": 1001, "matte": "cup.1001.png"},
        {"name": "hair", "frame": 1001, "scribbles": [[[0.1, 0.2], [0.3, 0.2]]], "not_scribbles": [[[0, 1]]]},
    ],
}


@dataclass
class Found:
    id: int
    name: str
    label: str | None = None


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    data = copy.deepcopy(EXAMPLE)
    change(data)
    return data


# --- data that is right ---


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(LOOKS)
def test_plain_data_comes_back_as_it_was(data: dict[str, Any]) -> None:
    look = Look.from_data(data)
    assert look.to_data() == data
    wire = msgpack.unpackb(msgpack.packb(look.to_data()))
    assert wire == data and Look.from_data(wire) == look


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(LOOKS, st.floats(-200, 3000))
def test_a_look_evaluates_to_values_of_the_table(data: dict[str, Any], frame: float) -> None:
    values = Look.from_data(data).parameters_at(frame)
    assert msgpack.unpackb(msgpack.packb(values)) == values
    for table in (values["background"], *values["instance"], values["shot"]):
        for name, value in table.items():
            assert value is None or effect.check(name, value) == value


def test_the_example() -> None:
    look = Look.from_data(EXAMPLE)
    assert look.to_data() == EXAMPLE
    assert look.styles == ("wheat-field", "my-painting.jpg", "starry-night")
    assert look.shot == {"window": 6, "steadiness": 1.0, "segmenter": "embedded"}
    values = look.parameters_at(1012.75)
    assert values["background"]["strength"] == 0.4
    assert values["instance"][0]["select"] == "dancer"
    assert values["instance"][0]["strength"] == 0.5
    assert values["instance"][0]["style"] == "my-painting.jpg"
    assert values["instance"][0]["edge_softness"] == 2.0
    assert values["instance"][1] == {"select": 3, "style": None, **look.instances[1].at(0)}
    assert look.prompts[1].points == ((0.4, 0.5), (0, 1))
    assert look.prompts[3].scribbles == (((0.1, 0.2), (0.3, 0.2)),)
    assert look.prompts[3].not_scribbles == (((0, 1),),)


def test_an_empty_look_leaves_the_source() -> None:
    look = Look.from_data({"schema": "look.1"})
    assert look.background.amount(1) == 0 and look.background.is_idle(0, 10**6)
    assert look.to_data() == {"schema": "look.1"}


def test_the_amount_of_a_layer() -> None:
    dancer, cup = Look.from_data(EXAMPLE).instances
    assert dancer.amount(1048) == 0.25
    assert dancer.amount(1100) == 0 and dancer.is_idle(1100, 2000), "switched off"
    assert not dancer.is_idle(1001, 1002) and dancer.is_idle(900, 1001)
    assert cup.amount(5) == 0 and cup.is_idle(0, 9)
    assert Layer(curves={"style": effect.find("style").curve("x")}).amount(7) == 1.0


def test_simple() -> None:
    look = Look.simple("starry-night", 0.5, window=4, stroke_size=2)
    assert look == Look.from_data(look.to_data())
    assert look.background.at(1)["stroke_size"] == 2.0 and look.shot["window"] == 4
    for arguments, sentence in (
        ({"strength": 2}, "strength is 2; it must be a number from 0 to 1."),
        ({"matte_grow": 2}, "matte_grow belongs to one instance and needs a look."),
        ({"stroke": 2}, "'stroke' is no parameter of the effect; did you mean 'stroke_size'?"),
        ({"window": 2.5}, "window is 2.5; it must be a whole number from 1 to 32 (frames)."),
    ):
        with pytest.raises(StylebridgeError) as caught:
            Look.simple("starry-night", **arguments)
        assert caught.value.code == Code.BAD_VALUE and caught.value.message == sentence


# --- selecting ---

SHOT = [
    Found(1, "person:1", "person"),
    Found(2, "person:2", "person"),
    Found(3, "dancer"),
    Found(4, "thing:1"),
]


def selecting(*selectors: str | int) -> Look:
    tables = [{"select": selector, "style": f"style-{index}"} for index, selector in enumerate(selectors)]
    return Look.from_data({"schema": "look.1", "instance": tables})


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["person"], {1: 0, 2: 0}),
        (["person:2", "person"], {1: 1, 2: 0}),
        (["person", "person:2"], {1: 0, 2: 1}),
        ([2, "person", "dancer"], {1: 1, 2: 0, 3: 2}),
        (["4", "thing"], {4: 0}),
        ([], {}),
    ],
)
def test_selectors(selectors: list[str | int], expected: dict[int, int]) -> None:
    look = selecting(*selectors)
    assert look.resolve(SHOT) == {id: look.instances[index] for id, index in expected.items()}


@pytest.mark.parametrize(
    ("selector", "sentence"),
    [
        ("dencer", "[[instance]] 2, select is 'dencer', which is not in the shot; did you mean 'dancer'?"),
        (
            9,
            "[[instance]] 2, select is 9, which is not in the shot; "
            "known are person:1, person, person:2, dancer, thing:1.",
        ),
    ],
)
def test_selectors_without_an_instance(selector: str | int, sentence: str) -> None:
    with pytest.raises(StylebridgeError) as caught:
        selecting("person", selector).resolve(SHOT)
    assert caught.value.code == Code.UNKNOWN_INSTANCE
    assert caught.value.message == sentence


def test_one_instance_has_one_layer() -> None:
    with pytest.raises(StylebridgeError) as caught:
        selecting("person", "person:2", 2).resolve(SHOT)
    assert caught.value.code == Code.BAD_LOOK
    assert caught.value.message == "[[instance]] 3 selects 'person:2' a second time; keep one."


# --- data that is wrong ---


@pytest.mark.parametrize(
    ("data", "key", "sentence"),
    [
        (
            changed(lambda look: look["instance"][1].update(strenght=1)),
            "instance[1].strenght",
            "[[instance]] 2, 'strenght' is unknown; did you mean 'strength'?",
        ),
        (
            changed(lambda look: look["instance"][0]["strength"][2].__setitem__(1, 1.7)),
            "instance[0].strength[2][1]",
            "[[instance]] 1, strength, key 3, is 1.7; it must be a number from 0 to 1.",
        ),
        (
            changed(lambda look: look["instance"][0]["strength"].append([1001, 0.5])),
            "instance[0].strength[3]",
            "[[instance]] 1, strength has two keys at frame 1001, its keys 1 and 4; keep one of them.",
        ),
        (
            changed(lambda look: look["background"].update(window=4)),
            "background.window",
            "[background], 'window' does not belong here but in [shot].",
        ),
        (
            changed(lambda look: look.update(background={"strength": 0.4})),
            "background",
            "[background] has no style; name one, or set strength = 0 to leave the source as it is.",
        ),
        (
            changed(lambda look: look["instance"][0].pop("select")),
            "instance[0]",
            '[[instance]] 1 has no select; say which instance it is for, such as select = "person".',
        ),
        (
            changed(lambda look: look["instance"].append(look["instance"][0])),
            "instance[2].select",
            "[[instance]] 3 repeats [[instance]] 1: both are for 'dancer'; keep one.",
        ),
        (
            changed(lambda look: look["prompt"].append(look["prompt"][0])),
            "prompt[4].frame",
            "[[prompt]] 5 repeats [[prompt]] 1: both are for 'dancer' on frame 1010; keep one.",
        ),
        (
            changed(lambda look: look["prompt"][0].update(box=[0.5, 0, 0.4, 1])),
            "prompt[0].box",
            "[[prompt]] 1, box is [0.5, 0, 0.4, 1]; it must be [x0, y0, x1, y1] with numbers from 0 to 1, "
            "x0 < x1 and y0 < y1.",
        ),
        (
            changed(lambda look: look["prompt"][1].update(points=[[640, 360]])),
            "prompt[1].points",
            "[[prompt]] 2, points is a list; it must be [[x, y], ...] with numbers from 0 to 1.",
        ),
        (
            changed(lambda look: look["prompt"][1].update(scribbles=[[0.1, 0.2]])),
            "prompt[1].scribbles",
            "[[prompt]] 2, scribbles is a list; it must be [[[x, y], ...], ...] with numbers from 0 to 1.",
        ),
        (
            changed(lambda look: look["prompt"][0].pop("box")),
            "prompt[0]",
            "[[prompt]] 1 points at nothing; give it a box, points, scribbles or a matte.",
        ),
        (
            changed(lambda look: look["prompt"][2].update(points=[[0, 0]])),
            "prompt[2].matte",
            "[[prompt]] 3 has a matte beside other ways of pointing; a matte replaces them.",
        ),
        (
            changed(lambda look: look["prompt"][2].pop("frame")),
            "prompt[2]",
            "[[prompt]] 3 has no frame; a prompt needs a name and a frame.",
        ),
        (
            changed(lambda look: look["prompt"][2].update(name="person:1")),
            "prompt[2].name",
            "[[prompt]] 3, name is 'person:1'; numbers and colons are kept for ids and labels.",
        ),
        (changed(lambda look: look.pop("schema")), "", 'The look has no schema; add schema = "look.1".'),
        (changed(lambda look: look.update(schema=1)), "schema", 'schema is 1; this version reads "look.1".'),
        (
            changed(lambda look: look.update(instances=[])),
            "instances",
            "'instances' is unknown; did you mean 'instance'?",
        ),
        (
            changed(lambda look: look.update(instance={})),
            "instance",
            "instance is a table; write each instance as a table [[instance]].",
        ),
        (changed(lambda look: look.update(shot=8)), "shot", "[shot] is 8; it must be a table."),
        (
            changed(lambda look: look["models"].update(style=3)),
            "models.style",
            "[models], 'style' is 3; it must be text.",
        ),
        ([], "", "The look is []; it must be a table."),
    ],
)
def test_bad_looks_are_named(data: object, key: str, sentence: str) -> None:
    with pytest.raises(StylebridgeError) as caught:
        Look.from_data(data)
    assert caught.value.code == Code.BAD_LOOK
    assert caught.value.message == sentence
    assert caught.value.details["key"] == key


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(ODD | NEARLY)
def test_anything_is_a_look_or_one_sentence(data: object) -> None:
    assert_look_or_sentence(data)


@pytest.mark.long
@settings(max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ODD | NEARLY)
def test_much_of_anything_is_a_look_or_one_sentence(data: object) -> None:
    assert_look_or_sentence(data)


def assert_look_or_sentence(data: object) -> None:
    try:
        Look.from_data(data).parameters_at(3)
    except StylebridgeError as error:
        assert error.code == Code.BAD_LOOK
        assert "\n" not in error.message and len(error.message) < 300


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(LOOKS, st.data())
def test_one_odd_value_in_a_good_look(look: dict[str, Any], draw: st.DataObject) -> None:
    tables = [look, *(table for table in look.values() if isinstance(table, dict))]
    tables += [table for name in ("instance", "prompt") for table in look.get(name, [])]
    table = draw.draw(st.sampled_from(tables))
    table[draw.draw(st.sampled_from(sorted(table)))] = draw.draw(ODD)
    try:
        Look.from_data(look).to_data()
    except StylebridgeError as error:
        assert error.code == Code.BAD_LOOK and "\n" not in error.message
