"""Soft mattes: close to the truth where the label is a little off, steady where it trembles, cheap to keep."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from stylebridge_server.segment import edges
from stylebridge_server.segment.follow import working_size

FRAMES = 3


def blob(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of a ragged thing before a busy ground, grain in it, its exact cover, and a label that is a bit off."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width] / np.float32(height)
    ragged = 0.05 * np.sin(9 * np.arctan2(rows - 0.5, columns - 0.8))
    cover = np.clip((0.32 + ragged - np.hypot(rows - 0.5, columns - 0.8)) * height / 5 + 0.5, 0, 1).astype(
        np.float32
    )
    ground = 60 + 50 * np.sin(40 * columns)[..., None] * np.array([1, 0.6, 0.3])
    thing = np.array([200, 150, 60]) + 15 * np.sin(60 * rows)[..., None]
    picture = (
        thing * cover[..., None] + ground * (1 - cover[..., None]) + random.normal(0, 3, (height, width, 3))
    )
    h, w = working_size(height, width)
    small = cv2.resize(cover, (w, h), interpolation=cv2.INTER_AREA)
    off = cv2.GaussianBlur(random.normal(0, 1, (h, w)).astype(np.float32), (0, 0), 4)
    label = (cv2.GaussianBlur(small, (0, 0), 1.5) + 0.15 * np.clip(off / off.std(), -2, 2) > 0.5).astype(
        np.float32
    )
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), cover, label


@pytest.mark.parametrize(("size", "wrong", "shaken"), [((200, 320), 0.6, 0.75), ((720, 1152), 0.47, 0.45)])
def test_the_picture_corrects_the_label_and_holds_the_edge_still(
    size: tuple[int, int], wrong: float, shaken: float
) -> None:
    """As parts of the label's own error, and of how much it trembles."""
    made, labels, errors = [], [], []
    for seed in range(FRAMES):
        picture, cover, label = blob(*size, seed)
        made.append(edges.matte(picture, label).astype(np.float32) / 255)
        labels.append(cv2.resize(label, size[::-1], interpolation=cv2.INTER_LINEAR))
        band = cv2.dilate(((cover > 0) & (cover < 1)).astype(np.uint8), np.ones((9, 9))) > 0
        errors.append([np.abs(one - cover)[band].mean() for one in (made[-1], labels[-1])])
        far = cv2.dilate(band.astype(np.uint8), np.ones((31, 31)), iterations=2) == 0
        assert np.array_equal(made[-1][far], cover[far]), "what is far from the edge is not touched"
    ours, theirs = np.mean(errors, axis=0)
    assert ours < wrong * theirs
    tremble = [
        np.mean([np.abs(b - a)[band].mean() for a, b in itertools.pairwise(them)]) for them in (made, labels)
    ]
    assert tremble[0] < shaken * tremble[1]


def test_values_are_few_and_reach_both_ends() -> None:
    picture, _, label = blob(200, 320, 0)
    values = np.unique(edges.matte(picture, label))
    assert (
        set(values.tolist()) <= set(range(0, 256, 5))
        and {0, 255} <= set(values.tolist())
        and len(values) > 20
    )


def test_where_nothing_or_everything_is_labelled() -> None:
    picture, _, label = blob(200, 320, 0)
    assert not edges.matte(picture, np.zeros_like(label)).any()
    assert not edges.matte(picture, np.full_like(label, 0.4)).any()
    assert (edges.matte(picture, np.ones_like(label)) == 255).all()
