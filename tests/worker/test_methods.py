"""What `optimise:...` means on a server: pictures, settings, loss networks, and what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed
from stylebridge_models.loss_networks import LossNetwork
from stylebridge_server import style
from stylebridge_server.worker import methods
from stylebridge_server.worker.methods import Methods


def install(name: str, network: str) -> None:
    card = installed.install(
        name, network, {"x": np_tensor()}, ("file", "0"), "none", {"inputs": "torchvision"}
    )
    assert card.name == name


def np_tensor():  # type: ignore[no-untyped-def]
    import torch

    return torch.zeros(1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(methods, "of_card", lambda card: LossNetwork.random(card.kind, thin=16))
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.random.default_rng(ord(name[0])).integers(0, 255, (40, 40, 3)))
    (tmp_path / "oils.toml").write_text('pictures = ["a.png", "b.png"]\nsteps = 2\n')
    return tmp_path


def found(folder: Path, word: str) -> style.ChainStyle:
    return Methods("cpu").find(Path, str(folder / word))


def test_picture_and_settings_are_styles_of_their_own(folder: Path) -> None:
    install("judge", "vgg16")
    assert found(folder, "a.png").id != found(folder, "b.png").id
    settings = found(folder, "oils.toml")
    assert settings.linked
    assert settings.paint(np.full((36, 36, 3), 0.5, np.float32), "f", None, None).shape == (36, 36, 3)


def test_best_loss_network_is_taken_or_the_one_named(folder: Path) -> None:
    for name, network in (("small", "squeezenet"), ("large", "vgg19"), ("middle", "vgg16")):
        install(name, network)
    assert list(methods.loss_networks()) == ["large", "middle", "small"]
    (folder / "small.toml").write_text('pictures = ["a.png"]\nloss_network = "small"\n')
    assert found(folder, "small.toml").id != found(folder, "a.png").id
    (folder / "bad.toml").write_text('pictures = ["a.png"]\nloss_network = "smal"\n')
    with pytest.raises(StylebridgeError, match="did you mean 'small'"):
        found(folder, "bad.toml")


def test_method_is_kept_until_a_file_of_it_changes(folder: Path) -> None:
    install("judge", "vgg16")
    known = Methods("cpu")
    first = known.find(Path, str(folder / "oils.toml"))
    assert known.find(Path, str(folder / "oils.toml")) is first
    (folder / "oils.toml").write_text('pictures = ["a.png", "b.png"]\nsteps = 3\n')
    os.utime(folder / "oils.toml", ns=(1, 1))
    assert known.find(Path, str(folder / "oils.toml")).id != first.id


def test_without_a_loss_network_it_says_how_to_install_one(folder: Path) -> None:
    with pytest.raises(StylebridgeError, match="models import") as caught:
        found(folder, "a.png")
    assert caught.value.code == Code.NOT_FOUND


@pytest.mark.parametrize("word", ["c.png", "c.toml"])
def test_missing_files_are_named(folder: Path, word: str) -> None:
    install("judge", "vgg16")
    with pytest.raises(StylebridgeError, match=word):
        found(folder, word)


def test_picture_that_the_settings_name_must_be_there(folder: Path) -> None:
    install("judge", "vgg16")
    (folder / "gone.toml").write_text('pictures = ["gone.png"]\n')
    with pytest.raises(StylebridgeError, match=r"gone\.png"):
        found(folder, "gone.toml")


def test_name_of_the_method_is_taken() -> None:
    with pytest.raises(StylebridgeError):
        installed.check_name(style.OPTIMISE)
    assert style.OPTIMISE in installed.RESERVED
