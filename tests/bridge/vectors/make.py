"""Makes the test vectors from docs/protocol.md alone: nothing here knows the product's code.

python tests/bridge/vectors/make.py        writes the JSON files beside it
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

PART = 2 << 20


def pack(value: Any) -> bytes:
    """MessagePack in its shortest form, floats with 64 bits."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, int):
        return pack_int(value)
    if isinstance(value, str):
        data = value.encode()
        return head(len(data), (0xA0, 32), 0xD9, 0xDA, 0xDB) + data
    if isinstance(value, bytes):
        return head(len(value), None, 0xC4, 0xC5, 0xC6) + value
    if isinstance(value, list):
        return head(len(value), (0x90, 16), None, 0xDC, 0xDD) + b"".join(map(pack, value))
    items = b"".join(pack(key) + pack(entry) for key, entry in value.items())
    return head(len(value), (0x80, 16), None, 0xDE, 0xDF) + items


def pack_int(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack(">b", value)
    kinds = [(0xCC, "B"), (0xCD, "H"), (0xCE, "I"), (0xCF, "Q")]
    if value < 0:
        kinds = [(0xD0, "b"), (0xD1, "h"), (0xD2, "i"), (0xD3, "q")]
    for code, form in kinds:
        try:
            return bytes([code]) + struct.pack(">" + form, value)
        except struct.error:
            continue
    raise ValueError(value)


def head(length: int, fixed: tuple[int, int] | None, *codes: int | None) -> bytes:
    if fixed and length < fixed[1]:
        return bytes([fixed[0] + length])
    for code, form in zip(codes, "BHI"):  # noqa: B905 (of Python 3.9)
        if code is not None and length < 256 ** struct.calcsize(form):
            return bytes([code]) + struct.pack(">" + form, length)
    raise ValueError(length)


def name_of(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def message(
    table: str, number: int, op: str, fields: dict[str, Any], payload: bytes | None = None
) -> dict[str, Any]:
    envelope = pack({"v": 2, "id": number, "op": op, **fields})
    return {
        "table": table,
        "id": number,
        "op": op,
        "fields": fields,
        "envelope": envelope.hex(),
        "payload": None if payload is None else payload.hex(),
    }


def messages() -> list[dict[str, Any]]:
    red = {"dtype": "uint8", "height": 1, "width": 2, "channels": 3, "offset": 0}
    made = {"width": 2, "height": 1, "channels": 3, "dtype": "uint8", "rate": [24000, 1001]}
    made = {**made, "colour": "srgb", "alpha": "none"}
    name = name_of(b"abc")
    prompt = {"name": "dog", "frame": -3, "points": [[0.25, 1]], "box": [0, 0.5, 1, 1]}
    drawn = {
        "name": "dog",
        "frame": 7,
        "scribbles": [[[0.25, 0.5], [0.5, 0.75]], [[0, 1]]],
        "not_scribbles": [[[0.125, 0.25]]],
    }
    look = {
        "schema": "look.1",
        "background": {"style": "great-wave", "strength": [[0, 0.0], [24, 1.0, "smooth"]]},
    }
    long_name = "é" * 40
    return [
        message("requests", 1, "hello", {"version": "0.1.0", "protocol": 2, "client": long_name}),
        message("requests", 2, "describe", {}),
        message("requests", 3, "put", {"hash": name, "size": 3, "offset": 0}, b"abc"),
        message("requests", 4, "put", {"size": PART + 1, "offset": PART}, b"\x00"),
        message("requests", 5, "probe", {"paths": ["/plates/plate.0001.png"]}),
        message(
            "requests",
            6,
            "open_shot",
            {"path": "C:\\plates\\plate.mp4", "files": {"C:\\plates\\plate.mp4": {"hash": name, "size": 3}}},
        ),
        message("requests", 7, "open_shot", {"path": "/plates/plate.####.png", "files": name}),
        message(
            "requests",
            7,
            "open_shot",
            {
                "path": "/plates/plate.exr",
                "colour": "acescg",
                "alpha": "premultiplied",
                "config": "/show/config.ocio",
                "files": {"/show/config.ocio": {"hash": name, "size": 3}},
            },
        ),
        message(
            "requests",
            8,
            "open_shot",
            {"pushed": {"first": 1001, "last": 1002, "frames": [name, name], **made}},
        ),
        message("requests", 9, "open_shot", {"live": made}),
        message(
            "requests",
            11,
            "open_shot",
            {"path": "/p/a.####.exr", "colour": "acescg", "layer": "key", "view": "right", "gaps": "hold"},
        ),
        message("requests", 11, "open_shot", {"path": "/plates/tape.mxf", "deinterlace": "auto"}),
        message("requests", 10, "put_frame", {"shot": "s", "number": 70000, **red}, bytes(6)),
        message("requests", 127, "analyse", {"shot": "s", "prompts": [prompt], "segmenter": "auto"}),
        message("requests", 126, "analyse", {"shot": "s", "prompts": [drawn], "segmenter": "sam"}),
        message(
            "requests",
            127,
            "analyse",
            {"shot": "s", "prompts": [], "segmenter": "none", "cuts": [-3, 96, 40000]},
        ),
        message(
            "requests",
            128,
            "analyse",
            {
                "shot": "s",
                "prompts": [],
                "segmenter": "host",
                "mattes": [
                    {"name": "hero", "path": "/roto/hero.####.exr", "channel": "left.mask.R", "z": -1},
                    {"name": "car", "path": "/crypto.exr", "cryptomatte": "car_é", "invert": True},
                ],
                "files": name,
            },
        ),
        message(
            "requests",
            128,
            "render",
            {
                "shot": "s",
                "analysis": "a",
                "look": look,
                "frames": [-1, -33, -129, -40000, 2**40],
                "window": 4 << 20,
                "scrub": "playhead",
            },
        ),
        message(
            "requests",
            129,
            "render",
            {"shot": "s", "look": look, "frames": [0], "output": "layers", "samples": "float16", "scale": 4},
        ),
        message(
            "requests",
            130,
            "preview",
            {"shot": "s", "analysis": "a", "look": look, "frames": [7], "scrub": "playhead"},
        ),
        message(
            "requests",
            65536,
            "mattes",
            {"shot": "s", "analysis": "a", "instance": 0, "frames": list(range(20))},
        ),
        message(
            "requests",
            2**32,
            "parse_look",
            {"text": 'schema = "look.1"\n' + "#" * 300, "path": "/looks/a.toml"},
        ),
        message("requests", 12, "format_look", {"look": look}),
        message("requests", 13, "credit", {"of": 128, "attempt": 1, "bytes": PART}),
        message("requests", 14, "cancel", {"of": 128}),
        message("requests", 15, "close_shot", {"shot": "s"}),
        message("requests", 16, "status", {}),
        message("requests", 17, "shutdown", {}),
        message("requests", 18, "bye", {}),
        message("requests", 19, "read_analysis", {"analysis": "a", "offset": 524288}),
        message("requests", 20, "add_analysis", {"hash": name}),
        message(
            "requests",
            21,
            "share",
            {"path": "/dev/shm/plates", "nonce": "5a" * 32, "upward": 8, "downward": 20},
        ),
        message("requests", 22, "put", {"size": PART, "offset": 0, "place": [7, PART]}),
        message("requests", 23, "free", {"regions": [8, 27]}),
        message("requests", 24, "unshare", {}),
        message("events", 0, "free", {"regions": [7]}),
        message("events", 0, "unshare", {}),
        message("events", 128, "frame", {"number": -1, **red, "place": [8, 6], "attempt": 1, "extra": {}}),
        message("events", 3, "accepted", {}),
        message("events", 3, "credit", {"bytes": 3}),
        message("events", 3, "result", {"value": {"hash": name}}),
        message("events", 128, "progress", {"done": 1, "total": 5, "stage": "styling", "fps": 2.5}),
        message(
            "events",
            128,
            "frame",
            {"number": -1, **red, "attempt": 1, "extra": {}},
            b"\xff\x00\x00\xff\x00\x00",
        ),
        message(
            "events",
            129,
            "frame",
            {"number": 0, **red, "attempt": 1, "extra": {"layer": 1}, "more": True},
            bytes(6),
        ),
        message(
            "events",
            8,
            "error",
            {"code": "need", "message": "The server lacks frame 1002.", "details": {"frames": [1002]}},
        ),
        message("events", 0, "ping", {}),
    ]


def refused() -> list[dict[str, Any]]:
    def one(why: str, code: str, *parts: bytes) -> dict[str, Any]:
        return {"why": why, "code": code, "parts": [part.hex() for part in parts]}

    def envelope(**fields: Any) -> bytes:
        return pack({"v": 2, "id": 1, "op": "cancel", "of": 1} | fields)

    pixels = {"shot": "s", "number": 0, "dtype": "uint8", "height": 1, "width": 1, "channels": 1, "offset": 0}
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    return [
        one("no MessagePack", "bad_request", b"\xc1"),
        one("no map", "bad_request", pack([1])),
        one("bytes after the map", "bad_request", envelope() + b"\x00"),
        one("a key that is no text", "bad_request", b"\x81\x01\x02"),
        one("no id", "bad_request", pack({"v": 2, "op": "cancel", "of": 1})),
        one("an id below 0", "bad_request", envelope(id=-1)),
        one("another version", "version", envelope(v=1)),
        one("an unknown op", "bad_request", envelope(op="fly")),
        one("a field that is not in the table", "bad_request", envelope(more=1)),
        one("a field that is missing", "bad_request", pack({"v": 2, "id": 1, "op": "cancel"})),
        one("a flag for an integer", "bad_request", envelope(of=True)),
        one("a float for an integer", "bad_request", envelope(of=1.0)),
        one("a second part where none belongs", "bad_request", envelope(), b"x"),
        one(
            "no second part where one belongs",
            "bad_request",
            pack({"v": 2, "id": 1, "op": "put_frame"} | pixels),
        ),
        one(
            "an unknown sample type",
            "bad_value",
            pack({"v": 2, "id": 1, "op": "put_frame"} | pixels | {"dtype": "float64"}),
            b"x",
        ),
        one(
            "a picture over the limits",
            "too_large",
            pack({"v": 2, "id": 1, "op": "put_frame"} | pixels | {"width": 65537}),
            b"x",
        ),
        one(
            "a hash in upper case",
            "bad_request",
            pack({"v": 2, "id": 1, "op": "put", "hash": "A" * 64, "size": 1, "offset": 0}),
            b"x",
        ),
        one(
            "an empty blob", "bad_request", pack({"v": 2, "id": 1, "op": "put", "size": 0, "offset": 0}), b""
        ),
        one(
            "an output that is none",
            "bad_request",
            pack({"v": 2, "id": 1, "op": "render", "shot": "s", "look": {}, "frames": [0], "output": "deep"}),
        ),
        one(
            "a scale beyond the smallest proxy",
            "bad_request",
            pack({"v": 2, "id": 1, "op": "render", "shot": "s", "look": {}, "frames": [0], "scale": 17}),
        ),
        one(
            "a second part beside a place",
            "bad_request",
            pack({"v": 2, "id": 1, "op": "put", "size": 1, "offset": 0, "place": [0, 1]}),
            b"x",
        ),
        one("nested too deep", "bad_request", envelope(of=deep)),
    ]


def pictures() -> list[dict[str, Any]]:
    forms = {"uint8": "B", "uint16": "<H", "float16": "<e", "float32": "<f"}
    samples = {
        "uint8": [[[0, 1, 2], [3, 4, 255]], [[5, 6, 7], [8, 9, 10]]],
        "uint16": [[[1], [256], [65535]]],
        "float16": [[[0.5, 1.0], [-2.0, 65504.0]]],
        "float32": [[[0.5, 0.25, 0.125, 1.0]], [[-1.5, 1e-3, 2.0, 0.0]]],
    }
    return [
        {
            "dtype": dtype,
            "height": len(rows),
            "width": len(rows[0]),
            "channels": len(rows[0][0]),
            "samples": rows,
            "bytes": b"".join(
                struct.pack(forms[dtype], value) for row in rows for pixel in row for value in pixel
            ).hex(),
        }
        for dtype, rows in samples.items()
    ]


def content(repeat: bytes, size: int) -> bytes:
    return (repeat * (size // len(repeat) + 1))[:size]


def sample_of(data: bytes) -> str:
    places = [max(len(data) - 16384, 0) * piece // 7 for piece in range(8)]
    return name_of(b"".join(data[place : place + 16384] for place in places))


def blobs() -> dict[str, Any]:
    contents = [(b"abc", 3), (b"\x00", 1), (bytes(range(251)), 16384), (bytes(range(251)), 1_000_003)]
    sizes = [1, PART - 1, PART, PART + 1, 3 * PART]
    name = name_of(b"abc")
    lists: list[Any] = [[name, name], {"/plates/plate.0001.png": {"hash": name, "size": 3}}]
    return {
        "contents": [
            {
                "repeat": repeat.hex(),
                "size": size,
                "hash": name_of(content(repeat, size)),
                "sample": sample_of(content(repeat, size)),
            }
            for repeat, size in contents
        ],
        "parts": [
            {"size": size, "parts": [[at, min(PART, size - at)] for at in range(0, size, PART)]}
            for size in sizes
        ],
        "lists": [
            {"value": value, "bytes": pack(value).hex(), "hash": name_of(pack(value))} for value in lists
        ],
    }


def keys() -> list[dict[str, Any]]:
    """The pair of the example in rfc.zeromq.org/spec/26."""
    pair = {
        "public_z85": "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
        "secret_z85": "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
    }
    return [{**pair, "public": unz85(pair["public_z85"]).hex(), "secret": unz85(pair["secret_z85"]).hex()}]


def unz85(text: str) -> bytes:
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    data = b""
    for start in range(0, len(text), 5):
        value = 0
        for character in text[start : start + 5]:
            value = value * 85 + digits.index(character)
        data += struct.pack(">I", value)
    return data


FILES = {"messages": messages, "refused": refused, "pictures": pictures, "blobs": blobs, "keys": keys}

if __name__ == "__main__":
    for file, vectors in FILES.items():
        path = Path(__file__).with_name(f"{file}.json")
        path.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
