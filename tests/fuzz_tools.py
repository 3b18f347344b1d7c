"""Malformed messages: real ones, damaged in every way that a fault or an enemy could think of, and who sends them."""

from __future__ import annotations

import collections
import random
import threading
from collections.abc import Mapping
from typing import Any

import msgpack
from fault_tools import Server

from stylebridge.errors import StylebridgeError
from stylebridge.keys import KeyPair
from stylebridge.link import Link
from stylebridge.protocol import EVENTS, PROTOCOL, REQUESTS, Field, Table, decode, encode, unpack

HELLO = {"version": "0.1.0", "protocol": PROTOCOL, "client": "fuzz"}
PIXELS = {"number": 3, "dtype": "uint8", "height": 2, "width": 3, "channels": 3, "offset": 0}
LOOK = {"schema": "look.1", "background": {"style": "great-wave", "strength": [[0, 0.5], [9, 1.0, "hold"]]}}

#: A value for every field of the protocol's tables, by name; those that are not here get one by their kind.
_VALUES: dict[str, Any] = {
    **PIXELS,
    "version": "0.1.0",
    "protocol": PROTOCOL,
    "client": "fuzz",
    "segmenter": "none",
    "frames": [0, 1, 2],
    "look": LOOK,
    "text": 'schema = "look.1"\n[background]\nstyle = "great-wave"\n',
    "first": 0,
    "last": 0,
    "rate": [24, 1],
    "colour": "srgb",
    "config": "ocio://cg-config-latest",
    "alpha": "none",
    "points": [[0.5, 0.5]],
    "box": [0.1, 0.1, 0.9, 0.9],
    "path": "/no/such/plate.mp4",
    "window": 2 << 20,
    "of": 1,
    "code": "not_found",
    "message": "There is none.",
    "stage": "styling",
    "size": 18,
    "paths": ["/no/such/plate.mp4"],
}
_BY_KIND: dict[str, Any] = {
    "int": 1,
    "number": 0.5,
    "text": "x",
    "flag": True,
    "list": [],
    "map": {},
    "ints": [1],
    "numbers": [0.5],
    "strokes": [[[0.5, 0.5], [0.6, 0.5]]],
    "frames": [1, 2],
    "points": [[0.5, 0.5]],
    "maps": [],
    "texts": ["x"],
    "hash": "a" * 64,
    "hashes": ["a" * 64],
    "files": {"/x": {"hash": "a" * 64, "size": 18}},
}
#: What takes the place of a value. No size lies between the small and the forbidden, so that memory which is rightly
#: taken for a large picture is not mistaken for a leak.
_STRANGE: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 255, 2**31, -(2**31), 2**53, 2**63 - 1, -(2**63), 2**64 - 1),
    *(0.0, -0.0, 1e308, float("nan"), float("inf"), float("-inf")),
    *("", "x", "\0", "/", "../..", "camera:0", "x" * 5_000, "\ud7ff\U0001f600", b"", b"\xff" * 100),
    *([], [[]], [None], [[0, 1]], [[0, float("nan")]], ["x"] * 300, list(range(2000))),
    *({}, {"": None}, {"x": {"y": {"z": []}}}, {"schema": "look.1"}, {"schema": 3}),
]


def real_messages(table: Table, changed: Mapping[str, Any]) -> list[tuple[str, dict[str, Any], bytes | None]]:
    """One message of each kind in a table, whole and right: op, fields and pixels.

    Args:
        changed: fields that get other values, such as the id of a shot that exists.
    """
    values = {**_VALUES, **changed}

    def value(name: str, kind: Field) -> Any:
        if kind.inner:
            inner = {one: value(one, its) for one, its in kind.inner.items()}
            return [inner] if kind.kind == "maps" else inner
        found = kind.choices[0] if kind.choices else values.get(name, _BY_KIND[kind.kind])
        return ["a" * 64] if kind.kind == "hashes" else found

    messages = []
    for op, fields in table.items():
        whole = {name: value(name, kind) for name, kind in fields.items()}
        payload = bytes(18) if op in ("put", "put_frame", "frame") else None
        # A shot is opened in one way at a time.
        ways = [name for name in ("path", "pushed", "live") if op == "open_shot" and name in fields]
        for way in ways or [""]:
            # What is made says its colours itself.
            apart = ways if way in ("", "path") else [*ways, "colour", "alpha"]
            named = {name: one for name, one in whole.items() if name == way or name not in apart}
            if "place" in named:  # in place of the second part
                messages.append((op, {**named, "place": [0, 18]}, None))
                del named["place"]
            messages.append((op, named, payload))
    return messages


