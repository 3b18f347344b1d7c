"""The test vectors of docs/protocol.md, which were made without this code."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from zmq.utils import z85

from stylebridge.errors import Code, StylebridgeError
from stylebridge.files import glimpse, hash_of
from stylebridge.keys import KeyPair
from stylebridge.pixels import Layout, Picture, read_array, split
from stylebridge.protocol import EVENTS, REQUESTS, decode, encode

FOLDER = Path(__file__).parent / "vectors"
TABLES = {"requests": REQUESTS, "events": EVENTS}


def vectors(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_the_files_are_what_the_page_makes() -> None:
    specification = importlib.util.spec_from_file_location("make_vectors", FOLDER / "make.py")
    assert specification and specification.loader
    make = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(make)
    for name, made in make.FILES.items():
        assert vectors(name) == json.loads(json.dumps(made())), f"run {FOLDER / 'make.py'}"


@pytest.mark.parametrize("vector", vectors("messages"), ids=lambda vector: vector["op"])
def test_messages(vector: dict[str, Any]) -> None:
    payload = None if vector["payload"] is None else bytes.fromhex(vector["payload"])
    parts = [bytes.fromhex(vector["envelope"]), *([] if payload is None else [payload])]
    assert encode(vector["op"], vector["id"], vector["fields"], payload) == parts
    message = decode(parts, TABLES[vector["table"]])
    assert (message.op, message.id, bytes(message.payload)) == (vector["op"], vector["id"], payload or b"")
    assert {name: value for name, value in message.fields.items() if value is not None} == vector["fields"]


def test_there_is_a_vector_for_every_message() -> None:
    seen = {(vector["table"], vector["op"]) for vector in vectors("messages")}
    assert {(table, op) for table, messages in TABLES.items() for op in messages} - seen == set()


@pytest.mark.parametrize("vector", vectors("refused"), ids=lambda vector: vector["why"])
def test_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(StylebridgeError) as refused:
        decode([bytes.fromhex(part) for part in vector["parts"]], REQUESTS)
    assert refused.value.code == vector["code"]


@pytest.mark.parametrize("vector", vectors("pictures"), ids=lambda vector: vector["dtype"])
def test_pictures(vector: dict[str, Any]) -> None:
    numpy = pytest.importorskip("numpy")
    data = bytes.fromhex(vector["bytes"])
    layout = Layout(vector["dtype"], vector["height"], vector["width"], vector["channels"])
    array = numpy.array(vector["samples"], vector["dtype"])
    assert numpy.array_equal(numpy.asarray(Picture(0, layout, data)), array)
    seen, taken = read_array(array)
    assert (seen, bytes(taken)) == (layout, data)


def test_blobs(tmp_path: Path) -> None:
    blobs = vectors("blobs")
    for vector in blobs["contents"]:
        repeat = bytes.fromhex(vector["repeat"])
        path = tmp_path / "blob"
        path.write_bytes((repeat * (vector["size"] // len(repeat) + 1))[: vector["size"]])
        assert hash_of(path) == vector["hash"]
        seen = glimpse(path)
        assert (seen["size"], seen["sample"]) == (vector["size"], vector["sample"])
    for vector in blobs["parts"]:
        assert [[at, part.nbytes] for at, part in split(bytes(vector["size"]))] == vector["parts"]
    for vector in blobs["lists"]:
        packed = msgpack.packb(vector["value"])
        (tmp_path / "list").write_bytes(packed)
        assert (packed.hex(), hash_of(tmp_path / "list")) == (vector["bytes"], vector["hash"])


def test_keys() -> None:
    for vector in vectors("keys"):
        pair = KeyPair.of_secret(bytes.fromhex(vector["secret"]))
        assert pair.public.hex() == vector["public"]
        assert z85.encode(pair.public).decode() == vector["public_z85"]
        assert z85.encode(pair.secret).decode() == vector["secret_z85"]
        assert zmq.curve_public(vector["secret_z85"].encode()).decode() == vector["public_z85"]


def test_the_page_names_every_message_field_and_code(repository: Path) -> None:
    page = (repository / "docs" / "protocol.md").read_text(encoding="utf-8")
    tables = [*REQUESTS.items(), *EVENTS.items()]
    names = {op for op, _ in tables} | {name for _, fields in tables for name in fields}
    names |= {value for name, value in vars(Code).items() if name.isupper()}
    assert {name for name in names if f"`{name}`" not in page and f"`{name}?`" not in page} == set()
