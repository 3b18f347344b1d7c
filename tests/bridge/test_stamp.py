"""Stamps: they change with what a frame depends on, and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from look_strategies import LOOKS

from stylebridge import stamp
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge.stamp import Record, Request

FRAMES = range(1001, 1049)


def look(**background: Any) -> Look:
    return Look.from_data(
        {
            "schema": "look.1",
            "background": {"style": "wheat-field", "strength": 0.4, **background},
            "instance": [
                {
                    "select": "dancer",
                    "style": "great-wave",
                    "strength": [[1001, 0.0, "hold"], [1024, 1.0], [1030, 0.5]],
                    "visibility": [[1001, True], [1040, False]],
                }
            ],
            "prompt": [{"name": "dancer", "frame": 1010, "box": [0.3, 0.1, 0.5, 0.9]}],
        }
    )


def request(done: Look, **more: Any) -> Request:
    styles = {name: f"{name}-1" for name in done.styles}
    return Request(
        **{"shot": "s", "analysis": "a", "look": done, "styles": styles, "fingerprint": "f", **more}
    )


def changed(one: Request, other: Request) -> list[int]:
    """The frames on which a result of the one is stale for the other."""
    return stamp.stale(Record.parse(str(Record.of(one, FRAMES))), other, FRAMES)


def edited(**instance: Any) -> Look:
    data = look().to_data()
    data["instance"][0].update(instance)
    return Look.from_data(data)


def test_a_moved_key_makes_the_frames_stale_that_it_moves() -> None:
    before = request(look())
    assert changed(before, request(look())) == []
    keys = [[1001, 0.0, "hold"], [1024, 1.0], [1032, 0.5]]
    assert changed(before, request(edited(strength=keys))) == list(range(1025, 1032))
    assert changed(before, request(look(strength=[[1001, 0.4], [1002, 0.4, "hold"], [1048, 0.5]]))) == [1048]


def test_of_a_layer_that_is_off_only_the_matte_counts() -> None:
    before = request(look())
    # Strength 0 until 1023, invisible from 1040.
    assert changed(before, request(edited(colour_keep=0.5))) == list(range(1024, 1040))
    assert changed(before, request(edited(style="starry-night"))) == list(range(1024, 1040))
    assert changed(before, request(edited(edge_softness=3.0))) == list(FRAMES)


@pytest.mark.parametrize(
    "field",
    [{"shot": "t"}, {"fingerprint": "g"}, {"form": "PNG, 16 bit"}, {"scale": 2}, {"analysis": "b"}],
)
def test_whatever_the_pixels_depend_on_counts(field: dict[str, Any]) -> None:
    before = request(look())
    assert changed(before, replace(before, **field)) == list(FRAMES)


def test_window_counts_and_the_segmenter_does_not() -> None:
    before = request(look())
    window, segmenter = (
        replace(look(), shot_values=values) for values in ({"window": 4}, {"segmenter": "none"})
    )
    assert changed(before, request(window)) == list(FRAMES)
    assert changed(before, request(segmenter)) == []


def test_where_nothing_is_styled_only_the_source_counts() -> None:
    bare = edited(visibility=False)
    idle = request(replace(bare, background=replace(bare.background, curves={})))
    assert changed(idle, replace(idle, analysis="b")) == []
    assert changed(idle, replace(idle, shot="t")) == list(FRAMES)


def test_a_style_counts_by_what_paints_it() -> None:
    before = request(look())
    after = replace(before, styles={**before.styles, "wheat-field": "wheat-field-2"})
    assert changed(before, after) == list(FRAMES)
    same = replace(request(look(style="hay")), styles={**before.styles, "hay": "wheat-field-1"})
    assert changed(before, same) == []


def test_layers_hold_neither_strength_nor_visibility() -> None:
    before = request(look(), output="layers")
    assert changed(before, request(look(strength=0.0), output="layers")) == []
    assert changed(before, request(edited(strength=0.25, visibility=False), output="layers")) == []
    assert changed(before, request(edited(colour_keep=0.5), output="layers")) == list(FRAMES)
    assert changed(before, request(look())) == list(FRAMES)


def test_mattes_hold_no_style_at_all() -> None:
    before = request(look(), output="mattes")
    restyled = replace(edited(style="hay", detail=0.1, strength=0.2), shot_values={"window": 3})
    assert changed(before, request(restyled, output="mattes")) == []
    assert changed(before, request(edited(matte_grow=1.0), output="mattes")) == list(FRAMES)
    assert changed(before, request(look(), output="mattes", analysis="b")) == list(FRAMES)


def test_an_unknown_output_is_refused() -> None:
    with pytest.raises(StylebridgeError) as caught:
        request(look(), output="flatt").stamp(1001)
    assert caught.value.code == Code.BAD_VALUE and "'flat'" in caught.value.message


@given(LOOKS, st.integers(-99, 2000))
def test_every_look_has_a_stamp_that_its_text_gives_back(data: dict[str, Any], frame: int) -> None:
    done = Look.from_data(data)
    again = Look.from_data(done.to_data())
    assert request(done).stamp(frame) == request(again).stamp(frame)


def test_records_are_short_and_read_back() -> None:
    record = Record.of(request(look()), FRAMES)
    assert [(first, last) for first, last, _ in record.ranges] == [
        (1001, 1023),
        *((frame, frame) for frame in range(1024, 1030)),
        (1030, 1039),
        (1040, 1048),
    ]
    assert Record.parse(str(record)) == record
    assert record.at(1000) is None and record.at(1049) is None
    assert record.at(1023) == record.at(1040) == record.only(1023).at(1023) != record.at(1024)
    assert record.only(1023).ranges == ((1023, 1023, record.at(1023)),) and record.only(7) == Record()


@given(st.sets(st.integers(-30, 30), min_size=1), st.integers(0, 30))
def test_records_hold_just_their_frames(frames: set[int], edge: int) -> None:
    record = Record.parse(
        str(Record.of(request(look(strength=[[edge, 0.1, "hold"], [edge + 1, 0.2]])), sorted(frames)))
    )
    assert record is not None
    assert {frame for frame in range(-40, 41) if record.at(frame)} == frames


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "abc123",
        "stamp.2 1:0123456789abcdef",
        "stamp.1 1:0123",
        "stamp.1 5-1:0123456789abcdef",
        "stamp.1 1-5:0123456789abcdef 5:0123456789abcdef",
        "stamp.1 " + "1" * 40 + ":0123456789abcdef",
        "stamp.1 " + "x" * (1 << 23),
    ],
)
def test_what_is_no_record_is_none(text: object) -> None:
    assert Record.parse(text) is None
    assert stamp.stale(Record.parse(text), request(look()), [1001]) == [1001]


def test_pictures_of_styles_are_named_by_their_contents(tmp_path: Path) -> None:
    def identity(style: str, **models: str) -> str:
        done = Look.simple(style)
        return stamp.styles_of(done, models)[style]

    picture, moved, settings = tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "a.toml"
    picture.write_bytes(b"one")
    moved.write_bytes(b"one")
    before = identity(str(picture))
    assert before == identity(str(moved)) != identity(f"microast:{picture}")
    assert identity(f"microast:{picture}", microast="1") != identity(f"microast:{picture}", microast="2")
    settings.write_text('[[style]]\npicture = "a.jpg"')
    settled = identity(f"optimise:{settings}")
    picture.write_bytes(b"two")
    assert identity(str(picture)) != before and identity(f"optimise:{settings}") != settled
    assert identity(str(tmp_path / "absent.jpg")) != identity(str(tmp_path / "gone.jpg"))


def test_a_look_that_travels_names_no_folder(tmp_path: Path) -> None:
    data = {
        "schema": "look.1",
        "background": {
            "style": [[0, "/home/me/secret/a.jpg"], [9, "microast:C:\\me\\secret\\b.jpg", "hold"]]
        },
        "instance": [{"select": "x", "style": "/secret/paint", "strength": 0.5}],
        "prompt": [{"name": "x", "frame": 1, "matte": "/secret/m.png"}],
        "matte": [{"name": "y", "path": "/secret/y.####.exr"}],
    }
    done = Look.from_data(data)
    carried = stamp.portable(done)
    assert "secret" not in str(carried) and "a.jpg" in str(carried)
    assert carried["background"]["style"] == [[0, "a.jpg"], [9, "microast:b.jpg", "hold"]]
    assert carried["instance"][0] == {"select": "x", "style": "./paint", "strength": 0.5}
    assert Look.from_data(carried).styles and done.to_data() == data


def test_frames_are_told_as_people_write_them() -> None:
    assert stamp.spans([3, 1, 2, 7]) == "1-3, 7"
    assert stamp.spans(range(0, 40, 2), most=3) == "0, 2, 4 and 17 more"
    assert stamp.spans([]) == ""
