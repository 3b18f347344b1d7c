"""How good instances are, on material with exact mattes: `python -m benchmarks.instances [SEGMENTER]`.

    shots       the example shots: a box for each thing on one frame, and without prompts; the first is the one that the
                segmenter was tuned on, the second only tests it
    composites  things cut from photographs along COCO's polygons, moved over other photographs; where
                $STYLEBRIDGE_SHARED has photographs with polygons

J is intersection over union of the regions, F the harmonic mean of precision and recall of the boundaries within 0.8 %
of the diagonal, as in DAVIS 2017 (Pont-Tuset et al.). An id switch is a frame on which an instance covers another
thing more than its own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.truth import PLAYROOM, VALLEY, Shot, Truth
from stylebridge.errors import StylebridgeError
from stylebridge_server import media, segment, temporal
from stylebridge_server.values import Instance, Prompt, Rgb8

PROMPTED = {VALLEY: 48, PLAYROOM: 46}  # frame on which boxes are given
FRAMES = 12  # of a composite
SIDE = 320  # long side of a composite
TOLERANCE = 0.008  # of the diagonal

Mask = NDArray[np.bool_]


def region(found: Mask, truth: Mask) -> float:
    """J of two masks; 1 where both are empty."""
    union = int((found | truth).sum())
    return float((found & truth).sum()) / union if union else 1.0


def boundary(found: Mask, truth: Mask) -> float:
    """F of two masks; 1 where both are empty."""
    reach = max(1, round(TOLERANCE * float(np.hypot(*found.shape))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    rims = [_rim(mask) for mask in (found, truth)]
    if not rims[0].any() or not rims[1].any():
        return float(rims[0].any() == rims[1].any())
    near = [cv2.dilate(rim.astype(np.uint8), disc) > 0 for rim in rims]
    precision = float((rims[0] & near[1]).sum()) / float(rims[0].sum())
    recall = float((rims[1] & near[0]).sum()) / float(rims[1].sum())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _rim(mask: Mask) -> Mask:
    return mask & ~(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0)


class Pictures:
    """Frames in memory, as segmenters read them."""

    def __init__(self, frames: Sequence[Rgb8]) -> None:
        self._frames = frames
        self.size = frames[0].shape[0], frames[0].shape[1]

    def read(self, number: int) -> Rgb8:
        return self._frames[number]

    def content(self, number: int) -> str:
        return f"{id(self)} {number}"


class Mattes:
    """A store in memory."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._kept: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self._size = size

    def put(self, instance: int, frame: int, matte: NDArray[np.uint8]) -> None:
        self._kept[instance, frame] = matte

    def mask(self, instance: int, frame: int) -> Mask:
        return self._kept.get((instance, frame), np.zeros(self._size, np.uint8)) >= 128


def tracked(name: str, frames: Sequence[Rgb8], prompts: list[Prompt]) -> tuple[Mattes, list[Instance], float]:
    """Mattes, instances and seconds of one scene."""
    pictures = Pictures(frames)
    store = Mattes(pictures.size)
    began = time.perf_counter()
    found = segment.load(name, pointed=bool(prompts)).track(
        pictures,
        [(0, len(frames) - 1)],
        prompts,
        partial(temporal.flow_pair, test=temporal.occlusion),
        store,
        lambda done, total: None,
    )
    return store, found, time.perf_counter() - began


