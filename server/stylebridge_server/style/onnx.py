"""ONNX style networks: one picture in, one picture out, of a fixed size or of any.

An ONNX file says nothing of what its numbers mean. Which range it works in is recognised by trying: a network fed in
the range that it was made for answers in the same range. Only ImageNet's mean and deviation cannot be told from
RGB in [0, 1], and have to be said.

Needs the extra `onnx` (onnx to look into files, onnxruntime to run them).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import onnx_files

UNIT, BYTES, SIGNED, IMAGENET = "0-1", "0-255", "-1-1", "imagenet"
RANGES = (UNIT, BYTES, SIGNED, IMAGENET)
# Value of black and of white as the network is fed, and as it answers.
_FED = {UNIT: (0.0, 1.0), BYTES: (0.0, 255.0), SIGNED: (-1.0, 1.0)}
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)[None, :, None, None]
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)[None, :, None, None]

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_MULTIPLES = (1, 4, 8, 16, 32, 64)  # sides that networks of any size may insist on, tried in this order
_PROBE = (128, 192)  # height and width of the picture that networks are tried with

Batch = NDArray[np.float32]  # (1, 3, H, W)


class OnnxNetwork:
    """A network opened. Called with (1, 3, H, W) float32 RGB in [0, 1], answers the same, not clamped.

    A network of a fixed size is given the picture brought to that size, and its answer is brought back.

    Args:
        data: the file.
        settings: from `recognise`.
        device: "cpu", or "cuda..." where onnxruntime has that.
        name: names the file in sentences.

    Attributes:
        runtime: library and where it runs, for cache keys.
    """

    def __init__(self, data: bytes, settings: Mapping[str, Any], device: str, name: str) -> None:
        self._settings = settings
        self._name = name
        self._session, self.runtime = onnx_files.session(data, device, name)
        (given,) = self._session.get_inputs()
        self._input, self._type = given.name, _TYPES[given.type]

    def __call__(self, rgb: Batch) -> Batch:
        height, width = rgb.shape[2:]
        fixed = self._settings["size"]
        if fixed is not None:
            whole = _resized(rgb, tuple(fixed), cv2.INTER_AREA)
        else:
            step = self._settings["multiple"]
            down, right = (-(-max(n, 32) // step) * step - n for n in (height, width))
            whole = np.pad(rgb, ((0, 0), (0, 0), (0, down), (0, right)), mode="edge")
        answer = self._run(whole)
        if fixed is not None:
            return _resized(answer, (height, width), cv2.INTER_CUBIC)
        return np.ascontiguousarray(answer[:, :, :height, :width])

    def _run(self, rgb: Batch) -> Batch:
        said = self._settings["range"]
        fed = _fed(rgb, said)
        if self._settings["layout"] == "NHWC":
            fed = fed.transpose(0, 2, 3, 1)
        try:
            (answer,) = self._session.run(None, {self._input: np.ascontiguousarray(fed, self._type)})
        except Exception as error:  # the runtime's own, of no common class
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"The ONNX network {self._name} fails on a picture of {rgb.shape[3]}x{rgb.shape[2]} "
                f"({str(error).splitlines()[0][:120]}): it may be of another kind.",
            ) from None
        answer = np.asarray(answer, np.float32)
        if self._settings["layout"] == "NHWC" and answer.ndim == 4:
            answer = answer.transpose(0, 3, 1, 2)
        if answer.ndim == 3:
            answer = answer[None]
        if answer.shape[:2] != (1, 3) or any(
            got < asked for got, asked in zip(answer.shape[2:], rgb.shape[2:], strict=True)
        ):
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"The ONNX network {self._name} answers {answer.shape} to a picture of {rgb.shape}: "
                "a style network answers a picture of the same size.",
            )
        black, white = _FED[UNIT if said == IMAGENET else said]
        return (answer - np.float32(black)) / np.float32(white - black)


def recognise(data: bytes, name: str, said: str | None = None) -> dict[str, Any]:
    """What an ONNX file's arithmetic depends on beside its bytes.

    Args:
        data: the file.
        name: names it in sentences.
        said: its range, one of `RANGES`, where the user knows it.

    Returns:
        {"layout": "NCHW" or "NHWC", "size": [height, width] or None for any, "multiple": what sides have to be
        multiples of, "range": one of `RANGES`}.

    Raises:
        StylebridgeError: MISSING_EXTRA where the extra is not installed; NOT_READABLE for what is no ONNX file, keeps
            weights in other files, or is no network from picture to picture; BAD_VALUE where the range cannot be
            recognised.
    """
    if said is not None and said not in RANGES:
        raise StylebridgeError(
            Code.BAD_VALUE, f"The range of a network is one of {', '.join(RANGES)}, not {said!r}."
        )
    onnx_files.refuse_external(data, name)
    session, _ = onnx_files.session(data, "cpu", name)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type not in _TYPES or len(inputs[0].shape) != 4:
        told = ", ".join(f"{one.name} {one.type} {one.shape}" for one in (*inputs, *outputs))
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"The ONNX network {name} is not from one picture to one picture (it has {told[:200]}): "
            "only such networks can be imported.",
        )
    layout, size = _layout(inputs[0].shape, name)
    settings: dict[str, Any] = {"layout": layout, "size": size, "multiple": 1, "range": said or UNIT}
    if size is None:
        settings["multiple"] = _multiple(data, settings, name)
    if said is None:
        settings["range"] = _range(data, settings, name)
    else:
        OnnxNetwork(data, settings, "cpu", name)(_probe())
    return settings


def _layout(shape: list[Any], name: str) -> tuple[str, list[int] | None]:
    """Order of the axes, and the fixed size where there is one."""
    if shape[1] == 3:
        layout, sides = "NCHW", shape[2:]
    elif shape[3] == 3:
        layout, sides = "NHWC", shape[1:3]
    else:
        raise StylebridgeError(
            Code.NOT_READABLE, f"The ONNX network {name} takes {shape}, which is no picture of three colours."
        )
    if isinstance(shape[0], int) and shape[0] != 1:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"The ONNX network {name} takes {shape[0]} pictures at once: export it for one picture.",
        )
    fixed = [side for side in sides if isinstance(side, int) and side > 0]
    if len(fixed) == 1:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"The ONNX network {name} fixes one side of its picture and not the other: export it for any size.",
        )
    return layout, fixed or None


def _multiple(data: bytes, settings: Mapping[str, Any], name: str) -> int:
    """The least multiple that the sides of a picture have to be."""
    last: StylebridgeError | None = None
    for step in _MULTIPLES:
        odd = (_PROBE[0] + (step if step > 1 else 3), _PROBE[1] + (step if step > 1 else 5))
        try:
            OnnxNetwork(data, {**settings, "multiple": step}, "cpu", name)(_probe(odd))
            return step
        except StylebridgeError as error:
            last = error
    assert last is not None
    raise last


def _range(data: bytes, settings: Mapping[str, Any], name: str) -> str:
    """The one range in which the network answers as it is asked."""
    fitting = []
    for said in (UNIT, BYTES, SIGNED):
        answer = OnnxNetwork(data, {**settings, "range": said}, "cpu", name)(_probe())
        black, white = _FED[said]
        if _kind(answer * (white - black) + black) == said:
            fitting.append(said)
    if len(fitting) != 1:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"In which range the ONNX network {name} works cannot be seen from its answers: "
            f"say it with --input, one of {', '.join(RANGES)}.",
        )
    return fitting[0]


def _kind(answer: Batch) -> str | None:
    """The range that an answer seems to be in; None where it is none of them."""
    if not np.isfinite(answer).all():
        return None
    low, high = np.percentile(answer, (1, 99))
    if high - low > 12:
        return BYTES if low > -128 and high < 384 else None
    if low < -0.25:
        return SIGNED if low > -1.5 and high < 1.5 and high - low > 0.1 else None
    return UNIT if high < 1.5 and high - low > 0.05 else None


def _probe(size: tuple[int, int] = _PROBE) -> Batch:
    """A picture with everything that pictures have: smooth colours, edges, black, white."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    phase = np.array([0.0, 2.1, 4.2], np.float32)[:, None, None]
    picture = 0.5 + 0.45 * np.sin(x / 23 + y / 17 + phase)
    picture[:, (x - size[1] / 2) ** 2 + (y - size[0] / 2) ** 2 < 900] = 1
    picture[:, :, : size[1] // 8] = 0
    return picture[None].astype(np.float32)


def _fed(rgb: Batch, said: str) -> Batch:
    if said == IMAGENET:
        return (rgb - _MEAN) / _DEVIATION
    black, white = _FED[said]
    return rgb * np.float32(white - black) + np.float32(black)


def _resized(rgb: Batch, size: tuple[int, ...], way: int) -> Batch:
    """(1, 3, H, W) at another size (height, width)."""
    if rgb.shape[2:] == size:
        return rgb
    picture = np.ascontiguousarray(rgb[0].transpose(1, 2, 0))
    if way == cv2.INTER_AREA and (size[0] > rgb.shape[2] or size[1] > rgb.shape[3]):
        way = cv2.INTER_LINEAR
    resized = cv2.resize(picture, (size[1], size[0]), interpolation=way)
    return np.ascontiguousarray(resized.transpose(2, 0, 1)[None], np.float32)
