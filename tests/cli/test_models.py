"""`stylebridge models`: taking in what people have, and saying in a sentence what cannot be taken in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed, johnson, microast
from stylebridge_server.cli import models


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "Rain Princess.model"
    torch.save({name: torch.zeros(shape) for name, shape in johnson.shapes().items()}, path)
    return path


def refused(path: Path, name: str | None = None, said: str | None = None) -> StylebridgeError:
    with pytest.raises(StylebridgeError) as caught:
        models.take_in(path, name, "MIT", said)
    return caught.value


def test_a_checkpoint_is_taken_in_and_listed(checkpoint: Path, folder: Path) -> None:
    assert "None is installed" in models.listed(as_json=False)
    told = models.take_in(checkpoint, None, "BSD-3-Clause", None)
    card = installed.find("rain-princess")
    assert "--style rain-princess" in told and card.version in told and "BSD-3-Clause" in told
    assert card.source["file"] == "Rain Princess.model" and len(card.source["sha256"]) == 64
    table = models.listed(as_json=False)
    assert "rain-princess" in table and card.version in table and "embedded-style" in table
    told = json.loads(models.listed(as_json=True))
    assert told["folder"] == str(folder)
    assert [one["name"] for one in told["installed"]] == ["rain-princess"]
    assert told["installed"][0]["versions"] == [card.version]
    assert models.where(None) == str(folder)
    assert Path(models.where("rain-princess")).is_file()


def test_earlier_versions_are_counted(checkpoint: Path) -> None:
    models.take_in(checkpoint, "rain", "MIT", None)
    torch.save({name: torch.ones(shape) for name, shape in johnson.shapes().items()}, checkpoint)
    models.take_in(checkpoint, "rain", "MIT", None)
    assert "and 1 earlier" in models.listed(as_json=False)


def test_microast_says_how_it_is_used(tmp_path: Path) -> None:
    release = tmp_path / "release"
    release.mkdir()
    tensors = {name: torch.zeros(shape) for name, shape in microast.shapes().items()}
    for part, rows in microast.parted(tensors).items():
        torch.save(rows, release / f"{part}_iter_160000.pth.tar")
    assert "--style micro:PICTURE" in models.take_in(release, "micro", "MIT", None)


def test_what_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    for name in ("starry-night", "style", "optimise", "Candy", "a.b"):
        assert refused(checkpoint, name).code == Code.BAD_VALUE
    assert "leave --input out" in refused(checkpoint, "rain", "0-255").message
    assert refused(tmp_path / "gone.onnx", "gone").code == Code.NOT_FOUND
    assert refused(tmp_path / "gone.pth", "gone").code == Code.NOT_FOUND
    with pytest.raises(StylebridgeError, match="none are known"):
        models.where("rain-prince")
    assert installed.models() == {}


def test_an_onnx_file_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnx", None)
    (tmp_path / "it.onnx").write_bytes(b"x")
    error = refused(tmp_path / "it.onnx", "it")
    assert error.code == Code.MISSING_EXTRA and "stylebridge[server,onnx]" in error.message


def test_what_can_be_fetched_is_listed_and_pulled_from_a_shelf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    from dataclasses import replace

    from stylebridge_models import catalogue, checkpoints, segmentation

    assert "not installed: models pull sam-vit-b" in models.listed(as_json=False)
    settings = {"backbone": "mobilenet_v3_large", "count": 20}
    shapes = segmentation.shapes(segmentation.DEEPLAB, settings)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    torch.save({name: torch.zeros(shape) for name, shape in shapes.items()}, shelf / "deeplab.pth")
    sha256 = checkpoints.checksum(shelf / "deeplab.pth")
    entry = replace(catalogue.ENTRIES["deeplab"], source="https://weights.invalid/deeplab.pth", sha256=sha256)
    monkeypatch.setitem(catalogue.ENTRIES, "deeplab", entry)
    told = models.pull("deeplab", shelf, quiet=True)
    assert "DeepLabv3" in told and "licence BSD-3-Clause" in told
    assert installed.find("deeplab").settings["labels"][14] == "person"
    assert (shelf / "deeplab.pth").is_file() and [one.name for one in folder.iterdir()] == ["deeplab"]
    assert "models pull deeplab " not in models.listed(as_json=False)
    told = json.loads(models.listed(as_json=True))
    assert "sam-vit-b" in [one["name"] for one in told["to_fetch"]]
