"""ONNX networks that find instances: both forms of answers, what they are fed, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed
from stylebridge_server import segment
from stylebridge_server.cli import models
from stylebridge_server.segment import onnx as ours
from stylebridge_server.segment.onnx import OnnxInstances

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

FLOAT, INT64 = 1, 7
LABELS = ["cat", "dog"]


def network(outputs: dict[str, np.ndarray], shape: list[Any]) -> bytes:
    """Answers the same to every picture, and with its mean."""
    helper = onnx.helper
    nodes = [helper.make_node("ReduceMean", ["in"], ["mean"], keepdims=0)]
    made = []
    for name, value in outputs.items():
        if value.dtype == np.float32 and name != "scores":
            nodes.append(helper.make_node("Mul", ["mean", "nothing"], [f"{name} zero"]))
            nodes.append(helper.make_node("Add", [f"{name} value", f"{name} zero"], [name]))
        else:
            nodes.append(helper.make_node("Identity", [f"{name} value"], [name]))
        kind = FLOAT if value.dtype == np.float32 else INT64
        made.append(helper.make_tensor_value_info(name, kind, None))
    tensors = {f"{name} value": value for name, value in outputs.items()} | {
        "nothing": np.zeros((), np.float32)
    }
    graph = helper.make_graph(
        nodes,
        "finder",
        [helper.make_tensor_value_info("in", FLOAT, shape)],
        made,
        [onnx.numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def finds(small: bool) -> dict[str, np.ndarray]:
    masks = np.zeros((3, 1, 64, 96), np.float32)
    masks[0, 0, 10:30, 20:50] = 0.9
    masks[1, 0, 40:60, 60:90] = 0.8
    masks[2] = 1
    if small:
        masks = np.ones((3, 1, 28, 28), np.float32)
        masks[0, 0, :, 14:] = 0
    return {
        "boxes": np.array([[20, 10, 50, 30], [60, 40, 90, 60], [0, 0, 96, 64]], np.float32),
        "labels": np.array([2, 1, 1], np.int64),
        "scores": np.array([0.7, 0.9, 0.2], np.float32),
        "masks": masks,
    }


def test_finds_of_torchvisions_form() -> None:
    data = network(finds(small=False), [3, "height", "width"])
    settings = ours.recognise(data, "it", LABELS, None)
    assert settings == {"labels": LABELS, "size": None, "range": "0-1", "batched": False, "form": "finds"}
    found = OnnxInstances(data, settings, "cpu", "it").find(np.zeros((64, 96, 3), np.uint8), (32, 48))
    assert [(one.label, round(one.score, 3)) for one in found] == [("cat", 0.9), ("dog", 0.7)]
    assert found[0].mask.shape == (32, 48) and found[0].mask[20:30, 30:45].all()
    assert found[0].mask.sum() == 150 and found[1].mask.sum() == 150


def test_masks_of_their_own_box() -> None:
    data = network(finds(small=True), [1, 3, 64, 96])
    settings = ours.recognise(data, "it", LABELS, "imagenet")
    assert settings["size"] == [64, 96] and settings["batched"] and settings["range"] == "imagenet"
    found = OnnxInstances(data, settings, "cpu", "it").find(np.zeros((64, 96, 3), np.uint8), (64, 96))
    dog = found[1].mask
    assert dog[10:30, 20:34].all() and not dog[:, 36:].any() and not dog[:10].any()


def test_boxes_with_coefficients_and_prototypes() -> None:
    prototypes = np.zeros((1, 2, 16, 16), np.float32)
    prototypes[0, 0], prototypes[0, 1, :8] = 1, 1
    rows = np.zeros((1, 4 + 2 + 2, 4), np.float32)
    #            box: centre, size      cat  dog  coefficients
    rows[0, :, 0] = [32, 32, 40, 40, 0.1, 0.8, 9, 0]
    rows[0, :, 1] = [33, 32, 40, 40, 0.1, 0.7, 9, 0]  # the same again, less sure
    rows[0, :, 2] = [32, 32, 40, 40, 0.9, 0.1, -9, 18]  # another class in the same place
    rows[0, :, 3] = [10, 10, 10, 10, 0.3, 0.1, 9, 0]
    data = network({"rows": rows, "prototypes": prototypes}, [1, 3, 64, 64])
    settings = ours.recognise(data, "it", LABELS, None)
    assert settings["form"] == "prototypes"
    # A picture twice as wide as high lies in the middle of the network's square.
    found = OnnxInstances(data, settings, "cpu", "it").find(np.zeros((50, 100, 3), np.uint8), (32, 64))
    assert [(one.label, round(one.score, 2)) for one in found] == [("cat", 0.9), ("dog", 0.8)]
    cat, dog = (one.mask for one in found)
    assert dog[:, 12:52].all() and not dog[:, :12].any() and not dog[:, 52:].any()
    assert cat[:15, 12:52].all() and not cat[17:].any()


def test_it_is_imported_with_its_labels_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path / "models"))
    path, names = tmp_path / "finder.onnx", tmp_path / "names.txt"
    path.write_bytes(network(finds(small=False), [3, "height", "width"]))
    with pytest.raises(StylebridgeError, match="give their names with --labels FILE"):
        models.take_in(path, None, "MIT", None)
    names.write_text("cat\n\ndog\n", "utf-8")
    told = models.take_in(path, None, "MIT", None, names)
    assert "stylebridge segment CLIP --segmenter finder" in told
    card = installed.find("finder")
    assert card.kind == "onnx-instances" and card.settings["labels"] == LABELS
    assert segment.load("auto").name == "onnx-instances"


def test_what_is_refused() -> None:
    data = network(
        {"rows": np.zeros((1, 8, 4), np.float32), "p": np.zeros((1, 2, 8, 8), np.float32)}, [1, 3, 64, 64]
    )
    for answers, labels, said, code, says in [
        (data, ["cat"], None, Code.BAD_VALUE, "tells 2 classes apart, and the list of labels has 1"),
        (data, LABELS, "-1-1", Code.BAD_VALUE, "one of 0-1, 0-255, imagenet"),
        (b"no network", LABELS, None, Code.NOT_READABLE, "no ONNX file"),
        (
            network({"a": np.zeros((1, 3), np.float32), "b": np.zeros(2, np.float32)}, [1, 3, 64, 64]),
            LABELS,
            None,
            Code.NOT_READABLE,
            "in a form that is known (it answers",
        ),
        (
            network({"a": np.zeros((1, 3), np.float32), "b": np.zeros(2, np.float32)}, [1, 4, 64, 64]),
            LABELS,
            None,
            Code.NOT_READABLE,
            "it takes",
        ),
    ]:
        with pytest.raises(StylebridgeError) as caught:
            ours.recognise(answers, "it", labels, said)
        assert caught.value.code == code and says in caught.value.message
