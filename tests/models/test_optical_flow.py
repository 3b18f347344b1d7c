"""RAFT: recognised by its names, compared shape by shape, and installed as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import catalogue, kinds, optical_flow
from stylebridge_server.cli.models import take_in

# Names and shapes of torchvision's networks, whose state dicts its published files are.
PUBLISHED = {
    "raft-large": {
        "feature_encoder.convnormrelu.0.weight": (64, 3, 7, 7),
        "feature_encoder.conv.weight": (256, 128, 1, 1),
        "update_block.motion_encoder.convcorr1.0.weight": (256, 324, 1, 1),
        "update_block.recurrent_block.convgru1.convz.weight": (128, 384, 1, 5),
        "mask_predictor.conv.weight": (576, 256, 1, 1),
    },
    "raft-small": {
        "feature_encoder.convnormrelu.0.weight": (32, 3, 7, 7),
        "feature_encoder.conv.weight": (128, 96, 1, 1),
        "update_block.motion_encoder.convcorr1.0.weight": (96, 196, 1, 1),
        "update_block.recurrent_block.convgru1.convz.weight": (96, 242, 3, 3),
    },
}


def saved(folder: Path, state: dict[str, torch.Tensor]) -> Path:
    path = folder / "raft.pth"
    torch.save(state, path)
    return path


@pytest.mark.parametrize("kind", list(PUBLISHED))
def test_a_published_file_is_recognised(kind: str, tmp_path: Path) -> None:
    state = optical_flow.build(kind).state_dict()
    for name, shape in PUBLISHED[kind].items():
        assert tuple(state[name].shape) == shape
    found = kinds.convert(saved(tmp_path, state))
    assert found.kind == kind
    loaded = optical_flow.load(kind, found.tensors).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in optical_flow.bare(state).items())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    state = optical_flow.build("raft-small").state_dict()
    state.pop("feature_encoder.conv.weight")
    with pytest.raises(StylebridgeError) as caught:
        kinds.convert(saved(tmp_path, state))
    assert caught.value.code == Code.NOT_READABLE and "feature_encoder.conv.weight" in caught.value.message
    with pytest.raises(StylebridgeError, match="leave --input out"):
        kinds.convert(saved(tmp_path, optical_flow.build("raft-small").state_dict()), "0-1")


def test_it_is_taken_in_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path / "models"))
    path = saved(tmp_path, optical_flow.build("raft-small").state_dict())
    said = take_in(path, "raft-small", "BSD-3-Clause", None)
    assert "RAFT, small" in said and "--flow raft-small" in said


@pytest.mark.parametrize("kind", list(PUBLISHED))
def test_it_can_be_fetched(kind: str) -> None:
    url, sha256 = catalogue.address(catalogue.find(kind))
    assert url.startswith("https://") and kind.replace("-", "_") in url and len(sha256) == 8
