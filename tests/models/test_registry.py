"""The registry of weights: checksums, and one clear sentence where a file is damaged or missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import registry


def test_what_ships_loads_and_says_what_it_is() -> None:
    for name, entry in registry.index().items():
        assert entry.licence and entry.what and entry.bytes < 4_000_000
        assert len(registry.read(name)) == entry.bytes


def test_weights_are_float32() -> None:
    import torch

    tensors = registry.load("embedded-style")
    assert tensors and all(value.dtype == torch.float32 for value in tensors.values())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    shutil.copytree(registry.FOLDER, folder)
    return folder


def test_damaged_file_is_named_with_its_checksum(copy: Path) -> None:
    path = copy / registry.find("embedded-style").file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StylebridgeError) as caught:
        registry.load("embedded-style", copy)
    assert caught.value.code == Code.NOT_READABLE
    assert str(path) in caught.value.message and "checksum" in caught.value.message


def test_missing_file_and_unknown_name(copy: Path) -> None:
    (copy / registry.find("embedded-style").file).unlink()
    for name in ("embedded-style", "monet"):
        with pytest.raises(StylebridgeError) as caught:
            registry.read(name, copy)
        assert caught.value.code == Code.NOT_FOUND


@pytest.mark.parametrize("text", ["{", json.dumps([{"name": "x"}]), json.dumps({"a": 1})])
def test_damaged_index(copy: Path, text: str) -> None:
    (copy / registry.INDEX).write_text(text)
    with pytest.raises(StylebridgeError) as caught:
        registry.index(copy)
    assert caught.value.code == Code.NOT_READABLE


def test_no_index(tmp_path: Path) -> None:
    with pytest.raises(StylebridgeError) as caught:
        registry.index(tmp_path)
    assert caught.value.code == Code.NOT_FOUND
