"""Instance segmenters of others as ONNX files, run by onnxruntime on the CPU or, where it can, on a GPU.

Two forms of answers are known, and recognised by their shapes:
- finds: boxes (N, 4) in pixels of the picture fed, labels (N) from 1, scores (N), masks (N, 1, h, w) that are soft and
  either of the picture's size or of their box's; this is what torchvision's Mask R-CNN exports.
- prototypes: (1, 4 + classes + K, P) with centre and size of each box, a score for each class and K coefficients, and
  the prototypes (1, K, h, w); this is what the YOLO family exports (coefficients as in YOLACT, Bolya et al. 2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import batched_nms

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import onnx_files
from stylebridge_server.segment.detections import EVERY, Detection, resized
from stylebridge_server.segment.torch_pictures import shrunk
from stylebridge_server.values import Plane, Rgb8

FINDS, PROTOTYPES = "finds", "prototypes"
RANGES = ("0-1", "0-255", "imagenet")
SCORE = 0.5  # finds below are left out
_OVERLAP = 0.5  # of boxes of one class, from which the less sure goes
_SHORT, _LONG = 800, 1333  # sides of the picture fed, where the network leaves them open
_MULTIPLE = 32
_GREY = 114  # around a picture in a network of fixed size
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)

Answers = list[NDArray[Any]]


class OnnxInstances:
    """See `Finder`.

    Args:
        data: the file.
        settings: from `recognise`.
        device: "cpu", "cuda", ...
        name: names the network in sentences.

    Raises:
        StylebridgeError: MISSING_EXTRA, NOT_READABLE.
    """

    semantic, every = False, EVERY

    def __init__(self, data: bytes, settings: Mapping[str, Any], device: str, name: str) -> None:
        self._session, _ = onnx_files.session(data, device, name)
        self._settings, self._name = settings, name

    def find(self, rgb: Rgb8, size: tuple[int, int]) -> list[Detection]:
        """See `Finder.find`."""
        fed, scale, (left, top) = _fitted(rgb, self._settings["size"])
        answers = _run(self._session, fed, self._settings, self._name)
        form = _finds if self._settings["form"] == FINDS else _from_prototypes
        h, w = (round(side * scale) for side in rgb.shape[:2])
        out = []
        for label, score, mask in form(answers, fed.shape[:2], len(self._settings["labels"])):
            name = self._settings["labels"][label]
            part = np.ascontiguousarray(mask[top : top + h, left : left + w])
            out.append(Detection(resized(part, size), name, score))
        return sorted(out, key=lambda one: -one.score)


def recognise(data: bytes, name: str, labels: Sequence[str] | None, said: str | None) -> dict[str, Any]:
    """What a file's arithmetic depends on beside its bytes.

    Args:
        data: the file.
        name: names it in sentences.
        labels: of its classes, the background left out.
        said: what it is fed, one of `RANGES`; None for 0-1, or 0-255 where it takes whole numbers.

    Returns:
        {"form": FINDS or PROTOTYPES, "labels": [...], "size": [height, width] or None for any, "range": one of
        `RANGES`, "batched": whether pictures come with a fourth axis}.

    Raises:
        StylebridgeError: MISSING_EXTRA where the extra is not installed; NOT_READABLE for what is no such network;
            BAD_VALUE where labels or range are missing or do not fit.
    """
    if labels is None:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"The ONNX network {name} does not say what its classes are called: give their names with --labels FILE, "
            "one a line.",
        )
    if said is not None and said not in RANGES:
        raise StylebridgeError(
            Code.BAD_VALUE, f"What a network that finds is fed is one of {', '.join(RANGES)}, not {said!r}."
        )
    onnx_files.refuse_external(data, name)
    session, _ = onnx_files.session(data, "cpu", name)
    inputs = session.get_inputs()
    shape = list(inputs[0].shape) if inputs else []
    if len(inputs) != 1 or inputs[0].type not in _TYPES or len(shape) not in (3, 4) or shape[-3] != 3:
        raise _another(name, f"it takes {[one.shape for one in inputs]}")
    fixed = [side for side in shape[-2:] if isinstance(side, int) and side > 0]
    settings: dict[str, Any] = {
        "labels": list(labels),
        "size": fixed if len(fixed) == 2 else None,
        "range": said or ("0-255" if inputs[0].type == "tensor(uint8)" else "0-1"),
        "batched": len(shape) == 4,
    }
    probe, _, _ = _fitted(np.full((96, 128, 3), 120, np.uint8), settings["size"])
    answers = _run(session, probe, settings, name)
    if len(answers) == 4 and _as_finds(answers) is not None:
        return {**settings, "form": FINDS}
    if len(answers) >= 2 and answers[0].ndim == 3 and answers[1].ndim == 4:
        count = answers[0].shape[1] - 4 - answers[1].shape[1]
        if count != len(labels):
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The ONNX network {name} tells {count} classes apart, and the list of labels has {len(labels)}: "
                "give one for each class, in the network's order.",
            )
        return {**settings, "form": PROTOTYPES}
    raise _another(name, f"it answers {[answer.shape for answer in answers]}")


def is_instances(data: bytes, name: str) -> bool:
    """Whether an ONNX file has several answers, as what finds instances has, and a style network has not."""
    return len(onnx_files.model(data, name).graph.output) > 1


def _as_finds(answers: Answers) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Boxes, labels, scores and masks, in whatever order they come; None where they are not these."""
    one = [answer for answer in answers if answer.ndim == 1]
    labels = [answer for answer in one if np.issubdtype(answer.dtype, np.integer)]
    scores = [answer for answer in one if np.issubdtype(answer.dtype, np.floating)]
    boxes = [answer for answer in answers if answer.ndim == 2 and answer.shape[1] == 4]
    masks = [answer for answer in answers if answer.ndim in (3, 4)]
    if not all(len(found) == 1 for found in (labels, scores, boxes, masks)):
        return None
    return boxes[0], labels[0], scores[0], masks[0]


