"""The messages between client and server, and the checks that both sides make on all of them.

A message is one ZeroMQ part with a MessagePack map, the envelope, and for pixels a second part with their
bytes. Every envelope has `v` (the protocol's number), `id` (the request that the message belongs to, counted
up by the client; 0 for none) and `op` (what it is); those three never change. The other fields are in the
tables below: `REQUESTS` go to the server, `EVENTS` come back under the id of their request. A request is
answered by `accepted`, any number of `progress` and `frame`, and one `result` or `error`.

Pixels are paced by credit. A request grants a window in bytes; the sender stops when so many are on their
way, and goes on as the receiver hands bytes back with `credit`. So a slow client costs the server no memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import msgpack

from . import __version__
from .errors import Code, StylebridgeError
from .pixels import PART_BYTES, REGIONS_LIMIT, Bytes, Layout

PROTOCOL = 1

#: Largest envelope, in bytes.
ENVELOPE_LIMIT = 1 << 20
#: Larger ZeroMQ parts are refused by the socket itself, before memory is taken for them.
MESSAGE_LIMIT = PART_BYTES + ENVELOPE_LIMIT
#: Deepest nesting of plain data.
DEPTH_LIMIT = 32
#: Bytes of pixels on their way to a client that has not taken them, unless it grants another window.
WINDOW = 32 << 20
WINDOW_LIMIT = 256 << 20
#: What a part of pixels counts at least, so that many small ones are bounded too.
PART_COST = 16 << 10


@dataclass(frozen=True)
class Field:
    """What a field of a message may hold.

    Attributes:
        kind: "int", "number", "text", "flag", "list", "map", "ints" and "numbers" (lists of them), "points"
            (a list of [x, y]) or "maps" (a list of maps with the `inner` fields).
        required: whether a message without it is refused. An absent field is None in `Message.fields`.
        least, most: bounds of a number; `most` is the greatest length of everything else.
        choices: all that a text may be.
        inner: the fields of a "map", or of each of "maps"; empty for any plain data.
    """

    kind: str
    required: bool = True
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    inner: Mapping[str, Field] = field(default_factory=dict)


Table = Mapping[str, Mapping[str, Field]]

_NAME = Field("text", most=200)
_PATH = Field("text", most=4096)
_NUMBER = Field("int", least=-(2**40), most=2**40)
_COUNT = Field("int", least=0, most=2**53)
_FRAMES = Field("ints", most=100_000)
_WINDOW = Field("int", required=False, least=PART_BYTES, most=WINDOW_LIMIT)
_LOOK = Field("map", most=10_000)
_TEXT = Field("text", most=ENVELOPE_LIMIT // 2)


def _optional(kind: Field) -> Field:
    return Field(kind.kind, False, kind.least, kind.most, kind.choices, kind.inner)


#: Where in shared memory the bytes lie that a message would have in its second part: the region and their number.
PLACE = Field("ints", required=False, most=2)
_REGIONS = Field("ints", most=REGIONS_LIMIT)

_PIXELS: dict[str, Field] = {
    "number": _NUMBER,
    "dtype": _NAME,
    "height": _COUNT,
    "width": _COUNT,
    "channels": _COUNT,
    "offset": _COUNT,
    "place": PLACE,
}

#: What a host declares of the frames that it will push.
_PUSHED: dict[str, Field] = {
    "first": _NUMBER,
    "last": _NUMBER,
    "width": Field("int", least=1),
    "height": Field("int", least=1),
    "channels": Field("int", least=1, most=4),
    "dtype": _NAME,
    "rate": Field("ints", required=False, most=2),  # numerator, denominator
    "live": Field("flag", required=False),  # a camera: no range, and only the last frames are kept
}

_PROMPT: dict[str, Field] = {
    "name": _NAME,
    "frame": _NUMBER,
    "points": Field("points", required=False, most=10_000),
    "not_points": Field("points", required=False, most=10_000),
    "box": Field("numbers", required=False, most=4),
    "matte": _optional(_PATH),
}

#: Requests of a client. Those with frames answer one `frame` for each entry, in the order asked for.
REQUESTS: Table = {
    "hello": {"version": _NAME, "protocol": _COUNT, "client": _NAME},
    "describe": {},
    "open_shot": {"path": _optional(_PATH), "pushed": Field("map", required=False, inner=_PUSHED)},
    "put_frame": {"shot": _NAME, **_PIXELS},
    "analyse": {
        "shot": _NAME,
        "prompts": Field("maps", most=1000, inner=_PROMPT),
        "segmenter": _NAME,
    },
    "mattes": {
        "shot": _NAME,
        "analysis": _NAME,
        "instance": _COUNT,
        "frames": _FRAMES,
        "window": _WINDOW,
    },
    "render": {
        "shot": _NAME,
        "analysis": _optional(_NAME),
        "look": _LOOK,
        "frames": _FRAMES,
        "window": _WINDOW,
    },
    "cancel": {"of": _COUNT},
    "credit": {"of": _COUNT, "attempt": _COUNT, "bytes": _COUNT},
    "share": {"path": _PATH, "nonce": _NAME, "upward": _COUNT, "downward": _COUNT},
    "unshare": {},
    "free": {"regions": _REGIONS},
    "status": {},
    "close_shot": {"shot": _NAME},
    "shutdown": {},
    "parse_look": {"text": _TEXT, "path": _optional(_PATH)},
    "format_look": {"look": _LOOK, "original": _optional(_TEXT)},
    "bye": {},
}

#: Events of a server. `attempt` counts how often a request was begun; credit names it, so that bytes which a
#: worker sent before it died are not credited to the next.
EVENTS: Table = {
    "accepted": {},
    "progress": {
        "done": _COUNT,
        "total": _COUNT,
        "stage": _NAME,
        "fps": Field("number", least=0),
    },
    "frame": {**_PIXELS, "attempt": _COUNT, "extra": Field("map", most=1000)},
    "result": {"value": Field("map")},
    "error": {"code": _NAME, "message": Field("text", most=20_000), "details": Field("map")},
    "free": {"regions": _REGIONS},
    "unshare": {},  # the server lacks the memory that was shared: what was sent through it did not arrive
    "ping": {},
}

#: What results hold at least; a server may say more.
RESULTS: Table = {
    "share": {"nonce": _NAME},
    "hello": {"version": _NAME, "protocol": _COUNT, "fingerprint": _NAME, "pid": _COUNT, "session": _NAME},
    "open_shot": {"shot": _NAME, "info": Field("map")},
    "analyse": {"analysis": _NAME, "cuts": Field("ints"), "instances": Field("maps")},
    "parse_look": {"look": Field("map")},
    "format_look": {"text": Field("text")},
}

#: Messages that carry pixels.
_WITH_PIXELS = ("put_frame", "frame", "part")


@dataclass(frozen=True)
class Message:
    """One checked message.

    Attributes:
        op: its name in the table.
        id: the request it belongs to.
        fields: every field of the table; None where an optional one was absent.
        payload: the bytes of pixels, empty for messages without.
    """

    op: str
    id: int
    fields: dict[str, Any]
    payload: Bytes = b""

    @property
    def layout(self) -> Layout:
        """Size and type of the picture that the payload is a part of."""
        named = self.fields
        return Layout(named["dtype"], named["height"], named["width"], named["channels"])

    @property
    def place(self) -> list[int] | None:
        """The region and the number of its bytes, where they are not in the payload."""
        for name in ("place", "lent"):
            if self.fields.get(name):
                place: list[int] = self.fields[name]
                return place
        return None

    @property
    def length(self) -> int:
        """Bytes that the message brings, wherever they are."""
        return self.place[1] if self.place else memoryview(self.payload).nbytes

    @property
    def last(self) -> bool:
        """Whether the payload ends its picture."""
        end: int = self.fields["offset"] + self.length
        return end >= self.layout.nbytes


def encode(
    op: str,
    number: int,
    fields: Mapping[str, Any],
    payload: Bytes | None = None,
    version: int = PROTOCOL,
) -> list[Bytes]:
    """The parts of a message. Fields that are None are left out. `version` is another than ours only where
    another side is told, by an `error`, that it has another.

    Raises:
        StylebridgeError: `BAD_VALUE` for what is no plain data, `TOO_LARGE` for an envelope over the limit.
    """
    named = {name: value for name, value in fields.items() if value is not None}
    try:
        envelope = msgpack.packb({"v": version, "id": number, "op": op, **named}, use_bin_type=True)
    except (TypeError, ValueError, OverflowError) as error:
        raise StylebridgeError(
            Code.BAD_VALUE, f'The message "{op}" can hold only numbers, text, lists and maps: {error}.'
        ) from None
    if len(envelope) > ENVELOPE_LIMIT:
        raise StylebridgeError(
            Code.TOO_LARGE,
            f'The message "{op}" is {len(envelope)} bytes long, over the limit of {ENVELOPE_LIMIT}: '
            "ask for fewer frames at once or send a smaller look.",
        )
    return [envelope] if payload is None else [envelope, payload]


def unpack(envelope: Bytes) -> dict[str, Any]:
    """The envelope's map: plain data with `v`, `id` and `op`. Nothing else is checked.

    Raises:
        StylebridgeError: `BAD_REQUEST` for malformed bytes, `TOO_LARGE` for too many.
    """
    if memoryview(envelope).nbytes > ENVELOPE_LIMIT:
        _refuse(f"A message is longer than {ENVELOPE_LIMIT} bytes.", Code.TOO_LARGE)
    try:
        named = msgpack.unpackb(envelope, raw=False, strict_map_key=True)
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException):
        _refuse("A message is not MessagePack.")
    if not isinstance(named, dict) or not _plain(named, DEPTH_LIMIT):
        _refuse("A message is not a map of plain data.")
    number = named.get("id")
    if type(named.get("v")) is not int or not isinstance(named.get("op"), str):
        _refuse("A message lacks its protocol or its op.")
    if type(number) is not int or not 0 <= number < 2**63:
        _refuse("A message lacks its id.")
    return named


def check(named: dict[str, Any], table: Table, payload: Bytes | None = None) -> Message:
    """The message of an unpacked envelope, checked against the table of those expected.

    Raises:
        StylebridgeError: `VERSION` for another protocol; `BAD_REQUEST` naming the field that is missing,
            unknown or of the wrong type; `BAD_VALUE` or `TOO_LARGE` for pixels of an impossible size.
    """
    op = named["op"]
    if named["v"] != PROTOCOL:
        raise StylebridgeError(
            Code.VERSION,
            f"This is Stylebridge {__version__} (protocol {PROTOCOL}), and the other side speaks protocol "
            f"{named['v']}: update the older one.",
        )
    if op not in table:
        _refuse(f'"{op[:50]}" is no message of this protocol.')
    given = {name: value for name, value in named.items() if name not in ("v", "id", "op")}
    fields = check_fields(f'The message "{op}"', given, table[op])
    message = Message(op, named["id"], fields, b"" if payload is None else payload)
    place = message.place
    if (payload is not None) != (op in _WITH_PIXELS and place is None):
        _refuse(f'The message "{op}" has {"no" if payload is None else "a"} second part.')
    if place and not (len(place) == 2 and 0 <= place[0] < REGIONS_LIMIT and 0 < place[1] <= PART_BYTES):
        _refuse(f'The message "{op}" names an impossible place.')
    if message.length > PART_BYTES:
        _refuse(f"A part of pixels is longer than {PART_BYTES} bytes.", Code.TOO_LARGE)
    if "dtype" in table[op]:
        _ = message.layout
    return message


def decode(parts: Sequence[Bytes], table: Table) -> Message:
    """The checked message of the received parts; see `unpack` and `check`."""
    if not 1 <= len(parts) <= 2:
        _refuse(f"A message has {len(parts)} parts.")
    return check(unpack(parts[0]), table, parts[1] if len(parts) == 2 else None)


def check_fields(owner: str, given: Mapping[str, Any], table: Mapping[str, Field]) -> dict[str, Any]:
    """All fields of the table, None for absent optional ones.

    Raises:
        StylebridgeError: `BAD_REQUEST`, the sentence beginning with `owner`.
    """
    for name in given:
        if name not in table:
            _refuse(f'{owner} has no field "{str(name)[:50]}".')
    fields = {}
    for name, kind in table.items():
        value = given.get(name)
        if value is None:
            if kind.required:
                _refuse(f'{owner} lacks the field "{name}".')
        else:
            fault = _fault(f'{owner}, field "{name}",', value, kind)
            if fault:
                _refuse(f'The field "{name}" of {owner[0].lower()}{owner[1:]} {fault}.')
        fields[name] = value
    return fields


def check_result(op: str, value: dict[str, Any]) -> dict[str, Any]:
    """The result of a request, where it holds what results of that kind hold at least.

    Raises:
        StylebridgeError: `BAD_REQUEST`.
    """
    table = RESULTS.get(op, {})
    check_fields(f'The result of "{op}"', {k: v for k, v in value.items() if k in table}, table)
    return value


def cost(payload: Bytes) -> int:
    """What a part of pixels takes of the window, in bytes."""
    return max(memoryview(payload).nbytes, PART_COST)


def version_error(named: Mapping[str, Any]) -> StylebridgeError:
    """What a server answers to an envelope of another protocol."""
    theirs, older = named["v"], "client" if named["v"] < PROTOCOL else "server"
    return StylebridgeError(
        Code.VERSION,
        f"The server is Stylebridge {__version__} (protocol {PROTOCOL}), the client is "
        f"{str(named.get('version', 'of an unknown version'))[:50]} (protocol {theirs}): update the {older}.",
        server=PROTOCOL,
        client=theirs,
    )


def _refuse(message: str, code: str = Code.BAD_REQUEST) -> NoReturn:
    raise StylebridgeError(code, message)


def _plain(value: Any, depth: int) -> bool:
    """Whether a value is None, a flag, a number, text, bytes, or lists and maps with text keys of such."""
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(k, str) and _plain(v, depth - 1) for k, v in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_plain(v, depth - 1) for v in value)
    return value is None or type(value) in (bool, int, float, str, bytes)


def _fault(owner: str, value: Any, kind: Field) -> str:
    """What is wrong with a value, in words that follow its name; empty where nothing is."""
    if kind.kind == "flag":
        return "" if isinstance(value, bool) else "is not true or false"
    if kind.kind in ("int", "number"):
        types = (int,) if kind.kind == "int" else (int, float)
        if type(value) not in types:
            return "is not a whole number" if kind.kind == "int" else "is not a number"
        bounded = math.isfinite(value) and (kind.least is None or value >= kind.least)
        return "" if bounded and (kind.most is None or value <= kind.most) else f"is out of range ({value})"
    wanted = {"text": str, "map": dict}.get(kind.kind, list)
    if not isinstance(value, wanted):
        return f"is not a {'list' if wanted is list else kind.kind}"
    if kind.most is not None and len(value) > kind.most:
        return f"is too long ({len(value)}, at most {kind.most:g})"
    if kind.choices and value not in kind.choices:
        return f"is none of {', '.join(kind.choices)}"
    if kind.kind == "map" and kind.inner:
        check_fields(owner, value, kind.inner)
    elif kind.kind == "maps":
        for entry in value:
            if not isinstance(entry, dict):
                return "is not a list of maps"
            if kind.inner:
                check_fields(f"{owner} entry", entry, kind.inner)
    elif kind.kind == "ints" and not all(type(entry) is int and abs(entry) <= 2**40 for entry in value):
        return "is not a list of whole numbers"
    elif kind.kind == "numbers" and not _numbers(value):
        return "is not a list of numbers"
    elif kind.kind == "points" and not all(
        isinstance(entry, list) and len(entry) == 2 and _numbers(entry) for entry in value
    ):
        return "is not a list of points [x, y]"
    return ""


def _numbers(values: list[Any]) -> bool:
    return all(type(value) in (int, float) and math.isfinite(value) for value in values)
