"""Segment Anything (Kirillov et al. 2023), through its own package: prompts become labels, or everything is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stylebridge_models.installed import Card
from stylebridge_server.segment import prompts as prompting
from stylebridge_server.segment.detections import THING, Detection, resized
from stylebridge_server.segment.follow import Run
from stylebridge_server.segment.network import Network
from stylebridge_server.segment.spans import Marker
from stylebridge_server.segment.survey import Survey
from stylebridge_server.segment.torch_pictures import shrunk
from stylebridge_server.steps import step
from stylebridge_server.values import Plane, Prompt, Rgb8

EVERY = 48  # frames from one look for everything to the next: a look takes seconds
_ASKED = 16  # points along a side at which it looks for everything
_LEAST, _LARGEST = 0.005, 0.4  # shares of the picture of what it finds by itself
_SURE = 0.9
_LONG = 1024  # side at which the network looks: more pixels would only be shrunk again
_LOGIT = 8.0  # of a matte that is handed to the network as a first guess


class Sam(Network):
    """Finds everything on a grid of points; what is pointed at it cuts out by itself. See `Network`.

    Args:
        card: the installed network's.
        open: makes the network ready for use; called when it is first needed.
        memory: bytes that it takes at its peak.
    """

    METHOD = "2"

    def __init__(self, card: Card, open: Callable[[], nn.Module], memory: int) -> None:
        super().__init__("sam", card, lambda: Everything(open()), memory)
        self._network = open

    def marker(self, run: Run) -> Marker:
        """Cuts out what points and boxes say, from a matte beside them on; mattes alone are taken as they are."""
        pointer = Pointer(self._network())

        def mark(
            number: int, rgb: Rgb8, given: Sequence[Prompt], around: Survey | None
        ) -> tuple[Plane, str | None]:
            if all(prompt.matte is not None for prompt in given):
                return prompting.label(run.small(rgb), given, around), None
            label = pointer.label(number, rgb, given, run.size)
            return (label if label.any() else prompting.label(run.small(rgb), given, around)), None

        return mark


class Pointer:
    """Cuts out what prompts point at.

    Args:
        network: of the package, with its weights.
    """

    def __init__(self, network: nn.Module) -> None:
        from segment_anything import SamPredictor

        self._predictor = SamPredictor(network)
        self._number: int | None = None

    @torch.inference_mode()
    def label(self, number: int, rgb: Rgb8, prompts: Sequence[Prompt], size: tuple[int, int]) -> Plane:
        """The label that the prompts of one name give on one frame.

        A matte with points or a box beside it is a first guess, which they correct.

        Args:
            number: the frame's; what the network makes of one is kept for further prompts.
            rgb: (H, W, 3) uint8.
            prompts: of one name; not mattes alone.
            size: (h, w) of the label.

        Returns:
            (h, w) float32, 0 or 1.
        """
        picture = shrunk(rgb, _LONG, _LONG)
        if number != self._number:
            step()
            self._predictor.set_image(picture)
            self._number = number
        h, w = picture.shape[:2]
        on = [point for prompt in prompts for point in prompt.points]
        beside = [point for prompt in prompts for point in prompt.not_points]
        boxes = np.array([prompt.box for prompt in prompts if prompt.box is not None], np.float32)
        matte = next((prompt.matte for prompt in prompts if prompt.matte is not None), None)
        box = None
        if len(boxes):
            box = np.array([*boxes[:, :2].min(0), *boxes[:, 2:].max(0)]).clip(0, 1) * [w, h, w, h]
        points = np.array(on + beside, np.float32).reshape(-1, 2) * [w, h]
        # One point may mean the thing or a part of it, so the surest of three is taken.
        several = len(points) == 1 and box is None and matte is None
        found, scores, _ = self._predictor.predict(
            point_coords=points if len(points) else None,
            point_labels=np.array([1] * len(on) + [0] * len(beside)) if len(points) else None,
            box=box,
            mask_input=None if matte is None else self._guess(matte),
            multimask_output=several,
        )
        return resized(found[int(scores.argmax())].astype(np.float32), size)

    def _guess(self, matte: NDArray[np.uint8]) -> NDArray[np.float32]:
        """A matte as the network takes it: log odds in the top left of a square, as its picture lies there."""
        side = int(self._predictor.model.prompt_encoder.mask_input_size[0])
        scale = side / max(matte.shape)
        h, w = (max(1, round(n * scale)) for n in matte.shape)
        soft = cv2.resize(matte, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        out = np.full((1, side, side), -_LOGIT, np.float32)
        out[0, :h, :w] = (2 * soft - 1) * _LOGIT
        return out


class Everything:
    """See `Finder`: what the network finds when it is asked at a grid of points, of no class."""

    semantic, every = False, EVERY

    def __init__(self, network: nn.Module) -> None:
        from segment_anything import SamAutomaticMaskGenerator

        self._generator = SamAutomaticMaskGenerator(network, points_per_side=_ASKED, pred_iou_thresh=_SURE)

    @torch.inference_mode()
    def find(self, rgb: Rgb8, size: tuple[int, int]) -> list[Detection]:
        """See `Finder.find`."""
        step()
        picture = shrunk(rgb, _LONG, _LONG)
        out = []
        for one in self._generator.generate(picture):
            if _LEAST <= one["area"] / (picture.shape[0] * picture.shape[1]) <= _LARGEST:
                mask = resized(one["segmentation"].astype(np.float32), size)
                out.append(Detection(mask, THING, float(one["predicted_iou"])))
        return sorted(out, key=lambda one: -one.score)