def box_of(mask: Mask) -> tuple[float, float, float, float]:
    """Box around a mask with two pixels to spare, normalised."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    height, width = mask.shape
    return (
        max(x - 2, 0) / width,
        max(y - 2, 0) / height,
        min(x + w + 2, width) / width,
        min(y + h + 2, height) / height,
    )


def shot(which: Shot, name: str) -> list[str]:
    """One example shot, prompted and alone."""
    truth = Truth(which)
    with media.open_source(truth.plate) as source:
        frames = [frame.pixels for frame in source.frames(source.info.first, source.info.last)]
    exact = [truth.mattes(number) >= 128 for number in range(len(frames))]
    given = PROMPTED[which]
    prompts = [Prompt(thing, given, box=box_of(exact[given][..., k])) for k, thing in enumerate(truth.names)]
    rows = [f"| {which.folder} | J | F | J&F | lowest J | id switches |", "|---|---|---|---|---|---|"]
    store, found, seconds = tracked(name, frames, prompts)
    for one in found:
        rows.append(_row(f"box: {one.name}", store, one.id, exact, truth.names.index(one.name)))
    rate = f"{len(frames) / seconds:.1f} frames a second with {len(found)} instances"
    store, found, seconds = tracked(name, frames, [])
    taken = set()
    for k, thing in enumerate(truth.names):
        there = [t for t in range(len(frames)) if exact[t][..., k].any()]
        scores = {
            one.id: np.mean([region(store.mask(one.id, t), exact[t][..., k]) for t in there]) for one in found
        }
        if scores:
            best = max(scores, key=lambda i: scores[i])
            taken.add(best)
            rows.append(_row(f"alone: {thing}", store, best, exact, k))
        else:
            rows.append(f"| alone: {thing} | 0 | 0 | 0 | 0 | |")
    alone = f"Found alone: {len(found)} instances, {len(found) - len(taken)} of them nothing's best"
    return [*rows, "", f"{alone}; {len(frames) / seconds:.1f} frames a second. With boxes {rate}."]


def _row(what: str, store: Mattes, instance: int, exact: Sequence[NDArray[np.bool_]], k: int) -> str:
    there = [t for t in range(len(exact)) if exact[t][..., k].any()]
    js = [region(store.mask(instance, t), exact[t][..., k]) for t in there]
    fs = [boundary(store.mask(instance, t), exact[t][..., k]) for t in there]
    switches = 0
    for t in range(len(exact)):
        shares = [int((store.mask(instance, t) & exact[t][..., i]).sum()) for i in range(exact[t].shape[-1])]
        switches += max(shares) > 0 and int(np.argmax(shares)) != k
    j, f = float(np.mean(js)), float(np.mean(fs))
    return f"| {what} | {j:.3f} | {f:.3f} | {(j + f) / 2:.3f} | {min(js):.3f} | {switches} |"


def composites(name: str, folder: Path) -> list[str]:
    """Things cut out of photographs, moved over others; a box on the first frame."""
    js, fs = [], []
    for frames, masks in _composites(folder):
        try:
            store, found, _ = tracked(name, frames, [Prompt("thing", 0, box=box_of(masks[0]))])
        except StylebridgeError:  # the box finds nothing
            js.append(0.0)
            fs.append(0.0)
            continue
        pairs = [(store.mask(found[0].id, t), mask) for t, mask in enumerate(masks)]
        js.append(float(np.mean([region(*pair) for pair in pairs])))
        fs.append(float(np.mean([boundary(*pair) for pair in pairs])))
    worst = sorted(js)[:5]
    return [
        f"| {len(js)} composites | J | F | below 0.5 |",
        "|---|---|---|---|",
        f"| mean | {np.mean(js):.3f} | {np.mean(fs):.3f} | {sum(j < 0.5 for j in js)} |",
        f"| median | {np.median(js):.3f} | {np.median(fs):.3f} | |",
        "",
        f"The worst: {', '.join(f'{j:.2f}' for j in worst)}.",
    ]


def _composites(folder: Path) -> Iterator[tuple[list[Rgb8], list[Mask]]]:
    """Frames and masks: each photograph's largest thing of a fitting size over the next photograph."""
    names = sorted(path.stem for path in (folder / "instances").glob("*.txt"))
    photographs = {name: _photograph(folder, name) for name in names}
    for place, name in enumerate(names):
        picture, things = photographs[name]
        fitting = [mask for mask in things if 0.02 < mask.mean() < 0.25]
        if not fitting:
            continue
        mask = max(fitting, key=lambda one: float(one.mean()))
        ground, _ = photographs[names[(place + 7) % len(names)]]
        yield _moved(picture, mask, ground, np.random.default_rng(place))


def _photograph(folder: Path, name: str) -> tuple[Rgb8, list[Mask]]:
    picture = media.load_image(folder / "images" / f"{name}.jpg").pixels[..., :3]
    picture = np.broadcast_to(picture, (*picture.shape[:2], 3))  # some are grey
    scale = SIDE / max(picture.shape[:2])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    picture = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
    masks = []
    for line in (folder / "instances" / f"{name}.txt").read_text("utf-8").splitlines():
        corners = np.array(line.split()[1:], np.float64).reshape(-1, 2) * size
        mask = np.zeros(size[::-1], np.uint8)
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
        masks.append(mask > 0)
    return picture, masks


def _moved(picture: Rgb8, mask: Mask, ground: Rgb8, rng: Any) -> tuple[list[Rgb8], list[Mask]]:
    """The thing on a straight way with a little turning and growing, over a ground that pans."""
    height, width = picture.shape[:2]
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    middle = np.array([x + w / 2, y + h / 2])
    ends = np.array([[0.3, 0.35], [0.7, 0.65]]) * [width, height]
    ends = ends[:: rng.choice([-1, 1])] + rng.uniform(-0.08, 0.08, (2, 2)) * [width, height]
    turn, growth, pan = rng.uniform(-12, 12), rng.uniform(0.9, 1.15), rng.uniform(-1.5, 1.5, 2)
    wide = cv2.resize(ground, (round(width * 1.25), round(height * 1.25)), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
    frames, masks = [], []
    for t in range(FRAMES):
        share = t / (FRAMES - 1)
        at = ends[0] * (1 - share) + ends[1] * share
        matrix = cv2.getRotationMatrix2D(tuple(middle), turn * share, 1 + (growth - 1) * share)
        matrix[:, 2] += at - middle
        cover = cv2.warpAffine(soft, matrix, (width, height))[..., None]
        thing = cv2.warpAffine(picture, matrix, (width, height)).astype(np.float32)
        left, top = (np.array([width, height]) * 0.12 + pan * t).clip(0)
        slide = np.array([[1, 0, -left], [0, 1, -top]])
        behind = cv2.warpAffine(wide, slide, (width, height)).astype(np.float32)
        frames.append(np.rint(behind * (1 - cover) + thing * cover).astype(np.uint8))
        masks.append(cover[..., 0] >= 0.5)
    return frames, masks


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "embedded"
    for which in (VALLEY, PLAYROOM):
        print("\n".join(shot(which, name)) + "\n", flush=True)
    shared = Path(os.environ.get("STYLEBRIDGE_SHARED", Path(__file__).parents[2] / "shared"))
    folder = shared / "data/photos/coco_permissive"
    if folder.is_dir():
        print("\n".join(composites(name, folder)), flush=True)


if __name__ == "__main__":
    main()
