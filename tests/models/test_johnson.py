"""Johnson's network equals a plain reading of its description, layer by layer, for checkpoints of every age."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylebridge_models import johnson

State = dict[str, Tensor]


def reference(state: State, rgb: Tensor, epsilon: float) -> Tensor:
    """The network written out with nothing but sums and products of tensors (Johnson et al. 2016; the supplement's
    table of layers, with reflected edges and nearest enlarging)."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight, bias = state[f"{name}.conv2d.weight"], state[f"{name}.conv2d.bias"]
        reach = weight.shape[-1] // 2
        for axis in (2, 3):  # reflect without repeating the edge
            size = x.shape[axis]
            places = torch.arange(-reach, size + reach).abs()
            places = size - 1 - (size - 1 - places).abs()
            x = x.index_select(axis, places)
        patches = x.unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], stride)
        return torch.einsum("nchwij,ocij->nohw", patches, weight) + bias[None, :, None, None]

    def norm(x: Tensor, name: str) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
        gain, offset = (state[f"{name}.{kind}"][None, :, None, None] for kind in ("weight", "bias"))
        return (x - mean) / (variance + epsilon).sqrt() * gain + offset

    def doubled(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    x = norm(conv(rgb, "conv1"), "in1").clamp_min(0)
    x = norm(conv(x, "conv2", 2), "in2").clamp_min(0)
    x = norm(conv(x, "conv3", 2), "in3").clamp_min(0)
    for block in ("res1", "res2", "res3", "res4", "res5"):
        y = norm(conv(x, f"{block}.conv1"), f"{block}.in1").clamp_min(0)
        x = x + norm(conv(y, f"{block}.conv2"), f"{block}.in2")
    x = norm(conv(doubled(x), "deconv1"), "in4").clamp_min(0)
    x = norm(conv(doubled(x), "deconv2"), "in5").clamp_min(0)
    return conv(x, "deconv3")


def random_state(seed: int = 0) -> State:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in johnson.shapes().items():
        value = torch.randn(shape, generator=generator)
        fan = value[0].numel() if value.dim() == 4 else 1
        state[name] = value / fan**0.5 if value.dim() == 4 else 1 + 0.3 * value
    return state


def old_keys(state: State) -> State:
    """The same checkpoint as the first version of the example stored it."""
    words = {"weight": "scale", "bias": "shift"}
    renamed = {}
    for name, value in state.items():
        layer, kind = name.rsplit(".", 1)
        renamed[f"{layer}.{words[kind]}" if layer.rsplit(".", 1)[-1].startswith("in") else name] = value
    return renamed


def running_keys(state: State) -> State:
    """The same checkpoint with the statistics that torch 0.3 kept."""
    added = dict(state)
    for name, value in state.items():
        layer = name.rsplit(".", 1)[0]
        if layer.rsplit(".", 1)[-1].startswith("in"):
            added[f"{layer}.running_mean"] = torch.full_like(value, 7)
            added[f"{layer}.running_var"] = torch.full_like(value, 9)
            added[f"{layer}.num_batches_tracked"] = torch.tensor(3)
    return added


@pytest.mark.parametrize("size", [(32, 48), (33, 46)])
@torch.inference_mode()
def test_it_equals_the_description(size: tuple[int, int]) -> None:
    state = random_state()
    network = johnson.JohnsonNetwork()
    network.load_state_dict(state)
    rgb = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 255
    expected = reference({k: v.double() for k, v in state.items()}, rgb.double(), johnson.EPSILON)
    result = network.eval()(rgb)
    assert result.shape == expected.shape
    assert result.shape[2:] == tuple(-(-n // johnson.STRIDE) * johnson.STRIDE for n in size)
    assert float((result - expected).abs().max()) <= 1e-4 * float(expected.abs().max())


@torch.inference_mode()
def test_checkpoints_of_every_age() -> None:
    state = random_state()
    rgb = torch.rand(1, 3, 16, 24) * 255
    for stored, epsilon in (
        (state, johnson.EPSILON),
        (running_keys(state), johnson.EPSILON),
        (old_keys(state), johnson.OLD_EPSILON),
    ):
        renamed, found = johnson.renamed(stored)
        assert found == epsilon and renamed.keys() == state.keys()
        network = johnson.JohnsonNetwork(found)
        network.load_state_dict(renamed)
        expected = reference({k: v.double() for k, v in state.items()}, rgb.double(), epsilon)
        assert float((network(rgb) - expected).abs().max()) <= 1e-4 * float(expected.abs().max())


def test_smallest_picture() -> None:
    network = johnson.JohnsonNetwork()
    assert network(torch.rand(1, 3, johnson.SMALLEST, johnson.SMALLEST)).shape[2:] == (8, 8)


@pytest.mark.parametrize("normalisation", johnson.NORMALISATIONS)
def test_other_builds_are_seen_from_their_names_and_shapes(normalisation: str) -> None:
    given = {"normalisation": normalisation, "widths": [4, 6, 8], "blocks": 2}
    network = johnson.JohnsonNetwork(**given).eval()
    state = network.state_dict()
    assert {"normalisation": johnson.INSTANCE, **johnson.build(state)} == given
    assert johnson.shapes(**given) == {name: tuple(value.shape) for name, value in state.items()}
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 18, 23) * 255).shape == (1, 3, 20, 24)


def test_filter_response_is_its_formula() -> None:
    norm = johnson.FilterResponse(2, 1e-5, threshold=True)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([2.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.5, -0.5]))
        norm.threshold.copy_(torch.tensor([-0.25, 0.0]))  # type: ignore[union-attr]
        x = torch.randn(1, 2, 5, 7)
        for channel, (gain, offset, least) in enumerate([(2, 0.5, -0.25), (3, -0.5, 0.0)]):
            plain = x[0, channel] / ((x[0, channel] ** 2).mean() + 1e-5).sqrt()
            wanted = (gain * plain + offset).clamp(min=least)
            torch.testing.assert_close(norm(x)[0, channel], wanted)
