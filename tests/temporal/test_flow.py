"""Optical flow and how far it can be believed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stylebridge_server.temporal import flow_pair, occlusion
from stylebridge_server.temporal.flow import validity


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture with detail at every size: (h, w, 3) float32 in [0, 1]."""
    generator = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for sigma in (1.5, 4.0, 12.0):
        noise = generator.standard_normal((height, width, 3)).astype(np.float32)
        picture += sigma * cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.asarray(cv2.normalize(picture, None, 0.05, 0.95, cv2.NORM_MINMAX))


def test_identical_pictures_stand_still() -> None:
    picture = texture(90, 120)
    pair = flow_pair(picture, picture)
    for field in (pair.forward, pair.backward):
        assert field.dtype == np.float32 and field.shape == (90, 120, 2)
        assert not field.any()
    assert (pair.forward_valid == 1).all() and (pair.backward_valid == 1).all()


def test_translation_is_found_both_ways() -> None:
    whole = texture(140, 200)
    a, b = whole[10:130, 10:190], whole[13:133, 5:185]  # the content of a lies 5 right and 3 up in b
    pair = flow_pair(a, b)
    middle = (slice(20, -20), slice(20, -20))
    assert np.abs(pair.forward[middle] - (5, -3)).mean() < 0.1
    assert np.abs(pair.backward[middle] - (-5, 3)).mean() < 0.1
    assert pair.forward_valid[middle].mean() > 0.95
    # What leaves the picture is not valid.
    assert pair.forward_valid[:, -4:].mean() < 0.3


def test_uint8_and_float_agree() -> None:
    a = np.rint(texture(64, 80) * 255).astype(np.uint8)
    b = np.roll(a, 2, axis=1)
    eight, floating = flow_pair(a, b), flow_pair(a.astype(np.float32) / 255, b.astype(np.float32) / 255)
    assert np.abs(eight.forward - floating.forward).mean() < 0.1


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (1, 400), (15, 300), (16, 16), (16, 700), (300, 17)])
def test_any_size(size: tuple[int, int]) -> None:
    a, b = texture(*size, seed=1), texture(*size, seed=2)
    pair = flow_pair(a, b)
    assert pair.forward.shape == (*size, 2) and pair.forward_valid.shape == size
    assert np.isfinite(pair.forward).all() and np.isfinite(pair.forward_valid).all()


def test_pixels_that_are_no_numbers_do_no_harm() -> None:
    a = texture(40, 40)
    a[3, 4] = (np.nan, np.inf, -np.inf)
    pair = flow_pair(a, a)
    assert np.isfinite(pair.forward).all() and np.isfinite(pair.forward_valid).all()


def test_validity_is_soft_and_falls_where_the_way_back_disagrees() -> None:
    flow = np.zeros((40, 40, 2), np.float32)
    values = []
    for miss in (0.0, 0.35, 0.71, 1.4, 4.0):  # the threshold of Ruder et al. for small flow is sqrt(0.5)
        back = np.full((40, 40, 2), (miss, 0.0), np.float32)
        values.append(float(validity(flow, back)[20, 20]))
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0 and values[2] == pytest.approx(0.5, abs=0.02) and values[-1] < 0.01


def test_same_bytes_every_time() -> None:
    a, b = texture(60, 90, 3), texture(60, 90, 4)
    first, again = flow_pair(a, b), flow_pair(a, b)
    assert first.forward.tobytes() == again.forward.tobytes()
    assert first.backward_valid.tobytes() == again.backward_valid.tobytes()
    swapped = flow_pair(b, a)
    assert swapped.forward.tobytes() == first.backward.tobytes()


def test_rubber_whale(shared: Path) -> None:
    folder = shared / "data" / "annotated" / "middlebury_rubberwhale"
    pictures = [cv2.imread(str(path))[..., ::-1].copy() for path in sorted(folder.glob("*.png"))]
    raw = next(folder.glob("*.flo")).read_bytes()
    width, height = np.frombuffer(raw, "<i4", 2, offset=4)
    truth = np.frombuffer(raw, "<f4", offset=12).reshape(height, width, 2)
    known = np.abs(truth).max(axis=2) < 1e8
    pair = flow_pair(pictures[0], pictures[1])
    error = np.linalg.norm(pair.forward - truth, axis=2)[known]
    assert error.mean() < 0.35
    # What validity believes is better than what it does not.
    valid = pair.forward_valid[known]
    assert np.average(error, weights=valid) < 0.7 * np.average(error, weights=1 - valid)


def test_occlusion_minds_what_is_hidden_and_not_the_edges_of_motion() -> None:
    """A square slides over a still ground: what it covers is gone, its own rim is not."""
    ground, thing = texture(120, 160), texture(40, 40, seed=3)
    pictures = []
    for x in (40, 48):
        picture = ground.copy()
        picture[40:80, x : x + 40] = thing
        pictures.append(picture)
    seen = flow_pair(*pictures, test=occlusion).forward_valid
    assert seen[44:76, 44:76].mean() > 0.95  # the thing
    assert seen[10:30].mean() > 0.95  # the ground far away
    assert seen[44:76, 82:86].mean() < 0.5  # the ground that the thing is about to cover
    strict = flow_pair(*pictures).forward_valid
    assert strict[44:76, 40:80].mean() < seen[44:76, 40:80].mean()
