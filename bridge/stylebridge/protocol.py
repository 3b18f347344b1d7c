"""The messages between client and server, and the checks that both sides make on all of them.

A message is one ZeroMQ part with a MessagePack map, the envelope, and for pixels and files a second part with
their bytes. Every envelope has `v` (the protocol's number), `id` (the request that the message belongs to,
counted up by the client; 0 for none) and `op` (what it is); those three never change. The other fields are in
the tables below: `REQUESTS` go to the server, `EVENTS` come back under the id of their request. A request is
answered by `accepted`, any number of `progress`, `credit` and `frame`, and one `result` or `error`. What the
tables cannot say is in docs/protocol.md.

Bytes are paced by credit in both directions. The sender stops when a window of them is on its way, and goes
on as the receiver hands bytes back with `credit`. So neither side costs the other memory.

Inputs are named by the hash of their bytes. What the server lacks it answers with `need`; the client sends it
with `put` and asks again.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import msgpack

from . import __version__
from .errors import Code, StylebridgeError
from .fields import Field, Table, check_fields, optional
from .pixels import PART_BYTES, REGIONS_LIMIT, TYPES, Bytes, Layout

PROTOCOL = 2

#: Largest envelope, in bytes.
ENVELOPE_LIMIT = 1 << 20
#: Larger ZeroMQ parts are refused by the socket itself, before memory is taken for them.
MESSAGE_LIMIT = PART_BYTES + ENVELOPE_LIMIT
#: Deepest nesting of plain data.
DEPTH_LIMIT = 32
#: Bytes of pixels on their way to a client that has not taken them, unless it grants another window.
WINDOW = 32 << 20
WINDOW_LIMIT = 256 << 20
#: Bytes of one upload on their way to the server that it has not taken.
UPLOAD_WINDOW = 8 << 20
#: Most frames of a shot that a client names, and most files of one request.
MANIFEST_LIMIT = 100_000
#: What a part of pixels counts at least, so that many small ones are bounded too.
PART_COST = 16 << 10


_NAME = Field("text", most=200)
_PATH = Field("text", most=4096)
_NUMBER = Field("int", least=-(2**40), most=2**40)
_COUNT = Field("int", least=0, most=2**53)
_FRAMES = Field("ints", most=100_000)
_WINDOW = Field("int", required=False, least=PART_BYTES, most=WINDOW_LIMIT)
_LOOK = Field("map", most=10_000)
_TEXT = Field("text", most=ENVELOPE_LIMIT // 2)
_HASH = Field("hash")
_FILES = Field("files", required=False, most=MANIFEST_LIMIT)
_SCRUB = Field("text", required=False, most=200)

#: What a render sends of each frame: the picture, each styled instance's layer, or each instance's matte alone.
FLAT, LAYERS, MATTES = OUTPUTS = "flat", "layers", "mattes"
#: The smallest proxy is the picture shrunk so often.
SCALE_LIMIT = 16


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

#: What a client says of frames that it makes itself.
_MADE: dict[str, Field] = {
    "width": Field("int", least=1),
    "height": Field("int", least=1),
    "channels": Field("int", least=1, most=4),
    "dtype": _NAME,
    "rate": Field("ints", required=False, most=2),  # numerator, denominator
    "colour": _NAME,  # the space of its values: "srgb", or a name of the OpenColorIO config
    "alpha": _NAME,  # what its last channel is: ALPHAS
}

#: A shot of frames that were put as blobs, named by their hashes from the first to the last.
_PUSHED: dict[str, Field] = {
    "first": _NUMBER,
    "last": _NUMBER,
    "frames": Field("hashes", most=MANIFEST_LIMIT),
    **_MADE,
}

#: What the last of 2 or 4 channels can be.
ALPHAS = ("none", "straight", "premultiplied")

_PROMPT: dict[str, Field] = {
    "name": _NAME,
    "frame": _NUMBER,
    "points": Field("points", required=False, most=10_000),
    "not_points": Field("points", required=False, most=10_000),
    "scribbles": Field("strokes", required=False, most=1000),
    "not_scribbles": Field("strokes", required=False, most=1000),
    "box": Field("numbers", required=False, most=4),
    "matte": optional(_PATH),
}

_GIVEN_MATTE: dict[str, Field] = {
    "name": _NAME,
    "path": _PATH,
    "channel": Field("text", required=False, most=4096),
    "cryptomatte": Field("text", required=False, most=4096),
    "z": Field("int", required=False),
}

#: Requests of a client. Those with frames answer one picture for each entry, or several layers of one, in the order
#: asked for.
REQUESTS: Table = {
    "hello": {"version": _NAME, "protocol": _COUNT, "client": _NAME},
    "describe": {},
    "probe": {"paths": Field("texts", most=64)},
    "put": {
        "hash": optional(_HASH),
        "size": Field("int", least=1, most=2**53),
        "offset": _COUNT,
        "place": PLACE,
    },
    "open_shot": {
        "path": optional(_PATH),
        "colour": optional(_NAME),  # of a path; what is made says it itself
        "alpha": optional(_NAME),
        "config": optional(_PATH),  # OpenColorIO's, for either
        "layer": optional(_NAME),  # of a path's OpenEXR files
        "view": optional(_NAME),
        "gaps": optional(_NAME),  # what stands for a sequence's missing frames
        "files": _FILES,
        "pushed": Field("map", required=False, inner=_PUSHED),
        "live": Field("map", required=False, inner=_MADE),
    },
    "put_frame": {"shot": _NAME, **_PIXELS},
    "analyse": {
        "shot": _NAME,
        "prompts": Field("maps", most=1000, inner=_PROMPT),
        "segmenter": _NAME,
        "mattes": Field("maps", required=False, most=1000, inner=_GIVEN_MATTE),
        "files": _FILES,
    },
    "read_analysis": {"analysis": _NAME, "offset": _COUNT},
    "add_analysis": {"hash": _HASH},
    "mattes": {
        "shot": _NAME,
        "analysis": _NAME,
        "instance": _COUNT,
        "frames": _FRAMES,
        "window": _WINDOW,
        "scrub": _SCRUB,
    },
    "render": {
        "shot": _NAME,
        "analysis": optional(_NAME),
        "look": _LOOK,
        "frames": _FRAMES,
        "output": Field("text", required=False, choices=OUTPUTS),
        "samples": Field("text", required=False, choices=tuple(TYPES)),
        "scale": Field("int", required=False, least=1, most=SCALE_LIMIT),
        "window": _WINDOW,
        "scrub": _SCRUB,
        "files": _FILES,
    },
    "cancel": {"of": _COUNT},
    "credit": {"of": _COUNT, "attempt": _COUNT, "bytes": _COUNT},
    "share": {"path": _PATH, "nonce": _NAME, "upward": _COUNT, "downward": _COUNT},
    "unshare": {},
    "free": {"regions": _REGIONS},
    "status": {},
    "close_shot": {"shot": _NAME},
    "shutdown": {},
    "parse_look": {"text": _TEXT, "path": optional(_PATH)},
    "format_look": {"look": _LOOK, "original": optional(_TEXT)},
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
    "credit": {"bytes": _COUNT},  # of an upload, taken
    "frame": {
        **_PIXELS,
        "attempt": _COUNT,
        "extra": Field("map", most=1000),
        "more": Field("flag", required=False),  # another picture of the same number follows
    },
    "result": {"value": Field("map")},
    "error": {"code": _NAME, "message": Field("text", most=20_000), "details": Field("map")},
    "free": {"regions": _REGIONS},
    "unshare": {},  # the server lacks the memory that was shared: what was sent through it did not arrive
    "ping": {},
}

_ANALYSED = {"analysis": _NAME, "cuts": Field("ints"), "instances": Field("maps"), "segmenter": _NAME}

#: What results hold at least; a server may say more.
RESULTS: Table = {
    "share": {"nonce": _NAME},
    "hello": {"version": _NAME, "protocol": _COUNT, "fingerprint": _NAME, "pid": _COUNT, "session": _NAME},
    "probe": {"files": Field("list")},
    "put": {"hash": _HASH},
    "open_shot": {"shot": _NAME, "info": Field("map")},
    "analyse": _ANALYSED,
    "add_analysis": _ANALYSED,
    "read_analysis": {"size": _COUNT, "bytes": Field("bytes")},
    "parse_look": {"look": Field("map")},
    "format_look": {"text": Field("text")},
}

#: Messages with a second part: pixels, or a piece of a blob.
_WITH_BYTES = ("put_frame", "frame", "part", "put")


@dataclass(frozen=True)
class Message:
    """One checked message.

    Attributes:
        op: its name in the table.
        id: the request it belongs to.
        fields: every field of the table; None where an optional one was absent.
        payload: the bytes of the second part, empty for messages without.
    """

    op: str
    id: int
    fields: dict[str, Any]
    payload: Bytes = b""

    @functools.cached_property
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
        """Whether the message ends its picture or blob."""
        end: int = self.fields["offset"] + self.length
        whole: int = self.layout.nbytes if "dtype" in self.fields else self.fields["size"]
        return end >= whole

    @property
    def ends_frame(self) -> bool:
        """Whether a part of a picture is the last one of its frame, of which there may be several pictures."""
        return self.last and not self.fields.get("more")


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
    if (payload is not None) != (op in _WITH_BYTES and place is None):
        _refuse(f'The message "{op}" has {"no" if payload is None else "a"} second part.')
    if place and not (len(place) == 2 and 0 <= place[0] < REGIONS_LIMIT and 0 < place[1] <= PART_BYTES):
        _refuse(f'The message "{op}" names an impossible place.')
    if message.length > PART_BYTES:
        _refuse(f"A part is longer than {PART_BYTES} bytes.", Code.TOO_LARGE)
    if "dtype" in table[op]:
        _ = message.layout
    return message


def decode(parts: Sequence[Bytes], table: Table) -> Message:
    """The checked message of the received parts; see `unpack` and `check`."""
    if not 1 <= len(parts) <= 2:
        _refuse(f"A message has {len(parts)} parts.")
    return check(unpack(parts[0]), table, parts[1] if len(parts) == 2 else None)


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
    if type(value) in _SCALARS:
        return True
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(k, str) and _plain(v, depth - 1) for k, v in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_plain(v, depth - 1) for v in value)
    return False


_SCALARS = frozenset((type(None), bool, int, float, str, bytes))
