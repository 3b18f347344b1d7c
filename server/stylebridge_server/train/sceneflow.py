"""SceneFlow (Mayer et al. 2016): rendered pairs of frames with exact optical flow. FlyingThings3D, Monkaa and Driving,
and the FlyingThings3D subset with its masks of what is hidden.

    frames_cleanpass/**/left/0006.png                              or  image_clean/left/0000006.png
    optical_flow/**/into_past/left/OpticalFlowIntoPast_0007_L.pfm  or  flow/left/into_past/0000007.flo (or .pfm)
    flow_occlusions/left/into_past/0000007.png                     white where the frame before does not show it

Where no mask lies beside the flow, Ruder's test of the two flows, there and back, makes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import temporal

from .pictures import load
from .sources import FramePair, PairSource

Field = NDArray[np.float32]

_PASSES = ("frames_cleanpass", "frames_finalpass", "image_clean", "image_final")
_LARGEST = 1 << 26  # numbers in a flow: 8K has a third of this
_FLO = 202021.25  # the number that a .flo file begins with


def read_pfm(path: Path) -> Field:
    """A portable float map, top row first: (H, W, 3) or (H, W) float32.

    Raises:
        StylebridgeError: NOT_READABLE.
    """
    data = _bytes(path)
    found = re.match(rb"(PF|Pf)\s+(\d{1,6})\s+(\d{1,6})\s+(-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)[ \t\r]*\n", data)
    if not found:
        raise _damaged(path, "a PFM file")
    kind, width, height = found[1], int(found[2]), int(found[3])
    channels = 3 if kind == b"PF" else 1
    count = width * height * channels
    if not 0 < count <= _LARGEST or len(data) - found.end() < 4 * count:
        raise _damaged(path, "a whole PFM file")
    values = np.frombuffer(data, "<f4" if float(found[4]) < 0 else ">f4", count, found.end()).astype(
        np.float32
    )
    rows = values.reshape((height, width, channels) if channels == 3 else (height, width))
    return np.ascontiguousarray(rows[::-1])  # the file has the bottom row first


def read_flo(path: Path) -> Field:
    """A Middlebury flow file: (H, W, 2) float32; raises as `read_pfm` does."""
    data = _bytes(path)
    if len(data) < 12 or np.frombuffer(data, "<f4", 1)[0] != np.float32(_FLO):
        raise _damaged(path, "a .flo file")
    width, height = (int(n) for n in np.frombuffer(data, "<i4", 2, 4))
    if min(width, height) < 1 or not width * height * 2 <= _LARGEST or len(data) - 12 < 8 * width * height:
        raise _damaged(path, "a whole .flo file")
    return np.frombuffer(data, "<f4", 2 * width * height, 12).reshape(height, width, 2).copy()


def read_flow(path: Path) -> Field:
    """The flow in a .pfm or .flo file: (H, W, 2) float32 pixels (x, y)."""
    flow = read_flo(path) if path.suffix == ".flo" else read_pfm(path)
    if flow.ndim != 3:
        raise _damaged(path, "a flow: it has one channel")
    return np.ascontiguousarray(flow[..., :2])


class SceneFlow(PairSource):
    """The pairs under a folder of one of the data sets, or of all of them."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self._pairs = sorted(_pairs(root))
        if not self._pairs:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f"{root} has no SceneFlow pairs: name the folder above frames_cleanpass and optical_flow, or above "
                "image_clean and flow.",
            )

    @property
    def count(self) -> int:
        return len(self._pairs)

    def pair(self, number: int) -> FramePair:
        earlier_path, later_path, past_path = self._pairs[number]
        later, earlier, flow = load(later_path), load(earlier_path), read_flow(past_path)
        if flow.shape[:2] != later.shape[:2] or earlier.shape != later.shape:
            raise StylebridgeError(
                Code.NOT_READABLE, f"{past_path} is not the flow of {later_path}: their sizes differ."
            )
        return FramePair(earlier, later, flow, _mask(past_path, flow))


def _pairs(root: Path) -> Iterator[tuple[Path, Path, Path]]:
    """(earlier frame, later frame, flow from later to earlier)."""
    for name in _PASSES:
        for folder in sorted([root, *root.rglob("*")] if root.name == name else root.rglob(name)):
            if folder.name != name or not folder.is_dir():
                continue
            for later in sorted(folder.rglob("*.png")):
                if not later.stem.isdigit():
                    continue
                earlier = later.with_name(f"{int(later.stem) - 1:0{len(later.stem)}d}.png")
                flow = _flow_of(folder, later) if earlier.is_file() else None
                if flow:
                    yield earlier, later, flow


def _flow_of(folder: Path, picture: Path) -> Path | None:
    """The flow into the past of a picture below `folder`."""
    inner = picture.relative_to(folder).parent  # .../left
    side = inner.name
    letter = {"left": "L", "right": "R"}.get(side, "L")
    whole = folder.parent / "optical_flow" / inner.parent / "into_past" / side
    part = folder.parent / "flow" / inner / "into_past"
    for path in (
        whole / f"OpticalFlowIntoPast_{picture.stem}_{letter}.pfm",
        part / f"{picture.stem}.flo",
        part / f"{picture.stem}.pfm",
    ):
        if path.is_file():
            return path
    return None


def _mask(past: Path, flow: Field) -> NDArray[np.float32]:
    """1 where the frame before shows what the flow says, 0 where it is hidden there."""
    parts = list(past.parts)
    if "flow" in parts:
        at = len(parts) - 1 - parts[::-1].index("flow")
        path = Path(*parts[:at], "flow_occlusions", *parts[at + 1 :]).with_suffix(".png")
        if path.is_file():
            hidden = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
            if hidden is None or hidden.shape != flow.shape[:2]:
                raise _damaged(path, "a mask of this flow's size")
            return 1.0 - hidden.astype(np.float32) / np.float32(255)
    # The flow from the earlier frame to this one: its number is one less.
    digits = re.search(r"\d+", past.name)
    assert digits  # `_pairs` found it by its number
    number = f"{int(digits[0]) - 1:0{len(digits[0])}d}"
    name = past.name.replace(digits[0], number, 1).replace("IntoPast", "IntoFuture")
    future = Path(*("into_future" if part == "into_past" else part for part in past.parts[:-1]), name)
    if not future.is_file():
        return temporal.inside_picture(flow)
    return temporal.occlusion(flow, read_flow(future))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_READABLE, f"{path} cannot be read: {error.strerror or type(error).__name__}."
        ) from None


def _damaged(path: Path, what: str) -> StylebridgeError:
    return StylebridgeError(Code.NOT_READABLE, f"{path} is not {what}: remove it or fetch it again.")
