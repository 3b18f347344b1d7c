"""An analysis is immutable, named by its contents, and gives any matte at random access."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.shot import analysis as module
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.values import Instance

HEIGHT, WIDTH = 24, 40


def disc(x: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(columns - x, rows - 12)
    return (np.clip(8 - distance, 0, 1) * 255).astype(np.uint8)


def build(store: AnalysisStore, order: list[int], inputs: str = "inputs") -> Analysis:
    builder = store.builder(WIDTH, HEIGHT)
    for number in order:
        builder.put(1, number, disc(number))
        builder.put(2, number, disc(30 - number))
    instances = [
        Instance(1, "person:1", "person", (255, 0, 0), 1, 5, 9, 0.1),
        Instance(2, "dog", None, (0, 255, 0), 2, 5, 9, 0.1),
    ]
    return builder.finish(
        inputs, first=5, last=9, cuts=[8], instances=instances, segmenter="embedded", made_with={"a": "b"}
    )


def test_mattes_come_back_bit_for_bit_in_any_order(tmp_path: Path) -> None:
    analysis = build(AnalysisStore(tmp_path, 1 << 30), [5, 6, 7, 8, 9])
    for number in (9, 5, 7):
        np.testing.assert_array_equal(analysis.matte(1, number), disc(number))
        np.testing.assert_array_equal(analysis.matte(2, number), disc(30 - number))
    assert not analysis.matte(1, 4).any()


def test_those_unused_for_longest_make_room(tmp_path: Path) -> None:
    limit = 4000
    store = AnalysisStore(tmp_path, limit)
    made = []
    for count in range(1, 6):
        made.append(build(store, list(range(5, 5 + count)), inputs=str(count)))
        os.utime(tmp_path / made[-1].id, (count, count))
        if count > 1:
            os.utime(store.load(made[1].id).folder, (100, 100))  # used again and again
    here = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= limit
    assert {made[1].id, made[4].id} <= here and made[0].id not in here
    assert store.find("1") is None and not (tmp_path / "1.made").exists() and store.find("5") == made[4]
    with pytest.raises(StylebridgeError) as caught:
        made[0].matte(1, 5)
    assert caught.value.code == Code.NEED and caught.value.details == {"analysis": made[0].id}


def test_the_id_is_of_the_contents_and_not_of_the_way_there(tmp_path: Path) -> None:
    one = build(AnalysisStore(tmp_path / "one", 1 << 30), [5, 6, 7, 8, 9])
    other = build(AnalysisStore(tmp_path / "other", 1 << 30), [9, 7, 5, 6, 8, 5], inputs="elsewhere")
    assert one.id == other.id
    less = build(AnalysisStore(tmp_path / "less", 1 << 30), [5, 6, 7])
    assert less.id != one.id


def test_an_analysis_is_found_by_its_inputs_and_travels_as_a_folder(tmp_path: Path) -> None:
    store = AnalysisStore(tmp_path / "here", 1 << 30)
    made = build(store, [5, 6])
    assert store.find("inputs") == made
    assert store.find("others") is None
    away = AnalysisStore(tmp_path / "away", 1 << 30)
    shutil.copytree(made.folder, away.folder / made.id)
    np.testing.assert_array_equal(away.load(made.id).matte(1, 6), disc(6))


def test_an_unknown_id_is_needed(tmp_path: Path) -> None:
    store = AnalysisStore(tmp_path, 1 << 30)
    with pytest.raises(StylebridgeError) as lacking:
        store.load("0123456789abcdef")
    assert lacking.value.code == Code.NEED
    with pytest.raises(StylebridgeError):
        store.load("../elsewhere")


@pytest.mark.parametrize("name", ["analysis.json", "mattes.bin"])
def test_a_damaged_analysis_is_noticed_and_made_again(tmp_path: Path, name: str) -> None:
    store = AnalysisStore(tmp_path, 1 << 30)
    made = build(store, [5])
    data = bytearray((made.folder / name).read_bytes())
    data[-3] ^= 1
    (made.folder / name).write_bytes(data)
    with pytest.raises(StylebridgeError) as damaged:
        store.load(made.id)
    assert damaged.value.code == Code.NEED
    assert store.find("inputs") is None
    assert build(store, [5]) == made
    np.testing.assert_array_equal(store.load(made.id).matte(1, 5), disc(5))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([made.id, "inputs.made"])


def test_scenes_follow_the_cuts(tmp_path: Path) -> None:
    analysis = build(AnalysisStore(tmp_path, 1 << 30), [5])
    assert analysis.scenes() == [(5, 7), (8, 9)]
    assert analysis.scene(7) == (5, 7) and analysis.scene(8) == (8, 9)


def test_selectors_mean_ids_names_and_labels(tmp_path: Path) -> None:
    analysis = build(AnalysisStore(tmp_path, 1 << 30), [5])
    for selector, expected in ((1, [1]), ("1", [1]), ("person", [1]), ("person:1", [1]), ("dog", [2])):
        assert [one.id for one in analysis.instance(selector)] == expected
    with pytest.raises(StylebridgeError, match=r"'cat'.*person:1 \(id 1\), dog \(id 2\)"):
        analysis.instance("cat")


def test_nothing_half_made_stays_behind(tmp_path: Path) -> None:
    builder = AnalysisStore(tmp_path, 1 << 30).builder(WIDTH, HEIGHT)
    builder.put(1, 5, disc(5))
    with pytest.raises(ValueError):
        builder.put(1, 6, np.zeros((3, 3), np.uint8))
    del builder
    assert list(tmp_path.iterdir()) == []


def test_what_is_remembered_of_analyses_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WHOLE_KEPT", 2)
    store = AnalysisStore(tmp_path, 1 << 30)
    made = [build(store, order).id for order in ([1], [2], [3], [4])]
    assert len(set(made)) == 4
    assert [store.load(name).id for name in [*made, *made]] == [*made, *made]
    assert len(store._whole) == 2
