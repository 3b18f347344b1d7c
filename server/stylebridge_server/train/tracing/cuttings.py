"""Things cut out of photographs without anybody's annotations: regions that end at the picture's own edges.

Two sources. GrabCut (Rother et al. 2004) is begun at random places; of what it finds, regions are kept whose rim lies
on edges. And the classes that a network for semantic segmentation finds, if one is given, cut anew along edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import checkpoints, segmentation
from stylebridge_server.segment.semantic import ESPNETV2_SIDE, Semantic
from stylebridge_server.train import pictures

SIDE = 288  # short side of the photographs
_TRIES = 6  # beginnings in every photograph
_SHARP = 1.5  # gradient at the rim, to the photograph's mean

Rgb8 = NDArray[np.uint8]
Mask = NDArray[np.uint8]


def semantic(path: Path) -> Semantic:
    """The network of an ESPNetv2 state dict as it is published.

    Raises:
        StylebridgeError: not_readable where it is none; as reading it does.
    """
    state = checkpoints.read(path)
    kind = segmentation.seen(state)
    if kind is None:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"{path} holds no network for segmentation that is known here: give ESPNetv2's weights.",
        )
    tensors, settings = segmentation.convert(kind, state, path, None)
    network = segmentation.load(kind, settings, tensors)
    return Semantic(network, settings["labels"], ESPNETV2_SIDE, "cpu")


def photographs(folders: Sequence[Path]) -> list[Rgb8]:
    """All photographs below the folders, at a short side of `SIDE`; charts and cartoons left out."""
    found = []
    for folder in folders:
        for path in pictures.find(folder):
            picture = pictures.load(path)
            if pictures.is_photograph(picture):
                found.append(pictures.shortened(picture, SIDE))
    return found


def cuttings(photograph: Rgb8, seed: int, network: Semantic | None) -> Iterator[Mask]:
    """Masks, (H, W) uint8 0 or 1, of regions of a photograph that end at edges."""
    rng = np.random.default_rng(seed)
    h, w = photograph.shape[:2]
    grey = cv2.GaussianBlur(photograph, (0, 0), 1.0).astype(np.float32)
    gradient = np.sqrt(sum((cv2.Sobel(grey, cv2.CV_32F, dx, dy) ** 2).sum(2) for dx, dy in ((1, 0), (0, 1))))
    usual = float(gradient.mean())
    if network is not None:
        for one in network.find(photograph, (h, w)):
            if one.score > 0.6 and 0.01 < one.mask.mean() < 0.5:
                cut = _along_edges(photograph, (one.mask > 0.5).astype(np.uint8))
                if cut is not None:
                    yield cut
    kept: list[Mask] = []
    for _ in range(_TRIES):
        bw, bh = (int(n * rng.uniform(0.12, 0.55)) for n in (w, h))
        x, y = int(rng.integers(4, w - bw - 4)), int(rng.integers(4, h - bh - 4))
        begin = np.zeros((h, w), np.uint8)
        cv2.ellipse(begin, (x + bw // 2, y + bh // 2), (bw * 2 // 5, bh * 2 // 5), 0, 0, 360, 1, -1)
        cut = _along_edges(photograph, begin, (x, y, bw, bh))
        if cut is None:
            continue
        rim = cut > cv2.erode(cut, np.ones((3, 3), np.uint8))
        if gradient[rim].mean() < _SHARP * usual or any(
            (k & cut).sum() > 0.5 * (k | cut).sum() for k in kept
        ):
            continue
        kept.append(cut)
        yield cut


def _along_edges(photograph: Rgb8, begin: Mask, box: tuple[int, int, int, int] | None = None) -> Mask | None:
    """GrabCut from a first guess; its largest piece, holes closed; None where little or nearly all is left."""
    x, y, w, h = box or cv2.boundingRect(begin)
    m = 12 if box is None else 0
    mask = np.full(begin.shape, cv2.GC_BGD, np.uint8)
    mask[max(y - m, 0) : y + h + m, max(x - m, 0) : x + w + m] = cv2.GC_PR_BGD
    mask[begin > 0] = cv2.GC_PR_FGD
    if box is None:
        mask[cv2.erode(begin, np.ones((9, 9), np.uint8)) > 0] = cv2.GC_FGD
    part = np.s_[max(y - 20, 0) : y + h + 20, max(x - 20, 0) : x + w + 20]
    window = np.ascontiguousarray(mask[part])
    picture = np.ascontiguousarray(photograph[part][..., ::-1])
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, window, (0, 0, 1, 1), *models, 2, cv2.GC_INIT_WITH_MASK)
    found = np.zeros_like(begin)
    found[part] = (window == cv2.GC_FGD) | (window == cv2.GC_PR_FGD)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(found)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    out = (parts == largest).astype(np.uint8)
    outlines, _ = cv2.findContours(out, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    share = float(out.sum()) / (w * h)
    if not 0.15 < share < 0.92 or out.sum() < 300:
        return None
    return (
        cv2.drawContours(out, outlines, -1, 1, -1)
        if out.sum() > 0.9 * sum(map(cv2.contourArea, outlines))
        else out
    )


def make(folders: Sequence[Path], network: Path | None, out: Path) -> None:
    """Write photographs and masks to `out` as npz, all uint8: photo_I (H, W, 3), and its mask_I_K (H, W), 0 or 1.

    Args:
        folders: of photographs, searched with all that lies below.
        network: weights of ESPNetv2 as published, or None.
        out: a name that ends in `.npz`.

    Raises:
        StylebridgeError: not_found where there are no photographs; as reading pictures and weights does.
    """
    finder = semantic(network) if network is not None else None
    kept: dict[str, NDArray[np.uint8]] = {}
    found = photographs(folders)
    if not found:
        where = ", ".join(map(str, folders))
        raise StylebridgeError(Code.NOT_FOUND, f"There are no photographs below {where}: name other folders.")
    for number, photograph in enumerate(found):
        kept[f"photo_{number}"] = photograph
        for k, mask in enumerate(cuttings(photograph, number, finder)):
            kept[f"mask_{number}_{k}"] = mask
    np.savez_compressed(out, allow_pickle=False, **kept)
