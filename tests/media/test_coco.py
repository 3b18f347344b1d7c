"""Masks as COCO has them: run lengths to the letter, files there and back, and files of others."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media.coco import CocoFile, CocoWriter
from stylebridge_server.media.rle import decoded, encoded
from stylebridge_server.values import Instance


def instance(id: int, name: str, label: str | None) -> Instance:
    return Instance(id, name, label, (1, 2, 3), id, 0, 1, 0.1)


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_any_mask_comes_back(mask: np.ndarray) -> None:
    assert np.array_equal(decoded(encoded(mask), mask.shape), mask)


def test_the_text_is_cocos() -> None:
    """By hand: runs down the columns; from the fourth on the difference to the run before the last."""
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:3] = True  # runs 5 2 2 2 9
    assert encoded(mask) == "52" + "2" + "0" + "7"
    assert encoded(np.ones((2, 2), bool)) == "04"
    long = np.zeros((100, 100), bool)
    long[50:, 50] = True  # runs 5050, 50, 4900: groups of five bits, the lowest first
    assert encoded(long) == "jm4" + "b1" + "Ti4"
    assert np.array_equal(decoded([5, 2, 2, 2, 9], (4, 5)), mask)


@given(st.text(max_size=20))
def test_any_text_is_a_mask_or_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert decoded(text, (6, 7)).shape == (6, 7)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    instances = [
        instance(1, "person:1", "person"),
        instance(2, "person:2", "person"),
        instance(3, "hat", None),
    ]
    writer = CocoWriter(instances, (20, 30), "plate")
    truth: dict[tuple[str, int], np.ndarray] = {}
    for number in (7, 8):
        for one in instances:
            matte = np.zeros((20, 30), np.uint8)
            if (one.id, number) != (2, 8):
                matte[number : number + 5, 3 * one.id : 3 * one.id + 6] = 200
            matte[0, 0] = 90  # below a half
            writer.add(one.id, number, matte)
            truth[one.name, number] = matte >= 128
    path = tmp_path / "plate.coco.json"
    writer.write(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["plate.coco.json"]
    content = json.loads(path.read_text("utf-8"))
    assert [one["name"] for one in content["categories"]] == ["person", "thing"]
    first = content["annotations"][0]
    assert first["bbox"] == [3, 7, 6, 5] and first["area"] == 30 and first["track_id"] == 1
    assert first["segmentation"]["size"] == [20, 30] and first["iscrowd"] == 0
    file = CocoFile(path)
    assert set(file.names) == {"person", "person:1", "person:2", "thing", "hat"}
    for (name, number), mask in truth.items():
        part = file.part(name, number)
        assert (part is None) == (not mask.any())
        assert part is None or np.array_equal(part.plane > 0, mask)
    people = file.part("person", 7)
    assert people is not None
    assert np.array_equal(people.plane > 0, truth["person:1", 7] | truth["person:2", 7])
    assert file.part("hat", 99) is None


def others(**more: Any) -> dict[str, Any]:
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:4] = True
    return {
        "images": [{"id": 31, "file_name": "shots/a2/plate.1004.jpg"}, {"id": 32, "file_name": "none"}],
        "categories": [{"id": 18, "name": "dog"}],
        "annotations": [
            {
                "image_id": 31,
                "category_id": 18,
                "segmentation": {"size": [4, 6], "counts": [9, 2, 2, 2, 9]},
                **more,
            },
            {
                "image_id": 32,
                "category_id": 18,
                "segmentation": {"size": [4, 6], "counts": encoded(mask)},
                **more,
            },
        ],
    }


def test_files_of_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "others.json"
    path.write_text(json.dumps(others(track_id=900)), "utf-8")
    file = CocoFile(path)
    assert file.names == ["dog", "dog:1"]
    for number in (1004, 32):
        part = file.part("dog:1", number)
        assert part is not None and part.plane.sum() == 4 and part.display == (0, 0, 6, 4)


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    for text in ("", "{", "[]", '{"images": 3}', '{"images": [], "annotations": [{}]}', "[" * 100_000):
        path.write_text(text, "utf-8")
        with pytest.raises(StylebridgeError) as caught:
            CocoFile(path)
        assert caught.value.code == Code.NOT_READABLE and "bad.json" in caught.value.message
    path.write_text(json.dumps(others()), "utf-8")
    with pytest.raises(StylebridgeError, match="has no 'dogs'; did you mean 'dog'"):
        CocoFile(path).find("dogs")
    broken = others()
    broken["annotations"][0]["segmentation"] = {"size": [4, 6], "counts": [9, 2]}
    broken["annotations"][1]["segmentation"] = {"size": [40_000, 40_000], "counts": [1_600_000_000]}
    path.write_text(json.dumps(broken), "utf-8")
    with pytest.raises(StylebridgeError, match="the mask of 'dog' on frame 1004"):
        CocoFile(path).part("dog", 1004)
    with pytest.raises(StylebridgeError) as caught:
        CocoFile(path).part("dog", 32)
    assert caught.value.code == Code.TOO_LARGE
