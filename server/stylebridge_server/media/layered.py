"""Layers as files: one OpenEXR file a frame with the plate, all layers and a Cryptomatte; or a picture a layer.

The OpenEXR file holds the plate as it is in R, G, B (and A), each layer in channels NAME.R, NAME.G, NAME.B and NAME.A,
where A is its matte m and the colours are the styled picture times m; and the mattes of all instances as a Cryptomatte,
"StylebridgeObject". So everything in `out = I + sum_i s_i (L_i - m_i I)` but the strengths is in it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pattern import Pattern, parse_pattern
from stylebridge_server.media import cryptomatte
from stylebridge_server.media.exr_file import Attribute, Box, Value, read_headers
from stylebridge_server.media.exr_layers import pick
from stylebridge_server.media.exr_sink import as_floats, header_of, origin_of, sample_of
from stylebridge_server.media.exr_write import NewPart, write_exr
from stylebridge_server.media.files import writable_place
from stylebridge_server.media.still import write_picture
from stylebridge_server.values import Frame, Pixels, Plane, SourceInfo

#: The name of the Cryptomatte.
CRYPTOMATTE = "StylebridgeObject"
#: In the name of an output, the place of a layer's name.
PLACE = "{layer}"
_LONGEST = 100
# Layers that Nuke has already, with channels of their own.
_TAKEN = (
    "rgba",
    "rgb",
    "alpha",
    "depth",
    "mask",
    "motion",
    "forward",
    "backward",
    "disparity",
    "left",
    "right",
)
_GREY, _COLOURS = ("Y", "A"), ("R", "G", "B", "A")


@dataclass(frozen=True)
class LayerName:
    """A layer and its names.

    Attributes:
        id: of its instance, 0 for the background.
        name: of its instance.
        channel: the same as channels and files can have it: letters, digits and underscores of ASCII.
    """

    id: int
    name: str
    channel: str


def layer_names(instances: Mapping[int, str]) -> list[LayerName]:
    """Names for channels and files of instances, given theirs by id; all of them differ, whatever the case."""
    used: set[str] = set()
    found = []
    for one, name in sorted(instances.items()):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:_LONGEST] or "layer"
        if plain[0].isdigit() or plain.lower() in _TAKEN:
            plain = f"layer_{plain}"
        channel, count = plain, 1
        while channel.lower() in used:
            count += 1
            channel = f"{plain}_{count}"
        used.add(channel.lower())
        found.append(LayerName(one, name, channel))
    return found


class LayeredExr:
    """Writes a file for each frame, whole or not at all.

    Args:
        target: a pattern, or one file for one frame.
        like: the plate's info; its colour space, alpha, windows and header go into the files.
        frames: how many there will be.
        layers: that there are in every frame.
        notes: texts for the header, by frame number.

    Raises:
        StylebridgeError: not_writable, bad_value.
    """

    def __init__(self, target: str, like: SourceInfo, frames: range, layers: Sequence[LayerName]) -> None:
        self._pattern = parse_pattern(target)
        self._single = Path(target)
        if self._pattern is None and len(frames) > 1:
            path = self._single
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"{path.name} is one picture, but {len(frames)} frames are to be written; write "
                f"{path.with_name(f'{path.stem}.####{path.suffix}')}.",
            )
        self._like, self._layers = like, list(layers)
        self._origin = origin_of(like)
        writable_place(self.path(frames[0]))

    @property
    def targets(self) -> list[str]:
        """The paths or patterns of all that is written."""
        return [str(self._pattern or self._single)]

    @property
    def form(self) -> str:
        """How a file is written, as stamps have it."""
        return f"layers, EXR, {sample_of(self._like)}"

    @property
    def samples(self) -> str:
        """Sample type in which layers are wanted: fine enough for the plate."""
        return "float16" if sample_of(self._like) == "half" else "float32"

    def path(self, number: int) -> Path:
        """The file of a frame."""
        return self._pattern.path(number) if self._pattern else self._single

    def write(
        self,
        plate: Frame,
        layers: Mapping[int, Pixels],
        mattes: Mapping[str, Plane],
        notes: Mapping[str, str],
    ) -> None:
        """Write a frame.

        Args:
            plate: its pixels as they are.
            layers: (H, W, 4) of `samples`, by id.
            mattes: of all instances, by their own names; together at most 1.
            notes: texts for the header.
        """
        size = plate.pixels.shape[:2]
        pixels = as_floats(plate.pixels, sample_of(self._like))
        names = _GREY[: pixels.shape[2]] if pixels.shape[2] < 3 else _COLOURS[: pixels.shape[2]]
        channels: dict[str, Pixels] = {name: pixels[..., place] for place, name in enumerate(names)}
        if len(names) < 3:  # the formula mixes colours
            channels = dict.fromkeys("RGB", pixels[..., 0]) | {
                name: plane for name, plane in channels.items() if name == "A"
            }
        for layer in self._layers:
            for place, letter in enumerate("RGBA"):
                channels[f"{layer.channel}.{letter}"] = layers[layer.id][..., place]
        channels |= cryptomatte.channels(CRYPTOMATTE, mattes, size)
        header = self._header(plate.number) | cryptomatte.header(CRYPTOMATTE, list(mattes)) | dict(notes)
        header["stylebridge:layers"] = json.dumps(
            [{"layer": one.channel, "name": one.name, "id": one.id} for one in self._layers],
            ensure_ascii=False,
        )
        data, display = self._windows(size)
        write_exr(self.path(plate.number), [NewPart(channels, data, display, header)])

    def _header(self, number: int) -> dict[str, Value]:
        """The source's own header, or what is known of the source."""
        held = None if self._origin is None else self._origin.gaps.held(number)
        if self._origin is None or held is None:
            return header_of(self._like, number)
        file = read_headers(self._origin.files[held])
        part = file.parts[pick(file, self._origin.layer, self._origin.view).part]
        found: dict[str, Attribute] = dict(part.attributes)
        # Of channels that are not in this file.
        return {
            name: value
            for name, value in found.items()
            if not name.startswith("cryptomatte/") and name != "multiView"
        }

    def _windows(self, size: tuple[int, int]) -> tuple[Box, Box]:
        x0, y0 = (0, 0) if self._origin is None else self._origin.window[:2]
        left, top, right, bottom = self._like.display or (0, 0, size[1], size[0])
        return (x0, y0, x0 + size[1], y0 + size[0]), (left + x0, top + y0, right + x0, bottom + y0)


