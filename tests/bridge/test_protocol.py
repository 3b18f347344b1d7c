"""Messages: what is let through, what is refused, and how."""

from __future__ import annotations

import contextlib
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import PART_BYTES, Assembly, Layout
from stylebridge.protocol import (
    ENVELOPE_LIMIT,
    EVENTS,
    PROTOCOL,
    REQUESTS,
    check_result,
    decode,
    encode,
    unpack,
    version_error,
)

PIXELS = {"number": 7, "dtype": "uint8", "height": 2, "width": 3, "channels": 1, "offset": 0}
EXAMPLES: dict[str, dict[str, Any]] = {
    "hello": {"version": "0.1.0", "protocol": PROTOCOL, "client": "blender"},
    "open_shot": {"path": "/plates/plate.####.exr"},
    "analyse": {
        "shot": "s",
        "segmenter": "auto",
        "prompts": [{"name": "dog", "frame": -3, "points": [[0.25, 1]], "box": [0, 0.5, 1, 1]}],
    },
    "render": {"shot": "s", "look": {"schema": "look.1"}, "frames": [1, 2, 3]},
    "mattes": {"shot": "s", "analysis": "a", "instance": 0, "frames": []},
    "cancel": {"of": 12},
    "probe": {"paths": ["/plates/plate.0001.exr"]},
    "format_look": {"look": {}, "original": "# a comment"},
    "shutdown": {},
}


@pytest.mark.parametrize("op", EXAMPLES)
def test_round_trip(op: str) -> None:
    message = decode(encode(op, 5, EXAMPLES[op]), REQUESTS)
    assert (message.op, message.id) == (op, 5)
    assert set(message.fields) == set(REQUESTS[op])
    assert {name: value for name, value in message.fields.items() if value is not None} == EXAMPLES[op]


def test_the_envelope_is_plain_messagepack() -> None:
    [envelope] = encode("cancel", 3, {"of": 2})
    assert bytes(envelope) == b"\x84\xa1v\x02\xa2id\x03\xa2op\xa6cancel\xa2of\x02"


def test_pixels_travel_in_a_second_part() -> None:
    message = decode(encode("put_frame", 1, {"shot": "s", **PIXELS}, b"abcdef"), REQUESTS)
    assert bytes(message.payload) == b"abcdef" and message.last
    assert message.layout == Layout("uint8", 2, 3, 1)


@pytest.mark.parametrize(
    ("op", "changed", "words"),
    [
        ("cancel", {"of": "1"}, 'field "of" of the message "cancel" is not a whole number'),
        ("cancel", {"of": True}, "not a whole number"),
        ("cancel", {"of": -1}, "out of range"),
        ("cancel", {"off": 1}, 'has no field "off"'),
        ("render", {"frames": [1, 2.5]}, "not a list of whole numbers"),
        ("render", {"frames": "1-3"}, "is not a list"),
        ("render", {"look": None}, 'lacks the field "look"'),
        ("render", {"window": 1}, "out of range"),
        ("analyse", {"prompts": [3]}, "is not a list of maps"),
        ("analyse", {"prompts": [{"name": "dog"}]}, 'lacks the field "frame"'),
        ("analyse", {"prompts": [{"name": "d", "frame": 0, "points": [[0.1]]}]}, "list of points"),
        ("analyse", {"prompts": [{"name": "d", "frame": 0, "scribbles": [[0.1, 0.2]]}]}, "list of strokes"),
        ("analyse", {"prompts": [{"name": "d", "frame": 0, "box": [0, 0, 1, float("nan")]}]}, "numbers"),
        ("analyse", {"segmenter": "x" * 201}, "too long"),
        ("open_shot", {"pushed": {"first": 1}}, 'lacks the field "last"'),
        ("open_shot", {"files": {"a": {"hash": "x", "size": 1}}}, "is not a hash"),
        ("open_shot", {"files": "x"}, "is not a map"),
        ("open_shot", {"files": {"a": 3}}, "not a map of paths"),
        ("probe", {"paths": [1]}, "not a list of texts"),
    ],
)
def test_wrong_fields_are_named(op: str, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(StylebridgeError) as caught:
        decode(encode(op, 1, {**EXAMPLES[op], **changed}), REQUESTS)
    assert caught.value.code == Code.BAD_REQUEST
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"dtype": "float64"}, Code.BAD_VALUE),
        ({"height": 0}, Code.BAD_VALUE),
        ({"channels": 5}, Code.BAD_VALUE),
        ({"width": 70_000}, Code.TOO_LARGE),
        ({"height": 60_000, "width": 60_000, "channels": 4}, Code.TOO_LARGE),
        ({"height": 2**60}, Code.BAD_REQUEST),
    ],
)
def test_impossible_pictures_are_refused_by_their_header(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(StylebridgeError) as caught:
        decode(encode("put_frame", 1, {"shot": "s", **PIXELS, **changed}, b"x"), REQUESTS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b""],
        [b"\xc1"],
        [b"\x93"],
        [msgpack.packb([])],
        [msgpack.packb({"v": PROTOCOL, "id": 1})],
        [msgpack.packb({"v": PROTOCOL, "id": -1, "op": "status"})],
        [msgpack.packb({"v": PROTOCOL, "id": 1, "op": "no such"})],
        [msgpack.packb({"v": PROTOCOL, "id": 1, "op": "status", 3: 4})],
        [msgpack.packb({"v": PROTOCOL, "id": 1, "op": "status", "x": msgpack.ExtType(4, b"")})],
        [msgpack.packb({"v": PROTOCOL, "id": 1, "op": "status"}) + b"more"],
        [msgpack.packb({"v": PROTOCOL, "id": 1, "op": "status"}), b"pixels"],
        [*encode("put_frame", 1, {"shot": "s", **PIXELS})],
        [b"\x91" * 2000],
        [b"a", b"b", b"c"],
    ],
)
def test_malformed_messages_are_refused(parts: list[bytes]) -> None:
    with pytest.raises(StylebridgeError) as caught:
        decode(parts, REQUESTS)
    assert caught.value.code == Code.BAD_REQUEST


