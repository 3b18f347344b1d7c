"""Looks as text: the same look out as in, comments kept, and mistakes named with line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from look_strategies import LOOKS

from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge_server.shot.looks import format_look, load_look, parse_look, resolve_paths
from stylebridge_server.shot.toml_text import split

WRITTEN = """\
# Evening on the stage
schema = "look.1"   # do not change

[background] # far away
style = "wheat-field"
strength=0.40       # not too much

# The dancer, found by the prompt below.
[[instance]]
select   = "dancer"
style = 'my-painting.jpg'
strength = [ # comes up slowly
   [1001, 0.0],            # still plain
   [1024.5, 1, "smooth"],
   [1048, 0.25, "hold"],   # after the turn
]

# found on its second frame
[[prompt]]
name = "dancer"
frame = 1_010
box = [ 0.31, 0.12, 0.55, 0.96 ]

# The cup
[[instance]]
select = 3
style = "starry-night"
# colour_keep = 0.5

# end
"""


def data_of(text: str) -> dict[str, Any]:
    return parse_look(text).to_data()


def test_a_look_that_did_not_change_is_the_same_text() -> None:
    assert format_look(parse_look(WRITTEN), WRITTEN) == WRITTEN
    without_end = WRITTEN.rstrip("\n")
    assert format_look(parse_look(without_end), without_end) == without_end


def test_only_what_changed_is_written_anew() -> None:
    data = data_of(WRITTEN)
    data["background"]["strength"] = 0.5
    data["instance"][0]["strength"][1] = [1024.5, 0.75, "smooth"]
    data["instance"][0]["strength"].append([1060, 0])
    data["instance"][1]["colour_keep"] = 1.0
    text = format_look(Look.from_data(data), WRITTEN)
    assert text == (
        WRITTEN.replace("strength=0.40  ", "strength=0.5  ")
        .replace('[1024.5, 1, "smooth"],', '[1024.5, 0.75, "smooth"],')
        .replace(
            '[1048, 0.25, "hold"],   # after the turn',
            '[1048, 0.25, "hold"],   # after the turn\n   [1060, 0],',
        )
        .replace('style = "starry-night"\n', 'style = "starry-night"\ncolour_keep = 1.0\n')
    )


def test_instances_come_and_go_with_their_comments() -> None:
    data = data_of(WRITTEN)
    del data["instance"][0]
    data["instance"].append({"select": "person", "style": "wave"})
    data["shot"] = {"window": 4}
    text = format_look(Look.from_data(data), WRITTEN)
    start, end = WRITTEN.index("# The dancer"), WRITTEN.index("# found on")
    rest = '\n[[instance]]\nselect = "person"\nstyle = "wave"\n\n[shot]\nwindow = 4\n'
    assert text == WRITTEN[:start] + WRITTEN[end:] + rest


def test_a_new_look_reads_well() -> None:
    look = Look.simple("wheat-field", [[frame, frame / 8] for frame in range(1, 6)], window=4)
    assert format_look(look) == (
        'schema = "look.1"\n\n[shot]\nwindow = 4\n\n[background]\nstyle = "wheat-field"\nstrength = [\n'
        "    [1, 0.125],\n    [2, 0.25],\n    [3, 0.375],\n    [4, 0.5],\n    [5, 0.625],\n]\n"
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(LOOKS)
def test_text_and_look_say_the_same(data: dict[str, Any]) -> None:
    look = Look.from_data(data)
    text = format_look(look)
    assert parse_look(text) == look
    assert format_look(parse_look(text), text) == text
    assert "".join(section.head + section.body for section in split(text)) == text


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(LOOKS, LOOKS)
def test_any_look_fits_into_any_text(before: dict[str, Any], after: dict[str, Any]) -> None:
    look = Look.from_data(after)
    original = format_look(Look.from_data(before)).replace("\n\n", "\n\n# a comment\n")
    text = format_look(look, original)
    assert parse_look(text) == look
    assert format_look(look, WRITTEN).startswith("# Evening on the stage\n")


@pytest.mark.parametrize(
    "written",
    [
        'schema = "look.1"\nbackground = { style = "wave" } # all\n',
        'schema = "look.1"\nbackground.style = "wave"\nbackground.strength = 1\n',
        'schema = "look.1"\ninstance = [{ select = 1, style = "wave" }, { select = 2, style = "wave" }]\n',
    ],
)
def test_other_spellings_stay(written: str) -> None:
    look = parse_look(written)
    assert format_look(look, written) == written
    data = look.to_data()
    for table in (data.get("background", {}), *data.get("instance", [])):
        table["style"] = "oil"
    data["shot"] = {"window": 2}
    text = format_look(Look.from_data(data), written)
    assert text == written.replace("wave", "oil") + "\n[shot]\nwindow = 2\n"


HEAD = 'schema = "look.1"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            WRITTEN.replace('style = "starry-night"', "stile = 'starry-night'"),
            "dog.toml, line 27: [[instance]] 2, 'stile' is unknown; did you mean 'style'?",
        ),
        (
            WRITTEN.replace('[1024.5, 1, "smooth"]', '[1024.5, 1.5, "smooth"]'),
            "dog.toml, line 14: [[instance]] 1, strength, key 2, is 1.5; it must be a number from 0 to 1.",
        ),
        (
            WRITTEN.replace("1024.5", "1001.0"),
            "dog.toml, line 14: [[instance]] 1, strength has two keys at frame 1001, its keys 1 and 2; "
            "keep one of them.",
        ),
        (
            WRITTEN.replace('style = "starry-night"\n', ""),
            "dog.toml, line 25: [[instance]] 2 has no style; name one, or set strength = 0 to leave the "
            "source as it is.",
        ),
        (
            HEAD + "background.strength = 2",
            "dog.toml, line 2: [background], strength is 2; it must be a number from 0 to 1.",
        ),
        (
            HEAD + "background.strength = 1",
            "dog.toml, line 2: [background] has no style; name one, or set "
            "strength = 0 to leave the source as it is.",
        ),
        (
            HEAD + "instance = [\n {select=1, style='a'},\n {select=2, styl='a'}]",
            "dog.toml, line 4: [[instance]] 2, 'styl' is unknown; did you mean 'style'?",
        ),
        (
            HEAD + "[shot]\nwindow = 1979-05-27",
            "dog.toml, line 3: [shot], window is a date; it must be a whole number from 1 to 32 (frames).",
        ),
        (
            HEAD + "[background.strength]\na = 1",
            "dog.toml, line 2: [background], strength is a table; it must be a number from 0 to 1.",
        ),
        (
            HEAD + "[x]\n[y]\n",
            "dog.toml, line 2: 'x' is unknown; known are schema, models, shot, background, instance, prompt, matte.",
        ),
        (
            HEAD + "[instance]\nselect = 1",
            "dog.toml, line 2: instance is a table; write each instance as a table [[instance]].",
        ),
        (HEAD + "[[background]]\nstyle='a'", "dog.toml, line 2: [background] is a list; it must be a table."),
        ("", 'dog.toml: The look has no schema; add schema = "look.1".'),
        ('schema = "look.2"', "dog.toml, line 1: schema is 'look.2'; this version reads \"look.1\"."),
        (
            HEAD + "[background]\nstyle = ",
            "dog.toml, line 3: the text ends too early; a bracket or a quote is left open.",
        ),
        (HEAD + "[background]\nstyle = \n", "dog.toml, line 3, column 9: the line ends too early."),
        (
            HEAD + '[background]\nstyle = "a\n',
            "dog.toml, line 3, column 11: the line ends before its quote is closed.",
        ),
        (
            HEAD + "[background]\n[shot]\n[background]\n",
            "dog.toml, line 4: 'background' is already given further up.",
        ),
        (HEAD + "[shot]\nwindow=1\n\nwindow=1\n", "dog.toml, line 5: 'window' is already given further up."),
        ("schema: look.1\n", "dog.toml, line 1, column 7: this is not TOML: unexpected character: ':'."),
    ],
)
def test_mistakes_are_named_with_line_and_key(text: str, sentence: str) -> None:
    with pytest.raises(StylebridgeError) as caught:
        parse_look(text, Path("dog.toml"))
    assert caught.value.code == Code.BAD_LOOK
    assert caught.value.message == sentence


def test_without_a_path_the_line_comes_first() -> None:
    with pytest.raises(StylebridgeError, match=r"^line 1: schema is 1; ") as caught:
        parse_look("schema = 1")
    assert caught.value.details["line"] == 1 and caught.value.details["key"] == "schema"


PLACES = st.integers(0, len(WRITTEN))
BITS = st.sampled_from(
    ["", "[", "]", "{", "}", '"', "'", "#", "=", ".", ",", "\n", "\\", "1", '"""', "[x]\n", "nan"]
)