class LayerPictures:
    """Writes a PNG picture for each layer of each frame: 16 bits, straight alpha, as PNG has it.

    Its colour is the styled picture itself where the matte is not 0, its alpha the matte.

    Args:
        target: a pattern with "{layer}" in its name or in that of its folder.
        frames: how many there will be.
        layers: that there are in every frame.
    """

    samples, form = "float32", "layers, PNG, 16 bit"

    def __init__(self, target: str, frames: range, layers: Sequence[LayerName]) -> None:
        self._layers = list(layers)
        self._targets: dict[int, Pattern | Path] = {}
        for layer in layers:
            named = target.replace(PLACE, layer.channel)
            pattern = parse_pattern(named)
            if pattern is None and len(frames) > 1:
                raise StylebridgeError(
                    Code.BAD_VALUE,
                    f"{Path(target).name} has no place for a frame's number, and {len(frames)} frames are to be "
                    "written: add ####.",
                )
            self._targets[layer.id] = pattern or Path(named)
            folder = self.path(layer.id, frames[0]).parent
            if PLACE in str(Path(target).parent) and folder.parent.is_dir():
                folder.mkdir(exist_ok=True)
            writable_place(self.path(layer.id, frames[0]))

    @property
    def targets(self) -> list[str]:
        """The paths or patterns of all that is written."""
        return [str(target) for target in self._targets.values()]

    def path(self, layer: int, number: int) -> Path:
        """The file of a layer on a frame."""
        target = self._targets[layer]
        return target.path(number) if isinstance(target, Pattern) else target

    def write(
        self,
        plate: Frame,
        layers: Mapping[int, Pixels],
        mattes: Mapping[str, Plane],
        notes: Mapping[str, str],
    ) -> None:
        """Write a frame's layers, (H, W, 4) float32 by id; plate and mattes are not written."""
        for layer in self._layers:
            pixels = layers[layer.id].astype(np.float32)
            alpha = pixels[..., 3:]
            pixels[..., :3] = np.divide(
                pixels[..., :3], alpha, out=np.zeros_like(pixels[..., :3]), where=alpha > 0
            )
            whole = np.rint(np.clip(pixels, 0, 1) * np.float32(65535)).astype(np.uint16)
            write_picture(self.path(layer.id, plate.number), whole, {}, dict(notes))


Writer = LayeredExr | LayerPictures


def open_layers(target: str, like: SourceInfo, frames: range, layers: Sequence[LayerName]) -> Writer:
    """What layers are written to, by the target's name.

    Raises:
        StylebridgeError: bad_value, not_writable.
    """
    ending = Path(target).suffix.lower()
    if ending == ".exr" and PLACE not in target:
        return LayeredExr(target, like, frames, layers)
    if ending == ".png" and PLACE in target:
        if like.dtype in ("float16", "float32"):
            raise StylebridgeError(
                Code.BAD_VALUE, f"{Path(target).name} cannot hold floating point layers: write OUT.####.exr."
            )
        return LayerPictures(target, frames, layers)
    raise StylebridgeError(
        Code.BAD_VALUE,
        f"Layers are not written to {Path(target).name}: write OUT.####.exr, which holds them all, or a PNG for each, "
        "OUT.{layer}.####.png.",
    )