class Mutator:
    """Damages messages; the same seed damages alike.

    Args:
        table: the messages to damage.
        changed: see `real_messages`.
    """

    def __init__(self, table: Table, seed: int, changed: Mapping[str, Any] | None = None) -> None:
        self._random = random.Random(seed)
        self._table = table
        self._ops = [op for op in table if op not in ("bye", "shutdown")]  # of which there can be only one
        self._messages = [one for one in real_messages(table, changed or {}) if one[0] in self._ops]

    def message(self, number: int) -> list[bytes]:
        """The parts of a damaged message under the given id, which may be damaged too."""
        op, fields, payload = self._random.choice(self._messages)
        ways = (self._field, self._field, self._bytes, self._bytes, self._envelope, self._parts, self._noise)
        return self._random.choice(ways)(op, number, dict(fields), payload)

    def malformed(self, number: int) -> list[bytes]:
        """The same, and certainly no message that the table allows."""
        while True:
            parts = self.message(number)
            try:
                decode(parts, self._table)
            except StylebridgeError:
                return parts

    def _field(self, op: str, number: int, fields: dict[str, Any], payload: bytes | None) -> list[bytes]:
        """A field that is missing, unknown, or holds something else; at any depth."""
        where: Any = fields
        while isinstance(where, (dict, list)) and where:
            places = list(where) if isinstance(where, dict) else list(range(len(where)))
            place = self._random.choice(places)
            if isinstance(where[place], (dict, list)) and where[place] and self._random.random() < 0.6:
                where[place] = where[place].copy()
                where = where[place]
                continue
            if self._random.random() < 0.2:
                del where[place]
            else:
                where[place] = self._random.choice(_STRANGE)
            break
        if self._random.random() < 0.1:
            fields["more"] = self._random.choice(_STRANGE)
        return self._pack({"v": PROTOCOL, "id": number, "op": op, **fields}, payload)

    def _envelope(self, op: str, number: int, fields: dict[str, Any], payload: bytes | None) -> list[bytes]:
        """One of the three fields that never change."""
        named = {"v": PROTOCOL, "id": number, "op": op, **fields}
        place = self._random.choice(["v", "id", "op"])
        if self._random.random() < 0.2:
            del named[place]
        else:
            named[place] = self._random.choice([*_STRANGE, *self._ops])
        return self._pack(named, payload)

    def _bytes(self, op: str, number: int, fields: dict[str, Any], payload: bytes | None) -> list[bytes]:
        """Bytes that are changed, lost, doubled, or come from elsewhere."""
        parts = [bytes(part) for part in encode(op, number, fields, payload)]
        data = bytearray(parts[0])
        for _ in range(self._random.choice([1, 1, 2, 8])):
            a, b = sorted(self._random.choices(range(len(data) + 1), k=2))
            way = self._random.randrange(5)
            if way == 0 and data:
                data[a % len(data)] = self._random.randrange(256)
            elif way == 1 and data:
                data[a % len(data)] ^= 1 << self._random.randrange(8)
            elif way == 2:
                del data[a:b]
            elif way == 3:
                data[a:a] = data[a:b]
            else:
                data[a:a] = self._random.randbytes(self._random.randrange(1, 9))
        return [bytes(data), *parts[1:]]

    def _parts(self, op: str, number: int, fields: dict[str, Any], payload: bytes | None) -> list[bytes]:
        """Parts that are missing, too many, in the wrong order, or of the wrong size."""
        parts = [bytes(part) for part in encode(op, number, fields, payload)]
        extra = self._random.choice([b"", b"x", bytes(17), bytes(19), bytes(70_000), parts[0]])
        return self._random.choice(
            [[*parts, extra], [*parts, extra, extra], [extra, *parts], parts[::-1], [b"", *parts], [extra]]
        )

    def _noise(self, op: str, number: int, fields: dict[str, Any], payload: bytes | None) -> list[bytes]:
        """No message at all."""
        size = self._random.choice([1, 2, 10, 100, 3_000])
        nested = bytes([self._random.choice([0x81, 0x91, 0xDC, 0xDD, 0xDF, 0xC9])]) * size
        return [self._random.choice([self._random.randbytes(size), nested])]

    @staticmethod
    def _pack(named: Mapping[str, Any], payload: bytes | None) -> list[bytes]:
        try:
            envelope = msgpack.packb(named, use_bin_type=True)
        except (OverflowError, UnicodeEncodeError):
            envelope = b"\xc1"
        return [envelope] if payload is None else [envelope, payload]


class Stranger:
    """A client that sends anything and counts what comes back."""

    def __init__(self, server: Server, key: KeyPair) -> None:
        self.answers: collections.Counter[str] = collections.Counter()
        self.unforeseen: set[str] = set()
        self._number = 10**9
        self._came = threading.Condition()
        self._values: dict[int, dict[str, Any]] = {}
        self._link = Link(server.address.endpoint, server.address.key, key, self._receive, lambda: None)
        self._link.open(20)
        assert "version" in self.ask("hello", HELLO)["value"]

    def send(self, parts: list[bytes]) -> None:
        assert not self._link.lost.is_set(), "the server hung up"
        self._link.send(parts if parts != [b""] else [b"\0"])  # a link takes the empty one as its own end

    def ask(self, op: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The answer to one whole message, which comes after those to all before it."""
        with self._came:
            self._number += 1
            number = self._number
            self.send(encode(op, number, fields))
            assert self._came.wait_for(lambda: number in self._values, 60), f"no answer to {op}"
            return self._values.pop(number)

    def settle(self) -> None:
        """Waits until all that was sent has been read; says hello again where a damaged message said bye."""
        answer = self.ask("format_look", {"look": LOOK})
        if "code" in answer:
            self.ask("hello", HELLO)

    def close(self) -> None:
        self._link.close()

    def _receive(self, parts: list[Any]) -> None:
        named = unpack(parts[0])
        with self._came:
            self.answers[named.get("code", named["op"])] += 1
            if named.get("code") in ("internal", "poisoned"):
                self.unforeseen.add(named["message"])
            if named["op"] in ("result", "error") and named["id"] > 10**9:
                self._values[named["id"]] = named
                self._came.notify_all()


__all__ = ["EVENTS", "REQUESTS", "Mutator", "Stranger", "real_messages"]