def _finds(answers: Answers, size: tuple[int, int], classes: int) -> Iterable[tuple[int, float, Plane]]:
    said = _as_finds(answers)
    if said is None:
        return
    boxes, labels, scores, masks = said
    masks = masks.reshape(len(masks), *masks.shape[-2:]).astype(np.float32)
    for box, label, score, mask in zip(boxes, labels, scores, masks, strict=True):
        if score >= SCORE and 1 <= label <= classes:
            whole = mask if mask.shape == size else _pasted(mask, box, size)
            yield int(label) - 1, float(score), whole


def _from_prototypes(
    answers: Answers, size: tuple[int, int], classes: int
) -> Iterable[tuple[int, float, Plane]]:
    rows, prototypes = answers[0][0].astype(np.float32).T, answers[1][0].astype(np.float32)
    scores = rows[:, 4 : 4 + classes]
    labels, best = scores.argmax(1), scores.max(1, initial=0)
    likely = best >= SCORE
    rows, labels, best = rows[likely], labels[likely], best[likely]
    corners = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], 1)
    keep = batched_nms(
        *(torch.from_numpy(np.ascontiguousarray(one)) for one in (corners, best, labels)), _OVERLAP
    )
    for k in keep.tolist():
        mixed = np.tensordot(rows[k, 4 + classes :], prototypes, 1)
        soft = cv2.resize(1 / (1 + np.exp(-mixed)), size[::-1], interpolation=cv2.INTER_LINEAR)
        x0, y0, x1, y1 = (max(round(float(n)), 0) for n in corners[k])
        whole = np.zeros(size, np.float32)
        whole[y0:y1, x0:x1] = soft[y0:y1, x0:x1]
        yield int(labels[k]), float(best[k]), whole


def _pasted(mask: Plane, box: NDArray[Any], size: tuple[int, int]) -> Plane:
    """A mask of a box's own grid, laid into the picture."""
    whole = np.zeros(size, np.float32)
    x0, y0, x1, y1 = (round(float(n)) for n in box)
    w, h = max(x1 - x0, 1), max(y1 - y0, 1)
    if w > 4 * size[1] or h > 4 * size[0]:
        return whole
    part = cv2.resize(mask, (w, h), interpolation=cv2.INTER_LINEAR)
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + w, size[1]), min(y0 + h, size[0])
    if right > left and bottom > top:
        whole[top:bottom, left:right] = part[top - y0 : bottom - y0, left - x0 : right - x0]
    return whole


def _fitted(rgb: Rgb8, size: Sequence[int] | None) -> tuple[Rgb8, float, tuple[int, int]]:
    """The picture as it is fed, in its aspect; how much it was scaled; and where its left and top came to lie."""
    if size is None:
        small = shrunk(rgb, _SHORT, _LONG)
        h, w = small.shape[:2]
        down, right = (-(-n // _MULTIPLE) * _MULTIPLE - n for n in (h, w))
        fed = cv2.copyMakeBorder(small, 0, down, 0, right, cv2.BORDER_CONSTANT, value=(_GREY,) * 3)
        return np.asarray(fed, np.uint8), h / rgb.shape[0], (0, 0)
    height, width = size
    scale = min(height / rgb.shape[0], width / rgb.shape[1])
    h, w = round(rgb.shape[0] * scale), round(rgb.shape[1] * scale)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    top, left = (height - h) // 2, (width - w) // 2
    whole = np.full((height, width, 3), _GREY, np.uint8)
    whole[top : top + h, left : left + w] = cv2.resize(rgb, (w, h), interpolation=way)
    return whole, scale, (left, top)


def _run(session: Any, picture: Rgb8, settings: Mapping[str, Any], name: str) -> Answers:
    (given,) = session.get_inputs()
    fed = picture.transpose(2, 0, 1).astype(np.float32)
    if settings["range"] != "0-255":
        fed /= np.float32(255)
    if settings["range"] == "imagenet":
        fed = (fed - _MEAN[:, None, None]) / _DEVIATION[:, None, None]
    if settings["batched"]:
        fed = fed[None]
    try:
        answers = session.run(None, {given.name: np.ascontiguousarray(fed, _TYPES[given.type])})
    except Exception as error:  # the runtime's own, of no common class
        raise _another(name, f"it fails on a picture: {str(error).splitlines()[0][:120]}") from None
    return [np.asarray(answer) for answer in answers]


def _another(name: str, why: str) -> StylebridgeError:
    return StylebridgeError(
        Code.NOT_READABLE,
        f"The ONNX network {name} finds no instances in a form that is known ({why}): known are boxes, labels, scores "
        "and masks, or boxes with coefficients and prototypes.",
    )
