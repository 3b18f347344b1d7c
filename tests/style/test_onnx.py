"""ONNX networks: sizes and ranges are recognised, what is no style network is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed, kinds
from stylebridge_server import style
from stylebridge_server.style import onnx as ours

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

FLOAT = 1  # TensorProto.FLOAT
BLACK_WHITE = {"0-1": (0.0, 1.0), "0-255": (0.0, 255.0), "-1-1": (-1.0, 1.0)}


def network(said: str, size: tuple[int, int] | None = None, layout: str = "NCHW", halves: int = 0) -> bytes:
    """A tiny style network: mixes the colours of a picture, normalises them over the frame, and answers in a range.

    Args:
        said: range of answers (and of what it was trained with).
        halves: how often it halves the resolution and doubles it again.
    """
    helper, graph = onnx.helper, []
    height, width = size or ("height", "width")
    shape = [1, 3, height, width] if layout == "NCHW" else [1, height, width, 3]
    rng = np.random.default_rng(5)
    black, white = BLACK_WHITE[said]
    tensors = {
        "mix": rng.normal(size=(3, 3, 3, 3)).astype(np.float32),
        "gain": np.ones(3, np.float32),
        "offset": np.zeros(3, np.float32),
        "spread": np.array((white - black) / 2, np.float32),
        "middle": np.array((white + black) / 2, np.float32),
        "twice": np.array([1, 1, 2, 2], np.float32),
    }
    x = "in"
    if layout == "NHWC":
        graph.append(helper.make_node("Transpose", [x], ["planar"], perm=[0, 3, 1, 2]))
        x = "planar"
    for i in range(halves):
        graph.append(helper.make_node("MaxPool", [x], [f"half{i}"], kernel_shape=[2, 2], strides=[2, 2]))
        x = f"half{i}"
    for i in range(halves):
        graph.append(helper.make_node("Resize", [x, "", "twice"], [f"double{i}"], mode="nearest"))
        x = f"double{i}"
    graph.append(helper.make_node("Conv", [x, "mix"], ["mixed"], pads=[1, 1, 1, 1]))
    graph.append(
        helper.make_node("InstanceNormalization", ["mixed", "gain", "offset"], ["normed"], epsilon=1e-5)
    )
    graph.append(helper.make_node("Tanh", ["normed"], ["bent"]))
    graph.append(helper.make_node("Mul", ["bent", "spread"], ["wide"]))
    graph.append(helper.make_node("Add", ["wide", "middle"], ["out" if layout == "NCHW" else "answer"]))
    if layout == "NHWC":
        graph.append(helper.make_node("Transpose", ["answer"], ["out"], perm=[0, 2, 3, 1]))
    made = helper.make_graph(
        graph,
        "tiny",
        [helper.make_tensor_value_info("in", FLOAT, shape)],
        [helper.make_tensor_value_info("out", FLOAT, shape if halves == 0 else None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model.SerializeToString()


def expected(rgb: ours.Batch, said: str) -> ours.Batch:
    """The tiny network in numpy, on RGB in [0, 1]."""
    black, white = BLACK_WHITE[said]
    mix = np.random.default_rng(5).normal(size=(3, 3, 3, 3)).astype(np.float32)
    padded = np.pad(rgb[0].astype(np.float64) * (white - black) + black, ((0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    mixed = np.einsum("chwij,ocij->ohw", views, mix)
    mean, deviation = mixed.mean((1, 2), keepdims=True), mixed.var((1, 2), keepdims=True)
    return (0.5 + 0.5 * np.tanh((mixed - mean) / np.sqrt(deviation + 1e-5)))[None]


def opened(data: bytes, **changed: Any) -> ours.OnnxNetwork:
    return ours.OnnxNetwork(data, {**ours.recognise(data, "it.onnx"), **changed}, "cpu", "it.onnx")


@pytest.mark.parametrize("said", list(BLACK_WHITE))
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_range_and_layout_are_recognised(said: str, layout: str) -> None:
    data = network(said, layout=layout)
    assert ours.recognise(data, "it.onnx") == {
        "layout": layout,
        "size": None,
        "multiple": 1,
        "range": said,
    }
    rgb = np.random.default_rng(0).random((1, 3, 45, 61), np.float32)
    np.testing.assert_allclose(opened(data)(rgb), expected(rgb, said), atol=1e-4)


def test_sides_that_have_to_be_multiples() -> None:
    data = network("0-255", halves=3)
    assert ours.recognise(data, "it.onnx")["multiple"] == 8
    rgb = np.random.default_rng(0).random((1, 3, 45, 61), np.float32)
    assert opened(data)(rgb).shape == rgb.shape


def test_a_fixed_size_is_scaled_to_and_back() -> None:
    data = network("-1-1", size=(64, 96))
    assert ours.recognise(data, "it.onnx")["size"] == [64, 96]
    rgb = np.random.default_rng(0).random((1, 3, 64, 96), np.float32)
    np.testing.assert_allclose(opened(data)(rgb), expected(rgb, "-1-1"), atol=1e-4)
    assert opened(data)(rgb[:, :, :30, :31]).shape == (1, 3, 30, 31)


def test_what_the_user_says_goes_before_what_is_seen() -> None:
    data = network("0-1")
    assert ours.recognise(data, "it.onnx", "imagenet")["range"] == "imagenet"
    assert opened(data, range="imagenet")(np.full((1, 3, 40, 40), 0.5, np.float32)).shape == (1, 3, 40, 40)
    with pytest.raises(StylebridgeError, match="one of 0-1, 0-255"):
        ours.recognise(data, "it.onnx", "0-100")


def test_an_installed_network_paints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path))
    data = network("0-255")
    card = installed.install(
        "tiny", kinds.ONNX, data, ("it.onnx", "0"), "MIT", ours.recognise(data, "it.onnx")
    )
    painted = style.Installed().style(card)
    rgb = np.random.default_rng(0).random((33, 47, 3), np.float32)
    result = painted.paint(rgb)
    assert "onnxruntime" in painted.id
    np.testing.assert_allclose(
        result.transpose(2, 0, 1)[None], expected(rgb.transpose(2, 0, 1)[None], "0-255"), atol=1e-4
    )
    np.testing.assert_array_equal(result, style.Installed().style(card).paint(rgb))


def refusal(data: bytes) -> StylebridgeError:
    with pytest.raises(StylebridgeError) as caught:
        ours.recognise(data, "it.onnx")
    assert "it.onnx" in caught.value.message
    return caught.value


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(network("0-1"))
    onnx.save_model(
        model, tmp_path / "it.onnx", save_as_external_data=True, location="secret", size_threshold=0
    )
    assert "other files" in refusal((tmp_path / "it.onnx").read_bytes()).message
    # Also where only a constant inside a node points elsewhere.
    model = onnx.load_model_from_string(network("0-1"))
    tensor = onnx.helper.make_tensor("hidden", FLOAT, [1], [0.0])
    tensor.data_location = tensor.EXTERNAL
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["unused"], value=tensor))
    assert "other files" in refusal(model.SerializeToString()).message


def test_what_is_no_style_network_is_refused() -> None:
    assert refusal(b"not found").code == Code.NOT_READABLE
    assert refusal(network("0-1")[:100]).code == Code.NOT_READABLE
    helper = onnx.helper
    info = helper.make_tensor_value_info
    for shape, out in (([1, 3, 8, 8], [1, 1000]), ([1, 4, "h", "w"], [1, 4, "h", "w"]), ([3, 8], [3, 8])):
        node = helper.make_node("Relu", ["in"], ["out"])
        if out == [1, 1000]:
            node = helper.make_node("GlobalAveragePool", ["in"], ["out"])
        graph = helper.make_graph([node], "g", [info("in", FLOAT, shape)], [info("out", FLOAT, None)])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        assert refusal(model.SerializeToString()).code == Code.NOT_READABLE


def test_a_network_whose_range_cannot_be_seen() -> None:
    helper = onnx.helper
    info = helper.make_tensor_value_info
    shape = [1, 3, "h", "w"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["in"], ["out"])],
        "g",
        [info("in", FLOAT, shape)],
        [info("out", FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    assert "--input" in refusal(model.SerializeToString()).message
