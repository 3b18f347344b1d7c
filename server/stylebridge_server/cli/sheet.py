"""Contact sheets: source, instances and result side by side, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stylebridge.client import Analysis
from stylebridge_server.values import Instance, Rgb8

FRAMES = 12  # a dozen frames tell a shot
ACROSS = 2  # strips side by side
WIDTH = 320  # pixels of one picture
THUMBNAIL = 112  # and of a side of one instance's
GAP = 12
CAPTION = 26
PAPER, INK, FAINT = (24, 25, 28), (236, 236, 232), (150, 150, 150)


def chosen(first: int, last: int) -> list[int]:
    """The frames that a sheet shows: up to a dozen, evenly spaced, the first and the last among them."""
    count = min(FRAMES, last - first + 1)
    if count == 1:
        return [first]
    return [round(first + (last - first) * i / (count - 1)) for i in range(count)]


def shrunk(picture: Rgb8) -> Rgb8:
    """The picture at the width that a sheet shows."""
    height, width = picture.shape[:2]
    size = (WIDTH, max(1, round(WIDTH * height / width)))
    way = cv2.INTER_AREA if width > WIDTH else cv2.INTER_NEAREST
    return cv2.resize(picture, size, interpolation=way)


def overlay(
    picture: Rgb8, instances: Sequence[tuple[Instance, NDArray[np.uint8]]], opacity: float = 0.55
) -> Rgb8:
    """The picture with each instance in its colour, outlined, with its id and name.

    Args:
        picture: (H, W, 3) uint8.
        instances: each with its matte, (H, W) uint8, in any order; higher z is drawn on top.
        opacity: of the colours, in [0, 1].
    """
    drawn = picture.astype(np.float32)
    grey = drawn.mean(-1, keepdims=True)
    drawn = 0.35 * drawn + 0.65 * (40 + 0.6 * grey)
    line = max(1, picture.shape[0] // 180)
    ordered = sorted(instances, key=lambda pair: pair[0].z)
    for instance, matte in ordered:
        cover = matte[..., None].astype(np.float32) / 255
        tint = np.array(instance.colour, np.float32)
        drawn += cover * (opacity * tint + (1 - opacity) * picture - drawn)
        edges, _ = cv2.findContours((matte > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, edges, -1, instance.colour, line, cv2.LINE_AA)
    image = Image.fromarray(np.rint(drawn.clip(0, 255)).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    tall = max(10, picture.shape[0] // 20)
    font = ImageFont.load_default(tall)
    for instance, matte in ordered:
        rows, columns = np.nonzero(matte > 127)
        if len(rows):
            # In the middle of it, but whole within the picture.
            named = f"{instance.id}  {instance.name}"
            half = pen.textlength(named, font) / 2 + 3
            x = float(np.clip(columns.mean(), half, max(picture.shape[1] - half, half)))
            y = float(np.clip(rows.mean(), tall, max(picture.shape[0] - tall, tall)))
            pen.text((x, y), named, INK, font, "mm", stroke_width=2, stroke_fill=PAPER)
    return np.asarray(image)


def thumbnail(picture: Rgb8, matte: NDArray[np.uint8], colour: tuple[int, int, int]) -> Rgb8:
    """The part of a picture that an instance covers, in a square frame of its colour.

    Args:
        picture: (H, W, 3) uint8.
        matte: (H, W) uint8; where it is empty the whole picture is shown.
        colour: 8-bit RGB.
    """
    height, width = matte.shape
    x, y, w, h = cv2.boundingRect((matte > 127).astype(np.uint8))
    if not w:
        x, y, w, h = 0, 0, width, height
    reach = round(0.6 * max(w, h)) + 2
    middle_x, middle_y = x + w // 2, y + h // 2
    part = picture[max(middle_y - reach, 0) : middle_y + reach, max(middle_x - reach, 0) : middle_x + reach]
    side = THUMBNAIL - 4
    scale = side / max(part.shape[:2])
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    framed = np.empty((THUMBNAIL, THUMBNAIL, 3), np.uint8)
    framed[:] = colour
    framed[2:-2, 2:-2] = PAPER
    top, left = (THUMBNAIL - small.shape[0]) // 2, (THUMBNAIL - small.shape[1]) // 2
    framed[top : top + small.shape[0], left : left + small.shape[1]] = small
    return framed


class ContactSheet:
    """Collects strips of pictures, shrunk as they come, and writes them as one PNG.

    Args:
        title: one line at the top.
        columns: what each picture of a strip is, for the heading.

    Attributes:
        thumbnails: captions and pictures of THUMBNAIL pixels a side, for a row below the title.
    """

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self._title = title
        self._columns = list(columns)
        self.thumbnails: list[tuple[str, Rgb8]] = []
        self._strips: list[tuple[str, list[Rgb8]]] = []

    def add(self, caption: str, pictures: Sequence[Rgb8]) -> None:
        """Append a strip; pictures are (H, W, 3) uint8 of one size."""
        self._strips.append((caption, [shrunk(picture) for picture in pictures]))

    def save(self, path: Path) -> None:
        """Write the sheet."""
        across = min(ACROSS, len(self._strips))
        tall = max(strip[0].shape[0] for _, strip in self._strips) + CAPTION
        strip_width = len(self._columns) * (WIDTH + 4) - 4
        width = GAP + across * (strip_width + 2 * GAP) - GAP
        step = THUMBNAIL + 2 * GAP
        in_row = max(1, (width - GAP) // step)
        head = -(-len(self.thumbnails) // in_row) * (THUMBNAIL + CAPTION + GAP)
        top = 2 * GAP + 34 + head + CAPTION
        height = top + -(-len(self._strips) // across) * (tall + GAP)
        page = Image.new("RGB", (width, height), PAPER)
        pen = ImageDraw.Draw(page)
        pen.text((GAP, GAP), self._title, INK, ImageFont.load_default(24))
        small = ImageFont.load_default(15)
        for place, (caption, picture) in enumerate(self.thumbnails):
            x, y = GAP + place % in_row * step, 2 * GAP + 34 + place // in_row * (THUMBNAIL + CAPTION + GAP)
            page.paste(Image.fromarray(picture), (x, y))
            pen.text((x, y + THUMBNAIL + 3), caption, INK, small)
        for column in range(across):
            x = GAP + column * (strip_width + 2 * GAP)
            for i, name in enumerate(self._columns):
                pen.text((x + i * (WIDTH + 4), top - CAPTION + 2), name, FAINT, small)
        for place, (caption, pictures) in enumerate(self._strips):
            x = GAP + place % across * (strip_width + 2 * GAP)
            y = top + place // across * (tall + GAP)
            for i, picture in enumerate(pictures):
                page.paste(Image.fromarray(picture), (x + i * (WIDTH + 4), y))
            pen.text((x, y + pictures[0].shape[0] + 3), caption, FAINT, small)
        page.save(path)


def instances_of(analysis: Analysis) -> list[Instance]:
    """The instances of an analysis as the rooms know them."""
    return [Instance(**{**data, "colour": tuple(data["colour"])}) for data in analysis.instances]
