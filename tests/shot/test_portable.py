"""An analysis goes from one server to another, and what only claims to be one is refused."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.shot import portable
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.values import Instance


@pytest.fixture
def made(tmp_path: Path) -> Analysis:
    builder = AnalysisStore(tmp_path / "here", 1 << 30).builder(20, 10)
    for number in (3, 4):
        builder.put(1, number, np.full((10, 20), number, np.uint8))
    thing = Instance(1, "dog", None, (255, 0, 0), 1, 3, 4, 1.0)
    return builder.finish(
        "inputs", first=3, last=4, cuts=[4], instances=[thing], segmenter="embedded", made_with={"a": "b"}
    )


def saved(analysis: Analysis) -> bytes:
    data, size = b"", 1
    while len(data) < size:
        size, part = portable.piece(analysis, len(data))
        data += part
    return data


def test_it_is_the_same_analysis_elsewhere(
    made: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = saved(made)
    for size in (1, 7, len(whole)):
        monkeypatch.setattr(portable, "PIECE", size)
        assert saved(made) == whole
    (tmp_path / "blob").write_bytes(whole)
    away = AnalysisStore(tmp_path / "away", 1 << 30)
    brought = portable.add(away, tmp_path / "blob")
    assert brought == made
    np.testing.assert_array_equal(brought.matte(1, 4), made.matte(1, 4))
    assert portable.add(away, tmp_path / "blob") == made, "also a second time"
    assert [path.name for path in away.folder.iterdir()] == [made.id]


def test_each_piece_costs_the_same_however_long_the_analysis(
    made: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AnalysisStore(tmp_path / "here", 1 << 30)
    whole = saved(store.load(made.id))
    monkeypatch.setattr(portable, "PIECE", 5)

    def refuse(*words: object) -> None:
        raise AssertionError("all of it is read for a piece")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(json, "loads", refuse)
        meanwhile.setattr(Path, "read_bytes", refuse)
        got = [portable.piece(store.load(made.id), offset)[1] for offset in range(0, len(whole), 5)]
    assert b"".join(got) == whole
    assert portable.piece(made, 2**62) == (len(whole), b"")
    (made.folder / "mattes.bin").write_bytes(b"damage")
    with pytest.raises(StylebridgeError, match="is damaged"):
        store.load(made.id)


def changed(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.update(fields)


def instance(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["instances"][0].update(fields)


def span(place: int, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["mattes"][0].__setitem__(place, value)


@pytest.mark.parametrize(
    "spoil",
    [
        changed(schema="analysis.1"),
        changed(width=0),
        changed(height=10**9),
        changed(cuts=["x"]),
        changed(cuts=[3]),
        changed(cuts=[4, 4]),
        changed(last=-(2**40)),
        changed(instances=[3]),
        changed(made_with={"a": 1}),
        changed(more=1),
        changed(mattes=[1]),
        changed(mattes=[]),
        instance(colour=[1, 2]),
        instance(colour=[1, 2, 256]),
        instance(id=2),
        instance(area=float("nan")),
        span(0, True),
        span(2, 1),
        span(2, -1),
        span(3, 10**6),
        span(3, 2**70),
        span(4, [0, 0, 21, 10]),
        span(4, [5, 0, 5, 10]),
        span(4, [0, 0, 10]),
        lambda content: content.pop("first"),
    ],
)
def test_claims_that_cannot_be(
    made: Analysis, tmp_path: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    text, mattes = saved(made).split(b"\n", 1)
    content = json.loads(text)
    spoil(content)
    refused(tmp_path, json.dumps(content).encode() + b"\n" + mattes)


@pytest.mark.parametrize("data", [b"", b"x", b"[]\n", b"{\n", b"3\n", b"[" * 100_000 + b"\n", b"\xff\n"])
def test_what_is_no_analysis(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, data)


def refused(folder: Path, data: bytes) -> None:
    (folder / "blob").write_bytes(data)
    away = AnalysisStore(folder / "away", 1 << 30)
    with pytest.raises(StylebridgeError) as error:
        portable.add(away, folder / "blob")
    assert error.value.code == Code.NOT_READABLE
    assert list(away.folder.iterdir()) == []


def test_a_matte_that_inflates_without_end_is_not_inflated(made: Analysis, tmp_path: Path) -> None:
    text, _ = saved(made).split(b"\n", 1)
    content = json.loads(text)
    bomb = struct.pack("<2I", 200, 9999) + zlib.compress(bytes(50_000_000), 9)
    content["mattes"] = [[1, 3, 0, len(bomb), [0, 0, 20, 10]], [1, 4, len(bomb), 3, [0, 0, 20, 10]]]
    (tmp_path / "blob").write_bytes(json.dumps(content).encode() + b"\n" + bomb + b"abc")
    brought = portable.add(AnalysisStore(tmp_path / "away", 1 << 30), tmp_path / "blob")
    tracemalloc.start()
    with pytest.raises(StylebridgeError, match="is damaged"):
        brought.matte(1, 3)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    with pytest.raises(StylebridgeError, match="is damaged"):
        brought.matte(1, 4)
