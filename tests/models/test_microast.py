"""MicroAST equals a plain reading of its description, with random and with the published weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylebridge_models import microast

State = dict[str, Tensor]


class _Conv(nn.Module):
    def __init__(self, inputs: int, outputs: int, size: int, stride: int, groups: int) -> None:
        super().__init__()
        self.edge = nn.ReflectionPad2d(size // 2)
        self.conv_layer = nn.Conv2d(inputs, outputs, size, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_layer(self.edge(x))


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = _Conv(64, 64, 3, 1, 1), _Conv(64, 64, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = [_Conv(3, 16, 9, 1, 1), _Conv(16, 32, 3, 2, 16), _Conv(32, 32, 1, 1, 1)]
        layers += [_Conv(32, 64, 3, 2, 32), _Conv(64, 64, 1, 1, 1)]
        spaced = [one for layer in layers for one in (layer, nn.ReLU())]
        self.enc1 = nn.Sequential(*spaced, _Residual())
        self.enc2 = nn.Sequential(_Residual())


class _Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dec1, self.dec2 = _Residual(), _Residual()

        def up() -> nn.Module:
            return nn.Upsample(scale_factor=2, mode="bilinear")

        self.dec3 = nn.Sequential(
            *(up(), _Conv(64, 32, 3, 1, 32), nn.ReLU(), _Conv(32, 32, 1, 1, 1), nn.ReLU()),
            *(up(), _Conv(32, 16, 3, 1, 16), nn.ReLU(), _Conv(16, 16, 1, 1, 1), nn.ReLU()),
            _Conv(16, 3, 9, 1, 1),
        )


class _Modulator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name in ("weight1", "bias1", "weight2", "bias2"):
            self.add_module(name, nn.Sequential(_Conv(64, 64, 3, 1, 64)))


def reference(parts: dict[str, State], content: Tensor, style: Tensor) -> Tensor:
    """The paper's network at full strength, written with modules of torch."""
    modules = dict(zip(microast.PARTS, (_Encoder(), _Encoder(), _Modulator(), _Decoder()), strict=True))
    for part, module in modules.items():
        module.load_state_dict(parts[part])
        module.to(content.dtype)
    see, look, modulate, paint = modules.values()
    first = look.enc1(style)
    levels = [first, look.enc2(first)]

    def adain(x: Tensor, s: Tensor) -> Tensor:
        def moments(y: Tensor) -> tuple[Tensor, Tensor]:
            flat = y.flatten(2)
            return flat.mean(2)[..., None, None], (flat.var(2) + 1e-5).sqrt()[..., None, None]

        (m, d), (sm, sd) = moments(x), moments(s)
        return (x - m) / d * sd + sm

    def modulated(x: Tensor, block: nn.Module, number: int) -> Tensor:
        level = levels[number - 1]
        gain, share = (
            getattr(modulate, f"{kind}{number}")(level).mean((2, 3), keepdim=True)
            for kind in ("weight", "bias")
        )
        y = F.relu(gain * block.conv1(x) + share * x)
        return x + gain * block.conv2(y) + share * y

    x = see.enc2(see.enc1(content))
    x = modulated(adain(x, levels[1]), paint.dec1, 2)
    x = modulated(adain(x, levels[0]), paint.dec2, 1)
    return paint.dec3(x)


def check(parts: dict[str, State]) -> None:
    generator = torch.Generator().manual_seed(3)
    content = torch.rand(1, 3, 36, 52, generator=generator)
    style = torch.rand(1, 3, 41, 33, generator=generator)
    expected = reference(parts, content.double(), style.double())
    network = microast.MicroAst(parts)
    result = network.stylise(content, network.signals(style))
    assert result.shape == expected.shape == content.shape
    assert float((result - expected).abs().max()) <= 1e-4 * max(1.0, float(expected.abs().max()))


def random_parts(seed: int = 0) -> dict[str, State]:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in microast.shapes().items():
        fan = 1
        for n in shape[1:]:
            fan *= n
        state[name] = torch.randn(shape, generator=generator) / fan**0.5 * (0.7 if len(shape) == 4 else 0.1)
    return microast.parted(state)


@torch.inference_mode()
def test_it_equals_the_description() -> None:
    check(random_parts())


@torch.inference_mode()
def test_the_published_weights(shared: Path) -> None:
    parts = {}
    for part in microast.PARTS:
        (path,) = (shared / "data/weights/microast").glob(f"{part}*")
        parts[part] = torch.load(path, map_location="cpu", weights_only=True)
    assert {name: tuple(value.shape) for name, value in microast.joined(parts).items()} == microast.shapes()
    check(parts)


def test_parts_are_put_together_and_taken_apart() -> None:
    parts = random_parts()
    again = microast.parted(microast.joined(parts))
    assert {part: list(rows) for part, rows in again.items()} == {p: list(r) for p, r in parts.items()}


@pytest.mark.parametrize("side", [microast.SMALLEST])
def test_smallest_picture(side: int) -> None:
    network = microast.MicroAst(random_parts())
    rgb = torch.rand(1, 3, side, side)
    assert network.stylise(rgb, network.signals(rgb)).shape == rgb.shape
