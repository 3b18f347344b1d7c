"""Networks that the user installed, at work: whole frames in, whole frames out.

Johnson networks and MicroAST run as published; ONNX networks through onnxruntime (see `onnx`). All arithmetic is
float32. On the CPU it repeats bit for bit for one version of the libraries, instruction set and number of threads.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed, johnson, kinds, microast
from stylebridge_models.installed import Card
from stylebridge_server.values import Rgb

from . import pixels
from .onnx import OnnxNetwork
from .styles import FrameStyle

# A frame of more pixels is refused: a Johnson network needs about 1 kB of memory for each, so this is 2.3 GB.
MOST_PIXELS = 1920 * 1200
_STYLE_SIDE = 512  # longest short side at which MicroAST looks at a style picture: what it was trained with
_KEPT = 8  # networks held in memory

# (1, 3, H, W) in [0, 1] to the same size or a few pixels larger, not clamped.
Run = Callable[[Tensor], Tensor]


class _Network(Protocol):
    """An opened network: `after` gives what it paints, and a name for the picture that it paints after."""

    runtime: str

    def after(self, picture: Rgb | None) -> tuple[Run, str]: ...


class _Johnson:
    runtime = "torch"

    def __init__(self, card: Card, device: str) -> None:
        self._network = johnson.JohnsonNetwork(**card.settings)
        self._network.load_state_dict(installed.load(card))
        self._network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
        self._device = device

    def after(self, picture: Rgb | None) -> tuple[Run, str]:
        def run(rgb: Tensor) -> Tensor:
            whole = _extended(rgb, johnson.SMALLEST).to(self._device)
            return self._network(whole.contiguous(memory_format=torch.channels_last) * 255) / 255

        return run, ""


class _MicroAst:
    runtime = "torch"

    def __init__(self, card: Card, device: str) -> None:
        tensors = {name: value.to(device) for name, value in installed.load(card).items()}
        self._network = microast.MicroAst(
            microast.parted(
                {
                    name: value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
                    for name, value in tensors.items()
                }
            )
        )
        self._device = device

    def after(self, picture: Rgb | None) -> tuple[Run, str]:
        assert picture is not None
        small = picture if min(picture.shape[:2]) <= _STYLE_SIDE else pixels.shrunk(picture, _STYLE_SIDE)
        signals = self._network.signals(_extended(_tensor(small), microast.SMALLEST).to(self._device))

        def run(rgb: Tensor) -> Tensor:
            whole = _extended(rgb, microast.SMALLEST).to(self._device)
            return self._network.stylise(whole.contiguous(memory_format=torch.channels_last), signals)

        return run, hashlib.sha256(signals.cpu().numpy().tobytes()).hexdigest()[:32]


class _Onnx:
    def __init__(self, card: Card, device: str) -> None:
        self._network = OnnxNetwork(installed.read(card), card.settings, device, str(installed.path_of(card)))
        self.runtime = self._network.runtime

    def after(self, picture: Rgb | None) -> tuple[Run, str]:
        def run(rgb: Tensor) -> Tensor:
            return torch.from_numpy(self._network(rgb.numpy()))

        return run, ""


_OPENERS: dict[str, Callable[[Card, str], _Network]] = {
    kinds.JOHNSON: _Johnson,
    kinds.MICROAST: _MicroAst,
    kinds.ONNX: _Onnx,
}
_AFTER_A_PICTURE = {kinds.MICROAST}


class Installed:
    """The installed networks on one device; opened when they are first asked for, the last few kept.

    Attributes:
        runs: frames painted since the start.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.runs = 0
        self._open: OrderedDict[tuple[str, str], _Network] = OrderedDict()

    @torch.inference_mode()
    def style(self, card: Card, image: NDArray[Any] | None = None) -> FrameStyle:
        """The style that a network paints, or, of one that paints after a picture, that picture's style.

        Args:
            card: of the network.
            image: as `pixels.to_rgb` takes it; None for a network of one style.

        Raises:
            StylebridgeError: BAD_VALUE where a picture is missing or too many, MISSING_EXTRA where its runtime is not
                installed, NOT_FOUND or NOT_READABLE where its file is damaged.
        """
        check_picture(card, image is not None)
        network = self._opened(card)
        run, picture = network.after(None if image is None else pixels.to_rgb(image))

        @torch.inference_mode()
        def paint(rgb: Rgb) -> Rgb:
            height, width = rgb.shape[:2]
            if height * width > MOST_PIXELS:
                raise StylebridgeError(
                    Code.TOO_LARGE,
                    f"The network '{card.name}' paints a whole frame at once, and {width}x{height} is more than it "
                    "can hold: raise stroke_size.",
                )
            self.runs += 1
            result = run(_tensor(pixels.to_rgb(rgb)))[0, :, :height, :width].float().clamp(0, 1)
            return np.ascontiguousarray(result.permute(1, 2, 0).cpu().numpy())

        parts = (card.version, network.runtime, picture)
        return FrameStyle("-".join(part for part in parts if part), card.name, card.version, paint)

    def _opened(self, card: Card) -> _Network:
        name = (card.name, card.version)
        if name not in self._open:
            opener = _OPENERS.get(card.kind)
            if opener is None:
                raise StylebridgeError(
                    Code.BAD_VALUE,
                    f"The model '{card.name}' is of the kind {card.kind}, which paints no pictures: "
                    "choose a style network.",
                )
            self._open[name] = opener(card, self.device)
            while len(self._open) > _KEPT:
                self._open.popitem(last=False)
        self._open.move_to_end(name)
        return self._open[name]


def is_style(card: Card) -> bool:
    """Whether the model paints pictures."""
    return card.kind in _OPENERS


def needs_picture(card: Card) -> bool:
    """Whether the network paints after a picture, so that a style is written NAME:PICTURE."""
    return card.kind in _AFTER_A_PICTURE


def check_picture(card: Card, given: bool) -> None:
    """Refuses a picture too many or too few; StylebridgeError BAD_VALUE."""
    if needs_picture(card) and not given:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"The network '{card.name}' paints after a picture: write the style as {card.name}:PICTURE.",
        )
    if given and not needs_picture(card):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"The network '{card.name}' knows one style and takes no picture: write the style as {card.name}.",
        )


def _tensor(rgb: Rgb) -> Tensor:
    """(H, W, 3) to (1, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None]))


def _extended(rgb: Tensor, smallest: int) -> Tensor:
    """The picture with its right and bottom edge replicated up to the smallest side that the network takes."""
    height, width = rgb.shape[2:]
    missing = (0, max(0, smallest - width), 0, max(0, smallest - height))
    return torch.nn.functional.pad(rgb, missing, mode="replicate") if any(missing) else rgb
