"""What two neighbouring frames say of the later one before any instance is known: shared by all that are followed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.colours import Lab, to_lab
from stylebridge_server.segment.interface import Flow
from stylebridge_server.segment.motion import Field, camera, pull, still
from stylebridge_server.segment.planes import plane, square
from stylebridge_server.values import Plane, Rgb8

SMALLEST_FLOW = 16  # pictures with a shorter side than this are taken to stand still
LAB, EXPECTED, DIFFERENCE, VALID, MOTION, MOVED = slice(0, 3), slice(3, 6), 6, 7, slice(8, 10), slice(10, 12)


@dataclass(frozen=True)
class Look:
    """One frame: its colours (h, w, 3), and at half the size, where the plate is kept."""

    lab: Lab
    half: Lab

    @staticmethod
    def of(rgb: Rgb8) -> Look:
        lab = to_lab(rgb)
        return Look(lab, halved(lab))


@dataclass(frozen=True)
class Pair:
    """A frame and its neighbour of which everything is known; a pure function of both pictures.

    Attributes:
        here: the frame.
        field: (h, w, 2) flow from it to the neighbour.
        scene: (h, w, 2) the same of the scene, less what moves by itself; at half the size, and in its pixels.
        planes: (h, w, 12) by `LAB` (the frame), `EXPECTED` (the neighbour moved along the flow), `DIFFERENCE` (between
            both), `VALID` (trust in the flow), `MOTION` (the flow less the scene's), `MOVED` (the flow).
    """

    here: Look
    field: Field
    scene: Field
    planes: NDArray[np.float32]

    @staticmethod
    def of(before: Rgb8, known: Look, rgb: Rgb8, flow: Flow) -> Pair:
        """Of a frame's neighbour, as picture and as look, and the frame: (h, w, 3) uint8 each."""
        here = Look.of(rgb)
        h, w = rgb.shape[:2]
        both = still(h, w) if min(h, w) < SMALLEST_FLOW else flow(before, rgb)
        field = both.backward
        scene = camera(field, both.backward_valid, np.zeros((h, w), np.float32))
        expected = pull(known.lab, field)
        difference = np.sqrt(square(here.lab - expected))
        planes = np.dstack([here.lab, expected, difference, both.backward_valid, field - scene, field])
        return Pair(here, field, halved(scene) * np.float32(0.5), plane(planes))


def halved(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """At half the size, (ceil(h / 2), ceil(w / 2)[, n])."""
    h, w = planes.shape[:2]
    size = ((w + 1) // 2, (h + 1) // 2)
    return np.asarray(cv2.resize(planes, size, interpolation=cv2.INTER_AREA), np.float32)


def doubled(values: Plane, h: int, w: int) -> Plane:
    """At (h, w) again."""
    return plane(cv2.resize(values, (w, h), interpolation=cv2.INTER_LINEAR))