def test_limits() -> None:
    with pytest.raises(StylebridgeError) as caught:
        unpack(b"x" * (ENVELOPE_LIMIT + 1))
    assert caught.value.code == Code.TOO_LARGE
    with pytest.raises(StylebridgeError, match="fewer frames"):
        encode("render", 1, {"frames": list(range(10**9, 10**9 + 300_000))})
    with pytest.raises(StylebridgeError) as caught:
        parts = encode("put_frame", 1, {"shot": "s", **PIXELS, "height": 9000, "width": 9000})
        decode([*parts, b"x" * (PART_BYTES + 1)], REQUESTS)
    assert caught.value.code == Code.TOO_LARGE


def test_version_skew() -> None:
    envelope = msgpack.packb({"v": PROTOCOL + 1, "id": 1, "op": "hello", "version": "9.9", "new": 1})
    named = unpack(envelope)
    with pytest.raises(StylebridgeError, match="update the older one") as caught:
        decode([envelope], REQUESTS)
    assert caught.value.code == Code.VERSION
    assert "the client is 9.9 (protocol 3): update the server" in version_error(named).message


def test_results_are_checked() -> None:
    assert check_result("parse_look", {"look": {}, "more": 1}) == {"look": {}, "more": 1}
    with pytest.raises(StylebridgeError, match='The result of "open_shot" lacks the field "info"'):
        check_result("open_shot", {"shot": "s"})


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([REQUESTS, EVENTS]), st.lists(st.binary(max_size=200), max_size=3))
def test_no_bytes_crash_the_decoder(table: Any, parts: list[bytes]) -> None:
    with contextlib.suppress(StylebridgeError):
        decode(parts, table)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_no_fields_crash_the_decoder(data: st.DataObject) -> None:
    table = data.draw(st.sampled_from([REQUESTS, EVENTS]))
    op = data.draw(st.sampled_from(sorted(table)))
    names = st.sampled_from([*table[op], "more"])
    fields = data.draw(st.dictionaries(names, plain, max_size=4))
    try:
        parts = encode(op, data.draw(st.integers(0, 2**62)), fields, data.draw(st.none() | st.binary()))
        message = decode(parts, table)
    except StylebridgeError:
        return
    assert set(message.fields) == set(table[op])


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(EXAMPLES)), st.integers(0, 200), st.integers(0, 255))
def test_damaged_messages_are_refused_or_still_whole(op: str, place: int, byte: int) -> None:
    envelope = bytearray(encode(op, 1, EXAMPLES[op])[0])
    envelope[place % len(envelope)] = byte
    with contextlib.suppress(StylebridgeError):
        decode([bytes(envelope)], REQUESTS)


class TestAssembly:
    layout = Layout("uint8", 2, 3, 1)

    def test_parts_in_order_make_a_picture(self) -> None:
        assembly = Assembly()
        assert assembly.add(self.layout, 0, b"abcd") is None
        assert assembly.add(self.layout, 0, b"abcd") is None, "a part at 0 starts anew"
        assert assembly.add(self.layout, 4, b"ef") == b"abcdef"

    def test_a_large_picture_takes_memory_as_it_comes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("stylebridge.pixels.PROMISED_BYTES", 2)
        assembly = Assembly()
        for offset, part in ((0, b"ab"), (2, b"c"), (3, b"de")):
            assert assembly.add(self.layout, offset, part) is None
        assert assembly.add(self.layout, 5, b"f") == b"abcdef"

    @pytest.mark.parametrize(("offset", "part"), [(1, b"a"), (4, b"a"), (3, b"abcd"), (3, b"")])
    def test_others_are_refused(self, offset: int, part: bytes) -> None:
        assembly = Assembly()
        assembly.add(self.layout, 0, b"abc")
        with pytest.raises(StylebridgeError) as caught:
            assembly.add(self.layout, offset, part)
        assert caught.value.code == Code.BAD_REQUEST
