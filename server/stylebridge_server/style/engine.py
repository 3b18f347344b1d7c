"""The embedded style network at work: encode a picture once, then decode any tile of it in any style.

A tile is computed from its own cells of the features and a margin as wide as the decoder looks, beyond the
picture's edge the edge replicated. So a tile is a function of features, statistics, code and its position
alone: tiles fit together without a seam and come out the same whatever else is computed, and in whatever
order.

On the CPU everything is float32 in one memory layout and repeats bit for bit for one version of torch,
instruction set and number of threads.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import network, registry
from stylebridge_models.fitting import CRISP, FITTING_SIDE, Fitting
from stylebridge_server.steps import step
from stylebridge_server.values import Rgb, Tile

from . import layout, pixels

FloatVector = NDArray[np.float32]

_WEIGHTS = "embedded-style"
_PRESETS = "embedded-style-presets"
_METHOD = 2  # one more whenever the same weights and codes come to paint something else


@dataclass(frozen=True)
class Preset:
    """A style that ships as its code.

    Attributes:
        name: what looks and the command line say, such as "starry-night".
        title, credit: the painting; its painter and year.
        code: (137,) float32.
    """

    name: str
    title: str
    credit: str
    code: FloatVector


@dataclass(frozen=True)
class Features:
    """An encoded picture. Opaque: only `Engine.decode` reads it.

    Attributes:
        height, width: of the picture, in pixels.
    """

    height: int
    width: int
    cells: Tensor  # (1, 67, ceil(height / 4), ceil(width / 4)) float32

    @property
    def nbytes(self) -> int:
        return self.cells.numel() * self.cells.element_size()


class Engine:
    """The embedded network on one device. See `load`.

    Attributes:
        checksum: of the weights, the presets and the way they are used, hexadecimal; part of every key under which
            results are kept.
        device: "cpu", "cuda", "cuda:1", ...
        runs: how often the network ran since it was loaded, {"encode": pictures, "decode": pieces}.
    """

    def __init__(
        self, weights: dict[str, Tensor], presets: dict[str, Preset], checksum: str, device: str
    ) -> None:
        self.checksum = checksum
        self.device = device
        self.runs = {"encode": 0, "decode": 0}
        self._presets = presets
        self._fitting: Fitting | None = None
        self._network = network.StyleNetwork()
        self._network.load_state_dict(weights)
        self._network.eval().requires_grad_(False)
        try:
            self._network.to(device).to(memory_format=torch.channels_last)
        except (RuntimeError, AssertionError) as error:  # what torch raises depends on how it was built
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The device {device} cannot be used ({str(error).splitlines()[0]}): name another, such as cpu.",
            ) from None

    def presets(self) -> dict[str, Preset]:
        """The styles that ship, by name."""
        return dict(self._presets)

    def code(self, image: NDArray[Any], crisp: float = CRISP) -> FloatVector:
        """The code (137,) of any style picture: (H, W) or (H, W, C), integers or floats, grey or colour.

        Takes seconds: see `stylebridge_models.fitting`. Made on the CPU whatever the device, so that it is the same.
        """
        if self._fitting is None:
            own = self._network if self.device == "cpu" else copy.deepcopy(self._network).cpu()
            self._fitting = Fitting(own)
        rgb = pixels.to_rgb(image)
        small, large = (_channels_first(pixels.shrunk(rgb, n)) for n in (network.STYLE_SIDE, FITTING_SIDE))
        return self._fitting.code(small, large, step, crisp)[0].numpy()

    @torch.inference_mode()
    def features(self, rgb: Rgb) -> Features:
        """Encodes a whole picture of network size, (h, w, 3) display-referred sRGB; counts one encode."""
        picture = pixels.calmed(pixels.to_rgb(rgb))
        height, width = picture.shape[:2]
        rows, columns = -(-height // network.STRIDE), -(-width // network.STRIDE)
        margin = network.ENCODER_MARGIN
        across = _replicated(-margin, columns + margin, width)
        parts = []
        for first, last in layout.bands(rows, columns):
            step()
            down = _replicated(first - margin, last + margin, height)
            parts.append(self._network.content(self._tensor(picture[down][:, across]), same=False))
        self.runs["encode"] += 1
        cells = torch.cat(parts, 2).contiguous(memory_format=torch.channels_last)
        return Features(height, width, cells)

    @torch.inference_mode()
    def statistics(self, thumbnails: Sequence[Rgb]) -> FloatVector:
        """Content statistics (137,) of a scene, from one or more small pictures of it (h, w, 3), all
        counting alike.

        Pictures are brought to a short side of 128 here; larger ones only take longer. Not counted as a run:
        a scene needs it once.
        """
        if not thumbnails:
            raise StylebridgeError(
                Code.BAD_VALUE, "A scene without pictures has no statistics: give at least one."
            )
        rows = []
        for rgb in thumbnails:
            step()
            small = pixels.shrunk(pixels.to_rgb(rgb), network.THUMBNAIL_SIDE)
            rows.append(self._network.statistics(self._tensor(small)))
        return network.pooled(torch.cat(rows))[0].cpu().numpy()

    @torch.inference_mode()
    def decode(self, features: Features, statistics: FloatVector, code: FloatVector, tile: Tile) -> Rgb:
        """One tile of the picture in a style, or a piece of several, (th, tw, 3) float32 in [0, 1]; counts one
        decode. What is painted of a tile is the same, bit for bit, in whatever piece it lies."""
        if not (0 <= tile.x0 < tile.x1 <= features.width and 0 <= tile.y0 < tile.y1 <= features.height):
            raise StylebridgeError(
                Code.BAD_VALUE, f"{tile} does not lie in a picture of {features.width}x{features.height}."
            )
        stride, margin = network.STRIDE, network.DECODER_MARGIN
        x, y = tile.x0 // stride, tile.y0 // stride
        rows, columns = features.cells.shape[2:]
        down, above, below = _within(y - margin, -(-tile.y1 // stride) + margin, rows)
        across, left, right = _within(x - margin, -(-tile.x1 // stride) + margin, columns)
        cells = features.cells[:, :, down, across]
        if above or below or left or right:
            cells = F.pad(cells, (left, right, above, below), mode="replicate")
        output = self._network.decoder(
            cells.contiguous(memory_format=torch.channels_last),
            self._row(statistics),
            self._row(code),
            same=False,
        )
        self.runs["decode"] += 1
        left, top = tile.x0 - x * stride, tile.y0 - y * stride
        output = output[0, :, top : top + tile.y1 - tile.y0, left : left + tile.x1 - tile.x0]
        return output.clamp(0, 1).permute(1, 2, 0).contiguous().cpu().numpy()

    def _row(self, vector: FloatVector) -> Tensor:
        return torch.from_numpy(np.array(vector, np.float32)[None]).to(self.device)

    def _tensor(self, rgb: Rgb) -> Tensor:
        return _channels_first(rgb).to(self.device)


def _channels_first(rgb: Rgb) -> Tensor:
    """(H, W, 3) to (1, 3, H, W) in the one memory layout that is used."""
    x = torch.from_numpy(np.ascontiguousarray(rgb))[None].permute(0, 3, 1, 2)
    return x.contiguous(memory_format=torch.channels_last)


def _replicated(first: int, last: int, size: int) -> NDArray[np.intp]:
    """Pixel numbers of cells `first` to `last` of a picture of `size` pixels, the edge replicated
    outwards."""
    return np.clip(np.arange(first * network.STRIDE, last * network.STRIDE), 0, size - 1)


def _within(first: int, last: int, size: int) -> tuple[slice, int, int]:
    """Of cells `first` to `last`: those that exist, and how many are missing before and after."""
    inside = slice(min(max(first, 0), size - 1), max(min(last, size), 1))
    return inside, inside.start - first, last - inside.stop


def load(device: str = "cpu") -> Engine:
    """The embedded network and its presets, checksums verified.

    Raises:
        StylebridgeError: NOT_FOUND or NOT_READABLE where a file is missing or damaged; BAD_VALUE for a device that
            cannot be used.
    """
    entries = [registry.find(name).sha256 for name in (_WEIGHTS, _PRESETS)]
    checksum = hashlib.sha256(" ".join([str(_METHOD), *entries]).encode()).hexdigest()
    presets = {
        name: Preset(name, row["title"], row["credit"], np.array(row["code"], np.float32))
        for name, row in registry.load_json(_PRESETS).items()
    }
    return Engine(registry.load(_WEIGHTS), presets, checksum, device)
