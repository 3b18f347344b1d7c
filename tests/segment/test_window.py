"""Windows: what they show of a picture, and how it is put back."""

from __future__ import annotations

import numpy as np
import pytest

from stylebridge_server.segment.window import SHAPES, Window, around, whole

SIZE = (180, 320)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    """A soft disc in a picture of `SIZE`, (h, w) float32 in [0, 1]."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    return np.asarray(np.clip(radius - np.hypot(columns - x, rows - y) + 0.5, 0, 1), np.float32)


def middle(values: np.ndarray) -> tuple[float, float]:
    y, x = np.nonzero(values > 0.5)
    return float(x.mean()), float(y.mean())


@pytest.mark.parametrize(
    "window",
    [
        Window(40, 30, 168, 158, 128, 128),  # pixel for pixel
        Window(80, 60, 144, 124, 128, 128),  # enlarged
        Window(-20, -40, 236, 216, 128, 128),  # reduced, and beyond the picture
        Window(60, 40, 236, 136, 96, 176),
    ],
)
def test_what_is_taken_lies_where_it_was_when_it_is_put_back(window: Window) -> None:
    given = disc(110, 90, 20)
    seen = window.take(given)
    assert seen.shape == (window.h, window.w) and seen.dtype == np.float32
    x, y = middle(seen)
    # Of pixels' middles, which is where half a pixel is lost if it is.
    assert (x + 0.5) / window.scale + window.x0 - 0.5 == pytest.approx(110, abs=0.3)
    assert (y + 0.5) / window.scale + window.y0 - 0.5 == pytest.approx(90, abs=0.3)
    back = window.put(seen, *SIZE, rest=-7)
    assert back.shape == SIZE
    assert middle(back) == pytest.approx((110, 90), abs=0.3)
    assert np.mean((back > 0.5) != (given > 0.5)) < 0.002
    beyond = np.ones(SIZE, bool)
    beyond[max(window.y0, 0) : window.y1, max(window.x0, 0) : window.x1] = False
    assert (back[beyond] == -7).all() and (back[~beyond] > -1).all()


def test_beyond_the_picture_its_border_is_repeated_and_said_to_be_beyond() -> None:
    window = Window(-32, 100, 96, 228, 128, 128)
    planes = np.dstack([np.full(SIZE, k, np.float32) for k in range(6)])
    planes[:, 0] += 10
    seen = window.take(planes)
    assert seen.shape == (128, 128, 6)
    np.testing.assert_array_equal(seen[5, 5], 10 + np.arange(6))
    within = window.within(*SIZE)
    assert within[:80, 32:].all() and not within[80:].any() and not within[:, :32].any()


def test_many_planes_are_resized_as_each_by_itself() -> None:
    planes = np.random.default_rng(3).random((*SIZE, 7), np.float32)
    window = Window(10, 20, 300, 310, 128, 128)
    seen = window.take(planes)
    for k in range(7):
        np.testing.assert_array_equal(seen[..., k], window.take(planes[..., k]))


@pytest.mark.parametrize("box", [(50, 40, 30, 30), (10, 60, 200, 40), (100, 5, 30, 160), (3, 3, 2, 2)])
def test_a_window_holds_its_box_and_margin_and_is_shaped_like_it(box: tuple[int, int, int, int]) -> None:
    x, y, w, h = box
    window = around(box, 10)
    assert window.x0 <= x - 9 and window.y0 <= y - 9
    assert window.x1 >= x + w + 9 and window.y1 >= y + h + 9
    assert (window.h, window.w) in SHAPES and window.scale <= 2.01
    across = (window.y1 - window.y0) / window.h * window.scale
    assert across == pytest.approx(1, abs=0.03), "no pixel is stretched"
    assert (window.w > window.h) == (w > 1.5 * h) and (window.h > window.w) == (h > 1.5 * w)


def test_the_whole_picture_is_seen() -> None:
    for size in (SIZE, (90, 90), (300, 100)):
        window = whole(*size)
        seen = window.put(np.ones((window.h, window.w), np.float32), *size, rest=0)
        assert (seen > 0.99).all()
