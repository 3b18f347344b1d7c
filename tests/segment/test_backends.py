"""Which back end a name means, and what "auto" is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed, segmentation
from stylebridge_server import segment

DEEPLAB = {"backbone": "mobilenet_v3_large", "labels": ["cat"]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def install(name: str, kind: str, value: float = 0.0) -> installed.Card:
    """A card whose file holds next to nothing: enough to choose by."""
    tensors = {"w": torch.full((1,), value)}
    return installed.install(name, kind, tensors, ("w.pth", "0" * 64), "MIT", dict(DEEPLAB))


def test_without_networks_auto_is_the_embedded_one() -> None:
    assert segment.names() == ["auto", "embedded", "host", "none"]
    assert segment.load("auto").name == segment.load("auto", pointed=True).name == "embedded"
    assert segment.load("none").name == "none"


def test_auto_is_the_best_that_is_installed() -> None:
    for kind in ("espnetv2", "deeplab", "yolact", "maskrcnn"):
        card = install(f"my-{kind}", kind)
        chosen = segment.load("auto")
        assert chosen.name == kind and card.version in chosen.checksum
    assert segment.load("auto", pointed=True).name == "embedded"
    install("sam-vit-b", "sam")
    assert segment.load("auto", pointed=True).name == "sam"
    assert segment.load("auto").name == "maskrcnn"
    assert {"maskrcnn", "my-maskrcnn", "sam", "sam-vit-b"} <= set(segment.names())


def test_a_kind_is_the_network_named_so_or_the_first() -> None:
    b, a = install("bb", "deeplab", 2), install("aa", "deeplab", 1)
    assert a.version in segment.load("deeplab").checksum
    assert b.version in segment.load("bb").checksum
    own = install("deeplab", "deeplab", 3)
    assert own.version in segment.load("deeplab").checksum


def test_an_earlier_version_is_there_for_who_names_it() -> None:
    first, second = install("mine", "deeplab", 1), install("mine", "deeplab", 2)
    assert second.version in segment.load("mine").checksum
    assert first.version in segment.load(f"mine@{first.version}").checksum
    with pytest.raises(StylebridgeError, match="not installed in version") as caught:
        segment.load("mine@0000000000000000")
    assert caught.value.code == Code.NOT_FOUND


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sam", "No network of the kind 'sam' is installed: `stylebridge models import FILE --name sam`"),
        ("embeded", "did you mean 'embedded'"),
        ("masrcnn", "did you mean 'maskrcnn'"),
    ],
)
def test_what_there_is_not_is_said(name: str, says: str) -> None:
    with pytest.raises(StylebridgeError) as caught:
        segment.load(name)
    assert caught.value.code == Code.BAD_VALUE and says in caught.value.message


def test_damaged_weights_name_their_checksum() -> None:
    card = install("mine", "deeplab")
    path = installed.path_of(card)
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    class One:
        size = (40, 60)

        def read(self, number: int) -> None:
            raise AssertionError("no frame is read for a network that cannot be")

    with pytest.raises(StylebridgeError) as caught:
        segment.load("mine").track(One(), [(0, 0)], [], None, None, lambda *step: None)  # type: ignore[arg-type]
    assert caught.value.code == Code.NOT_READABLE and card.sha256[:16] in caught.value.message


def test_every_kind_can_be_opened() -> None:
    for kind in segmentation.WHAT:
        if kind != segmentation.INSTANCES:
            made = segment.load(install("mine", kind).name)
            assert made.name == kind and made.memory > 100 << 20
