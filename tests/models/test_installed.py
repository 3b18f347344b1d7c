"""Checkpoints of others: read without executing anything, compared name by name, kept in versions."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import checkpoints, installed, johnson, kinds, loss_networks, microast

USUAL = {"normalisation": "instance", "widths": [32, 64, 128], "blocks": 5}


class Trap:
    """A pickle that would run a command."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def state(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(folder))
    return folder


def refused(path: Path) -> StylebridgeError:
    with pytest.raises(StylebridgeError) as caught:
        kinds.convert(path)
    assert caught.value.message.count(". ") == 0 and str(path) in caught.value.message
    return caught.value


def test_a_johnson_checkpoint_in_every_wrapping(tmp_path: Path) -> None:
    tensors = state(johnson.shapes())
    wrapped = {
        "plain.pth": tensors,
        "trained.pth": {"epoch": 3, "state_dict": tensors, "optimizer": {"lr": 0.1}},
        "parallel.pth": {f"module.{name}": value for name, value in tensors.items()},
    }
    paths = []
    for name, value in wrapped.items():
        torch.save(value, tmp_path / name)
        paths.append(tmp_path / name)
    torch.save(tensors, tmp_path / "legacy.model", _use_new_zipfile_serialization=False)
    safetensors.torch.save_file(tensors, tmp_path / "it.safetensors")
    np.savez(tmp_path / "it.npz", **{name: value.numpy() for name, value in tensors.items()})
    for path in [*paths, *(tmp_path / name for name in ("legacy.model", "it.safetensors", "it.npz"))]:
        found = kinds.convert(path)
        assert found.kind == kinds.JOHNSON and found.settings == {"epsilon": johnson.EPSILON, **USUAL}
        assert found.tensors.keys() == tensors.keys()
        assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)


def test_old_keys_are_renamed_and_bring_their_epsilon(tmp_path: Path) -> None:
    tensors = state(johnson.shapes())
    old = {
        (
            name[: -len("weight")] + "scale" if name.endswith("weight") and ".conv2d" not in name else name
        ): value
        for name, value in tensors.items()
    }
    old = {
        (name[: -len("bias")] + "shift" if name.endswith("bias") and ".conv2d" not in name else name): value
        for name, value in old.items()
    }
    assert "in1.scale" in old and "res1.in2.shift" in old
    torch.save(old, tmp_path / "old.model")
    found = kinds.convert(tmp_path / "old.model")
    assert found.settings == {"epsilon": johnson.OLD_EPSILON, **USUAL}
    assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)


def test_microast_as_a_folder_and_as_one_file(tmp_path: Path) -> None:
    tensors = state(microast.shapes())
    folder = tmp_path / "release"
    folder.mkdir()
    for part, rows in microast.parted(tensors).items():
        torch.save(rows, folder / f"{part}_iter_160000.pth.tar")
    safetensors.torch.save_file(tensors, tmp_path / "one.safetensors")
    for path in (folder, tmp_path / "one.safetensors"):
        found = kinds.convert(path)
        assert found.kind == kinds.MICROAST
        assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)
    (folder / "decoder_iter_160000.pth.tar").unlink()
    assert "no file named decoder*" in refused(folder).message


def test_missing_extra_and_misshapen_are_named(tmp_path: Path) -> None:
    tensors = state(johnson.shapes())
    path = tmp_path / "it.pth"
    torch.save({name: value for name, value in tensors.items() if name != "res3.in1.weight"}, path)
    assert "it lacks res3.in1.weight" in refused(path).message
    torch.save({**tensors, "conv9.weight": torch.zeros(2)}, path)
    assert "it has conv9.weight, which the network does not know" in refused(path).message
    torch.save({**tensors, "conv1.conv2d.weight": torch.zeros(32, 4, 9, 9)}, path)
    assert "conv1.conv2d.weight is 32x4x9x9, the network's is 32x3x9x9" in refused(path).message
    torch.save({**tensors, "in1.weight": torch.full((32,), torch.nan)}, path)
    assert "in1.weight holds values that are no numbers" in refused(path).message


def test_a_file_with_code_in_it_is_refused_and_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    torch.save({"a": Trap(mark)}, tmp_path / "bad.pth")
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"a": Trap(mark)}))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    np.savez(tmp_path / "bad.npz", a=np.array([Trap(mark)], dtype=object))
    for name in ("bad.pth", "bad.pkl", "module.pth"):
        assert "could be code" in refused(tmp_path / name).message
    assert refused(tmp_path / "bad.npz").code == Code.NOT_READABLE
    assert not mark.exists()


