"""Loss networks: classifiers whose features say how alike two pictures look. None is trained or shipped here.

VGG-16 and VGG-19 (Simonyan and Zisserman 2014) and SqueezeNet 1.0 and 1.1 (Iandola et al. 2016), as far as a file has
their layers: a file that ends early, such as VGG-19 up to relu3_4, serves every loss that looks no deeper.

Layers are named by what comes out of them: "relu1_1" to "relu5_4" in VGG; "relu1" and "fire2" to "fire9" in SqueezeNet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import suggestion

from . import checkpoints, installed

NAMES = ("vgg16", "vgg19", "squeezenet")
CAFFE, TORCHVISION = "caffe", "torchvision"  # what a file's network wants to be fed

_VGG_BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_VGG_WIDTHS = (64, 128, 256, 512, 512)
# SqueezeNet: (squeeze, expand) of fire2 to fire9, and after which layers each version reduces the resolution.
_FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
_STEMS = {"1.0": (96, 7), "1.1": (64, 3)}
_POOLS = {"1.0": ("relu1", "fire4", "fire8"), "1.1": ("relu1", "fire3", "fire5")}

_CAFFE_MEAN = {
    "vgg16": (103.939, 116.779, 123.68),
    "vgg19": (103.939, 116.779, 123.68),
    "squeezenet": (104, 117, 123),
}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class _Layer:
    """One named layer: what makes it, and whether the resolution halves after it.

    `parts` are the convolutions' names in a torchvision state dict with the shapes of their kernels.
    """

    name: str
    parts: tuple[tuple[str, tuple[int, int, int, int]], ...]
    pool: bool

    @property
    def is_fire(self) -> bool:
        return len(self.parts) == 3


def _vgg(name: str, thin: int = 1) -> list[_Layer]:
    layers, index, width = [], 0, 3
    for block, (count, out) in enumerate(zip(_VGG_BLOCKS[name], _VGG_WIDTHS, strict=True), start=1):
        for i in range(1, count + 1):
            part = (f"features.{index}", (out // thin, width, 3, 3))
            layers.append(_Layer(f"relu{block}_{i}", (part,), pool=i == count))
            index, width = index + 2, out // thin
        index += 1
    return layers


def _squeezenet(version: str, thin: int = 1) -> list[_Layer]:
    out, side = _STEMS[version]
    width = out // thin
    layers = [_Layer("relu1", (("features.0", (width, 3, side, side)),), pool=True)]
    index = 3
    for number, (squeeze, expand) in enumerate(_FIRES, start=2):
        s, e = squeeze // thin, expand // thin
        shapes = {"squeeze": (s, width, 1, 1), "expand1x1": (e, s, 1, 1), "expand3x3": (e, s, 3, 3)}
        parts = tuple((f"features.{index}.{part}", shape) for part, shape in shapes.items())
        pool = f"fire{number}" in _POOLS[version]
        layers.append(_Layer(f"fire{number}", parts, pool))
        index, width = index + 1 + pool, 2 * e
    return layers


class LossNetwork:
    """Features of pictures. See `load`.

    Attributes:
        name: one of `NAMES`.
        layers: names of the layers that its file has, in order.
        checksum: of its weights and of how it is fed, hexadecimal; part of every key under which results are kept.
    """

    def __init__(self, name: str, plan: list[_Layer], weights: Mapping[str, Tensor], inputs: str) -> None:
        self.name = name
        self.inputs = inputs
        self._weights = dict(weights)
        self._plan = [one for one in plan if all(f"{part}.weight" in weights for part, _ in one.parts)]
        self.layers = tuple(one.name for one in self._plan)
        digest = hashlib.sha256(f"{name} {inputs}".encode())
        for key in sorted(self._weights):
            digest.update(self._weights[key].detach().cpu().contiguous().numpy().tobytes())
        self.checksum = digest.hexdigest()

    @property
    def weights(self) -> dict[str, Tensor]:
        """Its tensors by torchvision's names, float32."""
        return dict(self._weights)

    @classmethod
    def random(cls, name: str, seed: int = 0, thin: int = 8) -> LossNetwork:
        """Random filters, `thin` times fewer than in the real network: enough to try losses out without anybody's
        weights."""
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        plan = _plan(name, thin=thin)
        for layer in plan:
            for part, shape in layer.parts:
                deviation = (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
                weights[f"{part}.weight"] = torch.randn(shape, generator=generator) * deviation
                weights[f"{part}.bias"] = torch.zeros(shape[0])
        return cls(name, plan, weights, TORCHVISION)

    def to(self, device: str) -> LossNetwork:
        """The same network on a device, in the memory layout that convolutions like; this one stays where it is."""
        copy = object.__new__(LossNetwork)
        copy.__dict__ = dict(self.__dict__)
        copy._weights = {
            key: value.to(device).contiguous(memory_format=torch.channels_last)
            if value.dim() == 4
            else value.to(device)
            for key, value in self._weights.items()
        }
        return copy

    def check(self, layers: Iterable[str]) -> None:
        """Refuses layers that this network, or its file, does not have.

        Raises:
            StylebridgeError: BAD_VALUE, naming the layer.
        """
        for name in layers:
            if name in self.layers:
                continue
            if name in {one.name for one in _plan(self.name)}:
                raise StylebridgeError(
                    Code.BAD_VALUE,
                    f"The file of {self.name} ends at {self.layers[-1]} and has no {name}: choose an earlier layer, or "
                    "a complete file.",
                )
            raise StylebridgeError(
                Code.BAD_VALUE, f"{self.name} has no layer {name!r}: {suggestion(name, self.layers)}"
            )

    def features(self, rgb: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features by layer.

        Args:
            rgb: (N, 3, H, W) display-referred RGB in [0, 1], sides of 16 or more.
            layers: names from `layers`; what lies deeper than the last of them is not computed.
        """
        wanted = set(layers)
        found: dict[str, Tensor] = {}
        x = self._fed(rgb)
        for layer in self._plan:
            if len(found) == len(wanted):
                break
            x = self._run(layer, x)
            if layer.name in wanted:
                found[layer.name] = x
            if layer.pool:
                x = self._pooled(x)
        return found

    def _fed(self, rgb: Tensor) -> Tensor:
        if self.inputs == CAFFE:
            mean = torch.tensor(_CAFFE_MEAN[self.name], device=rgb.device, dtype=rgb.dtype)
            return rgb.flip(1) * 255 - mean[None, :, None, None]
        mean, std = (
            torch.tensor(row, device=rgb.device, dtype=rgb.dtype)[None, :, None, None]
            for row in (_MEAN, _STD)
        )
        return (rgb - mean) / std

    def _run(self, layer: _Layer, x: Tensor) -> Tensor:
        if not layer.is_fire:
            first = (
                self.name == "squeezenet"
            )  # its stem alone takes every second pixel, and none beyond the edge
            return self._conv(x, layer.parts[0][0], stride=2 if first else 1, padding=0 if first else 1)
        squeeze, narrow, wide = (part for part, _ in layer.parts)
        x = self._conv(x, squeeze)
        return torch.cat([self._conv(x, narrow), self._conv(x, wide, padding=1)], 1)

    def _conv(self, x: Tensor, part: str, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = self._weights[f"{part}.weight"], self._weights[f"{part}.bias"]
        return F.relu(F.conv2d(x, weight, bias, stride=stride, padding=padding))

    def _pooled(self, x: Tensor) -> Tensor:
        if self.name == "squeezenet":
            return F.max_pool2d(x, 3, 2, ceil_mode=True)
        return F.max_pool2d(x, 2)


def _plan(name: str, version: str = "1.1", thin: int = 1) -> list[_Layer]:
    return _squeezenet(version, thin) if name == "squeezenet" else _vgg(name, thin)


def check_name(name: str) -> None:
    """Refuses a loss network that there is none of; StylebridgeError BAD_VALUE."""
    if name not in NAMES:
        raise StylebridgeError(
            Code.BAD_VALUE, f"There is no loss network {name!r}: {suggestion(name, NAMES)}"
        )


def load(name: str, path: Path, inputs: str | None = None) -> LossNetwork:
    """A loss network from a file.

    Args:
        name: one of `NAMES`; SqueezeNet's version is seen from the file.
        path: a state dict with torchvision's names (.pth, .safetensors, .npz), complete or only the first layers; or,
            for VGG-19, a folder of `group{n}-shard1of1` files as the tfjs converter writes them.
        inputs: what the weights were trained on: `TORCHVISION` (RGB, normalised by ImageNet's mean and deviation) or
            `CAFFE` (BGR, 0 to 255, less a mean). None: Caffe's for a folder of shards and where the file's name says
            caffe, else torchvision's.

    Raises:
        StylebridgeError: BAD_VALUE for another name; NOT_FOUND or NOT_READABLE for the file.
    """
    check_name(name)
    if not path.exists():
        raise StylebridgeError(
            Code.NOT_FOUND, f"There are no weights of {name} at {path}: name a file with its state dict."
        )
    shards = path.is_dir()
    weights = _from_shards(name, path) if shards else _from_file(path)
    if inputs is None:
        inputs = CAFFE if shards or "caffe" in path.name.lower() else TORCHVISION
    elif inputs not in (CAFFE, TORCHVISION):
        raise StylebridgeError(
            Code.BAD_VALUE, f"A loss network is not fed {inputs!r}: say {CAFFE} or {TORCHVISION}."
        )
    stem = weights.get("features.0.weight")
    version = next(
        (v for v, (width, _) in _STEMS.items() if stem is not None and stem.shape[0] == width), "1.1"
    )
    plan = _plan(name, version)
    taken: dict[str, Tensor] = {}
    for layer in plan:
        names = [f"{part}.{kind}" for part, _ in layer.parts for kind in ("weight", "bias")]
        if any(key not in weights for key in names):
            break
        for part, shape in layer.parts:
            found = tuple(weights[f"{part}.weight"].shape)
            if found != shape or tuple(weights[f"{part}.bias"].shape) != shape[:1]:
                raise StylebridgeError(
                    Code.NOT_READABLE,
                    f"{path} is no {name}: {part}.weight is {found} there and {shape} in the network.",
                )
        taken |= {key: weights[key].float() for key in names}
    if not taken:
        raise StylebridgeError(
            Code.NOT_READABLE, f"{path} is no {name}: it has no {plan[0].parts[0][0]}.weight and bias."
        )
    return LossNetwork(name, plan, taken, inputs)


def find_installed(name: str) -> LossNetwork | None:
    """The loss network that the user has installed, under whatever name; None where there is none.

    Raises:
        StylebridgeError: NOT_FOUND or NOT_READABLE where its file is damaged.
    """
    check_name(name)
    for card in installed.models().values():
        if card.kind == name:
            return of_card(card)
    return None


def of_card(card: installed.Card) -> LossNetwork:
    """The loss network of an installed model's card; raises as `find_installed` does."""
    installed.read(card)  # verifies its checksum
    return load(card.kind, installed.path_of(card), card.settings["inputs"])


def _from_shards(name: str, folder: Path) -> dict[str, Tensor]:
    """Little-endian float32, a kernel (h, w, in, out) and its bias, one file a layer; those that are there."""
    weights = {}
    if name == "vgg19":
        for number, layer in enumerate(_vgg(name), start=1):
            path = folder / f"group{number}-shard1of1"
            if not path.is_file():
                break
            ((part, (out, width, *_)),) = layer.parts
            flat = torch.from_numpy(np.fromfile(path, "<f4"))
            if len(flat) != 9 * width * out + out:
                raise StylebridgeError(
                    Code.NOT_READABLE, f"{path} is not layer {number} of {name}: it has {len(flat)} numbers."
                )
            kernel = flat[: 9 * width * out].view(3, 3, width, out)
            weights[f"{part}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
            weights[f"{part}.bias"] = flat[9 * width * out :].clone()
    if not weights:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"The folder {folder} has no weights of {name}: name a file with its state dict.",
        )
    return weights


def _from_file(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by torchvision's names. Nothing in it is executed."""
    # Some save the features alone.
    return {
        name if not name[:1].isdigit() else f"features.{name}": value
        for name, value in checkpoints.read(path).items()
    }