def spliced(cuts: list[tuple[int, int, str]]) -> str:
    text = WRITTEN
    for start, length, bit in cuts:
        text = text[:start] + bit + text[start + length :]
    return text


DAMAGED = (
    st.lists(st.tuples(PLACES, st.integers(0, 40), BITS), min_size=1, max_size=3).map(spliced) | st.text()
)


@given(DAMAGED)
def test_any_text_is_a_look_or_one_sentence(text: str) -> None:
    assert_look_or_sentence(text)


@pytest.mark.long
@settings(max_examples=5000, deadline=None)
@given(DAMAGED)
def test_much_of_any_text_is_a_look_or_one_sentence(text: str) -> None:
    assert_look_or_sentence(text)


def assert_look_or_sentence(text: str) -> None:
    try:
        assert format_look(parse_look(text), text) == text
    except StylebridgeError as error:
        assert error.code == Code.BAD_LOOK and "\n" not in error.message


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "dog.toml"
    path.write_text(
        "\ufeff" + WRITTEN + '[[prompt]]\nname = "cup"\nframe = 1\nmatte = "cup/1.png"\n', "utf-8"
    )
    look = load_look(path)
    assert look.instances[0].at(0)["style"] == str(tmp_path / "my-painting.jpg")
    assert look.background.at(0)["style"] == "wheat-field"
    assert look.prompts[1].matte == str(tmp_path / "cup" / "1.png")
    assert resolve_paths(look, Path("elsewhere")) == look, "absolute paths stay"


def test_a_picture_behind_a_network_is_relative_to_the_look_too() -> None:
    look = parse_look(
        'schema = "look.1"\n[background]\nstyle = [[0, "microast:a.jpg"], [4, "wheat-field"]]\n'
    )
    moved = resolve_paths(look, Path("/looks"))
    assert moved.styles == (f"microast:{Path('/looks') / 'a.jpg'}", "wheat-field")


def test_files_that_are_no_looks(tmp_path: Path) -> None:
    picture = tmp_path / "dog.png"
    picture.write_bytes(b"\x89PNG\r\n\xff\xfe")
    for path, code, words in (
        (tmp_path / "no.toml", Code.NOT_FOUND, "There is no look"),
        (picture, Code.NOT_READABLE, "is not a look"),
        (tmp_path, Code.NOT_READABLE, "cannot be read"),
    ):
        with pytest.raises(StylebridgeError, match=words) as caught:
            load_look(path)
        assert caught.value.code == code