def test_what_is_no_checkpoint_is_refused_in_a_sentence(tmp_path: Path) -> None:
    torch.save(state(johnson.shapes()), tmp_path / "whole.pth")
    data = (tmp_path / "whole.pth").read_bytes()
    files = {
        "cut.pth": data[: len(data) // 2],
        "text.pth": b"not found",
        "text.safetensors": b"not found",
        "text.npz": b"not found",
        "empty.pth": b"",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert refused(tmp_path / name).code == Code.NOT_READABLE
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("hello.txt", "hello")
    refused(tmp_path / "zip.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    assert "no table of tensors" in refused(tmp_path / "list.pth").message
    torch.save({"encoder.weight": torch.zeros(3)}, tmp_path / "other.pth")
    assert "belongs to no network that is known here" in refused(tmp_path / "other.pth").message
    assert refused(tmp_path / "gone.pth").code == Code.NOT_FOUND


def test_versions_stay(models: Path) -> None:
    first, second = ({"w": torch.full((3,), float(n))} for n in (1, 2))
    source = ("candy.pth", "00")
    a = installed.install("candy", kinds.JOHNSON, first, source, "MIT", {"epsilon": 1e-5})
    assert installed.find("candy") == a and installed.load(a)["w"].tolist() == [1, 1, 1]
    b = installed.install("candy", kinds.JOHNSON, second, source, "MIT", {"epsilon": 1e-5})
    assert installed.find("candy") == b and installed.versions("candy") == sorted([a.version, b.version])
    assert installed.load(installed.find("candy", a.version))["w"].tolist() == [1, 1, 1]
    # The same file once more is the same version, and current again.
    again = installed.install("candy", kinds.JOHNSON, first, source, "BSD-3-Clause", {"epsilon": 1e-5})
    assert again.version == a.version and installed.find("candy").licence == "BSD-3-Clause"
    # Other settings are other arithmetic.
    assert (
        installed.install("candy", kinds.JOHNSON, first, source, "MIT", {"epsilon": 1e-9}).version
        != a.version
    )
    assert list(installed.models()) == ["candy"]
    assert not [one for one in (models / "candy").iterdir() if one.name.startswith(".")]


def test_damage_is_noticed(models: Path) -> None:
    card = installed.install("candy", kinds.JOHNSON, {"w": torch.zeros(3)}, ("f", "0"), "MIT")
    installed.path_of(card).write_bytes(b"x")
    with pytest.raises(StylebridgeError, match="damaged"):
        installed.load(card)
    installed.path_of(card).unlink()
    with pytest.raises(StylebridgeError, match="gone"):
        installed.load(card)
    (installed.path_of(card).parent / installed.CARD).write_text(json.dumps({"name": "candy"}))
    with pytest.raises(StylebridgeError, match="damaged"):
        installed.find("candy")
    assert installed.models() == {}


def test_names_and_versions_that_are_not_there(models: Path) -> None:
    assert installed.models() == {}
    card = installed.install("candy", kinds.JOHNSON, {"w": torch.zeros(3)}, ("f", "0"), "MIT")
    for name in ("candi", "../candy", "", "a" * 500):
        with pytest.raises(StylebridgeError) as caught:
            installed.find(name)
        assert caught.value.code == Code.NOT_FOUND
    for version in ("0" * 16, "..", "../candy/" + card.version):
        with pytest.raises(StylebridgeError, match="not installed in version"):
            installed.find("candy", version)
    for name in ("Candy", "a", "with space", "a/b", "a.b", "a:b", "-x"):
        with pytest.raises(StylebridgeError) as caught:
            installed.install(name, kinds.JOHNSON, {"w": torch.zeros(1)}, ("f", "0"), "MIT")
        assert caught.value.code == Code.BAD_VALUE


def test_checksum_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert checkpoints.checksum(tmp_path / "a").startswith("ba7816bf")


def test_a_johnson_network_of_another_build(tmp_path: Path) -> None:
    build = {"normalisation": "filter_response", "widths": [8, 12, 16], "blocks": 2}
    tensors = state(johnson.shapes(**build))
    safetensors.torch.save_file(tensors, tmp_path / "mine.safetensors")
    found = kinds.convert(tmp_path / "mine.safetensors")
    assert found.kind == kinds.JOHNSON and found.settings == {"epsilon": johnson.EPSILON, **build}
    torch.save(
        {name: v for name, v in tensors.items() if name != "res2.conv1.conv2d.bias"}, tmp_path / "a.pth"
    )
    assert "it lacks res2.conv1.conv2d.bias" in refused(tmp_path / "a.pth").message


@pytest.mark.parametrize("name", loss_networks.NAMES)
def test_loss_networks(name: str, tmp_path: Path, models: Path) -> None:
    whole = loss_networks.LossNetwork.random(name, thin=1).weights
    torch.save({**whole, "classifier.1.weight": torch.zeros(10, 4)}, tmp_path / "caffe.pth")
    found = kinds.convert(tmp_path / "caffe.pth")
    assert found.kind == name and found.settings["inputs"] == "caffe"
    assert found.tensors.keys() == whole.keys()
    assert kinds.convert(tmp_path / "caffe.pth", "torchvision").settings["inputs"] == "torchvision"
    assert loss_networks.find_installed(name) is None
    installed.install("judge", found.kind, found.tensors, ("f", "0"), "BSD-2-Clause", found.settings)
    opened = loss_networks.find_installed(name)
    assert opened is not None and opened.inputs == "caffe" and list(opened.layers) == found.settings["layers"]
    installed.path_of(installed.find("judge")).write_bytes(b"x")
    with pytest.raises(StylebridgeError, match="damaged"):
        loss_networks.find_installed(name)
