"""How good soft mattes are, and what they cost to make and to keep: `python -m benchmarks.mattes [HEIGHT ...]`.

Things cut from photographs along COCO's polygons, with edges as soft as a lens makes them, moved over other photographs
by parts of a pixel, with grain; from labels at working size that are off by a pixel here and there. Needs
$STYLEBRIDGE_SHARED with photographs that have polygons.

    error    mean difference from the exact cover in the band around the edge
    tremble  mean change from frame to frame in that band, along the thing's motion
    made     one matte, with all of its box
    frame    reading the mattes of a frame with five of them back from an analysis
    kept     an analysis of 300 frames with five such things
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import median_ms
from stylebridge_server.segment import edges
from stylebridge_server.segment.follow import working_size
from stylebridge_server.shot.analysis import CONTENTS, MATTES, AnalysisStore
from stylebridge_server.values import Instance, Plane, Rgb8

THINGS, TOGETHER, FRAMES, KEPT = 10, 5, 4, 300
STEP = (1.37, -0.73)  # pixels a frame, at a height of 720
SOFT, GRAIN = (
    1.3,
    2.0,
)  # standard deviations: of the edge in pixels at that height, of the grain in code values
OFF = 0.8  # of the label's edge, in working pixels


def cut_outs(folder: Path) -> Iterator[tuple[Rgb8, NDArray[np.float64]]]:
    """Photographs with the polygon of one thing of some size in each, in parts of the picture."""
    for path in sorted((folder / "instances").glob("*.txt")):
        picture = cv2.imread(str(folder / "images" / f"{path.stem}.jpg"))
        for line in path.read_text().splitlines():
            numbers = np.array(line.split()[1:], float)
            if picture is None or len(numbers) < 30:
                continue
            polygon = numbers.reshape(-1, 2)
            wide, tall = np.ptp(polygon, axis=0)
            if 0.25 < wide < 0.7 and 0.25 < tall < 0.8:
                yield np.ascontiguousarray(picture[..., ::-1]), polygon
                break


def moved(
    photograph: Rgb8, polygon: NDArray[np.float64], ground: Rgb8, height: int, noise: np.random.Generator
) -> Iterator[tuple[Rgb8, Plane, NDArray[np.float32]]]:
    """Frames with the thing over the ground, its exact cover, and where it has gone, as an affine matrix."""
    width = height * 16 // 9
    twice = np.zeros((2 * height, 2 * width), np.uint8)
    cv2.fillPoly(twice, [np.rint(polygon * [2 * width, 2 * height]).astype(np.int32)], 255)
    twice = cv2.erode(twice, np.ones((5, 5), np.uint8))  # none of the photograph's own ground
    soft = cv2.GaussianBlur(twice, (0, 0), 2 * SOFT * height / 720)
    cover = cv2.resize(soft, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    thing, behind = (cv2.resize(one, (width, height)).astype(np.float32) for one in (photograph, ground))
    for number in range(FRAMES):
        step = [pixels * number * height / 720 for pixels in STEP]
        way = np.array([[1, 0, step[0]], [0, 1, step[1]]], np.float32)
        here = cv2.warpAffine(cover, way, (width, height))
        over = cv2.warpAffine(thing, way, (width, height), borderMode=cv2.BORDER_REFLECT)
        seen = over * here[..., None] + behind * (1 - here[..., None]) + noise.normal(0, GRAIN, over.shape)
        yield np.clip(np.rint(seen), 0, 255).astype(np.uint8), here, way


def label_of(cover: Plane, noise: np.random.Generator) -> Plane:
    """A label at working size whose edge is off here and there."""
    h, w = working_size(*cover.shape)
    hard = (cv2.resize(cover, (w, h), interpolation=cv2.INTER_AREA) > 0.5).astype(np.uint8)
    off = cv2.GaussianBlur(noise.normal(0, 1, (h, w)).astype(np.float32), (0, 0), 3)
    inside, outside = (cv2.distanceTransform(one, cv2.DIST_L2, 3) for one in (hard, 1 - hard))
    return (inside - outside + OFF * off / off.std() > 0).astype(np.float32)


def measured(folder: Path, height: int) -> str:
    """The row of one height."""
    noise = np.random.default_rng(1)
    material = list(cut_outs(folder))[: 2 * THINGS]
    errors, changes, times, mattes, shares = [], [], [], [], []
    for (photograph, polygon), (ground, _) in zip(material[:THINGS], material[THINGS:], strict=True):
        before: Plane | None = None
        band = np.zeros(0, bool)
        for frame, cover, way in moved(photograph, polygon, ground, height, noise):
            label = label_of(cover, noise)
            matte = edges.matte(frame, label)
            mattes.append(matte)
            edge = (
                cv2.dilate(((cover > 0.02) & (cover < 0.98)).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
            )
            errors.append(float(np.abs(matte / np.float32(255) - cover)[edge].mean()))
            shares.append(float((cover > 0.5).mean()))
            home = cv2.warpAffine(
                matte.astype(np.float32) / 255,
                way,
                cover.shape[::-1],
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            )
            if before is None:
                band = edge
                times.append(median_ms(lambda frame=frame, label=label: edges.matte(frame, label), 3))  # type: ignore[misc]
            else:
                changes.append(float(np.abs(home - before)[band].mean()))
            before = home
    size, back = _kept(mattes, height)
    return (
        f"| {mattes[0].shape[1]}x{height} | {np.mean(shares):.1%} | {np.mean(errors):.2%} | {np.mean(changes):.2%} | "
        f"{np.mean(times):.0f} ms | {back:.1f} ms | {size / 1e6:.1f} MB |"
    )


def _kept(mattes: list[NDArray[np.uint8]], height: int) -> tuple[float, float]:
    """Bytes of an analysis of `KEPT` frames with `TOGETHER` instances, and milliseconds to read those of a frame."""
    frames = len(mattes) // TOGETHER
    ids = range(1, TOGETHER + 1)
    with tempfile.TemporaryDirectory() as folder:
        builder = AnalysisStore(Path(folder), 1 << 40).builder(mattes[0].shape[1], height)
        for number in range(frames):
            for one in ids:
                builder.put(one, number, mattes[number * TOGETHER + one - 1])
        said = [Instance(one, f"thing:{one}", None, (0, 0, 0), one, 0, frames - 1, 0.1) for one in ids]
        made = builder.finish(
            "inputs", first=0, last=frames - 1, cuts=[], instances=said, segmenter="embedded", made_with={}
        )
        size = sum((made.folder / name).stat().st_size for name in (CONTENTS, MATTES)) * KEPT / frames
        back = [
            median_ms(lambda number=number: [made.matte(one, number) for one in ids])  # type: ignore[misc]
            for number in range(frames)
        ]
    return size, float(np.mean(back))


def main() -> None:
    shared = os.environ.get("STYLEBRIDGE_SHARED")
    if not shared:
        raise SystemExit("Set STYLEBRIDGE_SHARED to the folder that holds photographs with polygons.")
    print("| size | a thing covers | error | tremble | made | frame | kept |\n|---|---|---|---|---|---|---|")
    for height in [int(word) for word in sys.argv[1:]] or [360, 720, 1080]:
        print(measured(Path(shared) / "data/photos/coco_permissive", height), flush=True)


if __name__ == "__main__":
    main()
