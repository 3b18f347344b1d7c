"""Mattes as COCO's JSON: hard masks in run lengths, one annotation for each instance and frame.

Written are "images" with the number of their "frame", "categories" from the labels, and "annotations" with the
instance's "track_id" and "name". Read are these, and files of others: the frame is then the last number in the image's
"file_name", or its "id"; what has no "name" is called by its category, and "person:2" is the second "track_id" of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import nearest
from stylebridge_server.media.files import readable_file, whole_or_nothing, writable_place
from stylebridge_server.media.limits import check_size
from stylebridge_server.media.matte import Part
from stylebridge_server.media.rle import decoded, encoded
from stylebridge_server.steps import step
from stylebridge_server.values import Instance

LARGEST = 512 << 20  # bytes of a file: some ten thousand frames of a hundred instances
_LISTED = 40
_DIGITS = re.compile(r"\d+")


class CocoWriter:
    """Collects annotations and writes the file; memory grows with their run lengths alone.

    Args:
        instances: of the analysis.
        size: (height, width) of the mattes.
        stem: of the names of the images.
    """

    def __init__(self, instances: Iterable[Instance], size: tuple[int, int], stem: str) -> None:
        self._tracks = {one.id: one for one in instances}
        self._size, self._stem = size, stem
        labels = dict.fromkeys(one.label or "thing" for one in self._tracks.values())
        self._categories = {label: number + 1 for number, label in enumerate(labels)}
        self._images: dict[int, dict[str, Any]] = {}
        self._annotations: list[dict[str, Any]] = []

    def add(self, instance: int, number: int, matte: NDArray[np.uint8]) -> None:
        """Take an (H, W) uint8 matte; covered is where it is at least 128."""
        height, width = self._size
        if number not in self._images:
            self._images[number] = {
                "id": len(self._images) + 1,
                "file_name": f"{self._stem}.{number:04d}",
                "frame": number,
                "height": height,
                "width": width,
            }
        mask = matte >= 128
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            return
        x, y = int(columns[0]), int(rows[0])
        track = self._tracks[instance]
        self._annotations.append(
            {
                "id": len(self._annotations) + 1,
                "image_id": self._images[number]["id"],
                "category_id": self._categories[track.label or "thing"],
                "track_id": instance,
                "name": track.name,
                "iscrowd": 0,
                "area": int(mask.sum()),
                "bbox": [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y],
                "segmentation": {"size": [height, width], "counts": encoded(mask)},
            }
        )

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; StylebridgeError NOT_WRITABLE."""
        content = {
            "info": {"description": "Instances found by Stylebridge"},
            "images": [self._images[number] for number in sorted(self._images)],
            "categories": [{"id": number, "name": label} for label, number in self._categories.items()],
            "annotations": self._annotations,
        }
        with whole_or_nothing(writable_place(path)) as part:
            part.write_text(json.dumps(content, separators=(",", ":")), "utf-8")


class CocoFile:
    """The masks of a file.

    Args:
        path: the file.
        says: what sentences call it.

    Raises:
        StylebridgeError: NOT_FOUND, NOT_READABLE, TOO_LARGE.
    """

    def __init__(self, path: Path, says: str | None = None) -> None:
        self._says = says or str(path)
        readable_file(path)
        if path.stat().st_size > LARGEST:
            raise StylebridgeError(
                Code.TOO_LARGE,
                f"{self._says} is larger than the {LARGEST >> 20} MB that a list of masks may be.",
            )
        try:
            content = json.loads(path.read_bytes())
            images = {one["id"]: one for one in content["images"]}
            self._by_name = _named(content["annotations"], images, content.get("categories", []))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{self._says} is no list of masks as COCO has them: it needs images, annotations and categories.",
            ) from None

    @property
    def names(self) -> list[str]:
        """What can be asked for: names of instances, and categories."""
        return list(self._by_name)

    def find(self, name: str) -> None:
        """Refuses a name that is not there; StylebridgeError BAD_VALUE, listing what there is."""
        if name not in self._by_name:
            near = nearest(name, self._by_name)
            meant = f"did you mean {near!r}? It has" if near else "it has"
            there = ", ".join(self.names[:_LISTED]) or "no masks at all"
            raise StylebridgeError(Code.BAD_VALUE, f"{self._says} has no {name!r}; {meant} {there}.")

    def part(self, name: str, number: int) -> Part | None:
        """The matte of a name on a frame; None where it is not seen.

        Raises:
            StylebridgeError: NOT_READABLE for run lengths that are none.
        """
        step()
        masks = self._by_name[name].get(number)
        if not masks:
            return None
        try:
            planes = [self._mask(one) for one in masks]
            whole = np.logical_or.reduce(planes)
        except (ValueError, KeyError, TypeError, IndexError):
            raise StylebridgeError(
                Code.NOT_READABLE,
                f"{self._says} is damaged: the mask of {name!r} on frame {number} cannot be read.",
            ) from None
        box = (0, 0, whole.shape[1], whole.shape[0])
        return Part(whole.astype(np.float32), box, box)

    def _mask(self, said: Any) -> NDArray[np.bool_]:
        height, width = (int(side) for side in said["size"])
        check_size(self._says, width, height)
        return decoded(said["counts"], (height, width))


Masks = dict[str, dict[int, list[Any]]]  # name -> frame -> segmentations


def _named(
    annotations: list[dict[str, Any]], images: Mapping[Any, dict[str, Any]], categories: list[dict[str, Any]]
) -> Masks:
    labels = {one["id"]: str(one["name"]) for one in categories}
    out: Masks = {}
    tracks: dict[str, list[Any]] = {}
    for one in annotations:
        label = labels.get(one.get("category_id"), "thing")
        names = [label]
        track = one.get("track_id", one.get("instance_id"))
        if "name" in one:
            names.append(str(one["name"]))
        elif track is not None:
            known = tracks.setdefault(label, [])
            if track not in known:
                known.append(track)
            names.append(f"{label}:{known.index(track) + 1}")
        number = _frame(images[one["image_id"]])
        for name in dict.fromkeys(names):
            out.setdefault(name, {}).setdefault(number, []).append(one["segmentation"])
    return out


def _frame(image: Mapping[str, Any]) -> int:
    if "frame" in image:
        return int(image["frame"])
    digits = _DIGITS.findall(Path(str(image.get("file_name", ""))).stem)
    return int(digits[-1]) if digits else int(image["id"])
