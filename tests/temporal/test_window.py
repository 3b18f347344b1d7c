"""The bounded window: identity, exactness, occlusion, tiles."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylebridge_server.temporal import Link, Taps, blend, fade, flow_pair, halved_pair, shown
from stylebridge_server.temporal import taps as taps_at
from stylebridge_server.values import FlowPair, Tile

HEIGHT, WIDTH = 96, 128
WHOLE = Tile(0, 0, WIDTH, HEIGHT)


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for sigma in (1.5, 4.0, 12.0):
        noise = generator.standard_normal((height, width, 3)).astype(np.float32)
        picture += sigma * cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.asarray(cv2.normalize(picture, None, 0.05, 0.95, cv2.NORM_MINMAX))


def exact_pair(forward: np.ndarray, valid: np.ndarray | None = None) -> FlowPair:
    """A pair with a given flow; what the window does not read is made up."""
    ones = np.ones(forward.shape[:2], np.float32)
    return FlowPair(forward, -forward, ones if valid is None else valid, ones)


def panning(count: int, step: tuple[int, int]) -> tuple[list[np.ndarray], list[FlowPair]]:
    """Frames t, t-1, ... of a pan over a still texture, newest first, and the exact flow between them."""
    world = texture(HEIGHT + 40 + count * abs(step[1]), WIDTH + 40 + count * abs(step[0]), 5)
    images = []
    for j in range(count):
        y, x = 20 + j * step[1], 20 + j * step[0]
        images.append(np.ascontiguousarray(world[y : y + HEIGHT, x : x + WIDTH]))
    flow = np.broadcast_to(np.array((-step[0], -step[1]), np.float32), (HEIGHT, WIDTH, 2)).copy()
    return images, [exact_pair(flow) for _ in range(count - 1)]


def boiling(count: int, seed: int = 7) -> list[np.ndarray]:
    """Strokes, some pixels wide, that are others in every frame."""
    generator = np.random.default_rng(seed)
    frames = [generator.random((HEIGHT, WIDTH, 3), dtype=np.float32) for _ in range(count)]
    return [np.clip(0.5 + 6 * (cv2.GaussianBlur(one, (0, 0), 2) - 0.5), 0, 1) for one in frames]


def side(images: list[np.ndarray], pairs: list[FlowPair]) -> list[Link]:
    """Pictures one after another on one side, with weights that fall in a line."""
    weights = fade(range(1, len(images) + 1), len(images) + 1)
    return [
        Link(halved_pair(pair), shown(image), weight)
        for image, pair, weight in zip(images, pairs, weights, strict=True)
    ]


def taps(image: np.ndarray, *sides: list[Link], amount: float = 1.0) -> Taps:
    """Of a picture of the whole size."""
    return taps_at(shown(image), image.shape[:2], *sides, amount=amount)


def followed(images: list[np.ndarray], pairs: list[FlowPair], amount: float = 1.0) -> Taps:
    """Taps of the first picture, the others all on one side of it."""
    return taps(images[0], side(images[1:], pairs), amount=amount)


def test_window_of_one_is_the_frame_itself() -> None:
    images, styled = [texture(HEIGHT, WIDTH)], boiling(1)
    assert blend(followed(images, []), WHOLE, styled).tobytes() == styled[0].tobytes()


def test_amount_zero_is_the_frame_itself() -> None:
    images, pairs = panning(4, (2, 1))
    styled = boiling(4)
    assert blend(followed(images, pairs, amount=0.0), WHOLE, styled).tobytes() == styled[0].tobytes()
    assert blend(followed(images, pairs), WHOLE, styled).tobytes() != styled[0].tobytes()


def test_exact_flow_finds_the_frame_again() -> None:
    """Over whole pixels every tap reads the very same colours, so the mean is the frame itself."""
    images, pairs = panning(8, (3, 2))
    found = followed(images, pairs)
    assert [float(weight[40, 40]) > 0.1 for weight in found.weights] == [True] * 8
    error = np.abs(blend(found, WHOLE, images) - images[0])
    assert error[30:-30, 30:-30].max() < 1e-5
    # Along the rim the way leads out of the picture, for part of the four pixels that are followed together.
    assert error.max() < 0.03


def test_boiling_is_averaged_where_the_flow_is_exact() -> None:
    images, pairs = panning(8, (1, 0))
    noise = boiling(8)
    middle = (slice(20, -20), slice(30, -30))
    steady = blend(followed(images, pairs), WHOLE, noise)[middle]
    assert steady.std() < 0.45 * noise[0][middle].std()  # 1/sqrt(8) is .35


def test_repeated_frames_average_without_resampling() -> None:
    picture = texture(HEIGHT, WIDTH)
    pair = flow_pair(picture, picture)
    styled = boiling(3)
    found = followed([picture] * 3, [pair, pair])
    weights = [float(weight[0, 0]) for weight in found.weights]
    expected = sum(w * s for w, s in zip(weights, styled, strict=True)) / sum(weights)
    # But for the finest detail, which is given back.
    coarse = [cv2.GaussianBlur(one, (0, 0), 3) for one in (blend(found, WHOLE, styled), expected)]
    assert np.abs(coarse[0] - coarse[1]).max() < 0.008
    assert expected.std() < 0.9 * styled[0].std()


def test_uncovered_background_does_not_take_the_foreground() -> None:
    """A red square moves over a green ground; what it uncovers is green at once, the flow being found."""
    height, width, size, step = 120, 200, 40, 8
    ground, thing = texture(height, width, 1), texture(size, size, 2)
    images, styled = [], []
    for j in range(6):  # newest first: the square was further left before
        x = 120 - step * j
        image, style = ground.copy(), np.zeros((height, width, 3), np.float32)
        style[..., 1] = 1.0
        image[40 : 40 + size, x : x + size] = thing
        style[40 : 40 + size, x : x + size] = (1.0, 0.0, 0.0)
        images.append(image)
        styled.append(style)
    pairs = [flow_pair(a, b) for a, b in pairwise(images)]
    result = blend(followed(images, pairs), Tile(0, 0, width, height), styled)
    red = result[..., 0]
    uncovered = red[40 : 40 + size, 120 - 5 * step : 118]
    assert uncovered.mean() < 0.03 and uncovered.max() < 0.35
    inside = red[44 : 36 + size, 124 : 116 + size]
    assert inside.mean() > 0.97


@pytest.fixture(scope="module")
def real_taps() -> tuple[Taps, list[np.ndarray]]:
    """A picture that turns and grows, with found flow: positions at every fraction of a pixel."""
    world = texture(HEIGHT, WIDTH, 9)
    images = []
    for j in range(5):
        matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 2.5 * j, 1.0 + 0.02 * j)
        images.append(cv2.warpAffine(world, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT))
    now, before, after = images[2], images[1::-1], images[3:]
    sides = [
        side(others, [flow_pair(a, b) for a, b in pairwise([now, *others])]) for others in (before, after)
    ]
    return taps(now, *sides), boiling(5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(1, WIDTH), st.integers(1, HEIGHT))
def test_a_tile_is_the_same_region_of_the_whole_and_reads_its_footprint_only(
    real_taps: tuple[Taps, list[np.ndarray]], x: int, y: int, wide: int, high: int
) -> None:
    found, styled = real_taps
    whole = blend(found, WHOLE, styled)
    tile = Tile(x, y, min(WIDTH, x + wide), min(HEIGHT, y + high))
    partial = []
    for j, frame in enumerate(styled):
        x0, y0, x1, y1 = found.footprint(j, tile)
        assert 0 <= x0 <= x1 <= WIDTH and 0 <= y0 <= y1 <= HEIGHT
        hidden = np.full_like(frame, np.nan)
        hidden[y0:y1, x0:x1] = frame[y0:y1, x0:x1]
        partial.append(hidden)
    assert blend(found, tile, partial).tobytes() == np.ascontiguousarray(whole[tile.slices]).tobytes()


def test_same_bytes_every_time(real_taps: tuple[Taps, list[np.ndarray]]) -> None:
    found, styled = real_taps
    kept = [frame.copy() for frame in styled]
    first = blend(found, WHOLE, styled)
    assert blend(found, WHOLE, styled).tobytes() == first.tobytes()
    assert all(np.array_equal(a, b) for a, b in zip(kept, styled, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (3, 90)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    images = [texture(*size, seed=j) for j in range(3)]
    pairs = [flow_pair(a, b) for a, b in pairwise(images)]
    result = blend(followed(images, pairs), Tile(0, 0, size[1], size[0]), images)
    assert result.shape == (*size, 3) and np.isfinite(result).all()


def test_a_source_that_is_no_number_weighs_nothing() -> None:
    images, pairs = panning(3, (0, 0))
    images[1] = images[1].copy()
    images[1][44:56, 54:66] = np.nan
    found = followed(images, pairs)
    assert all(np.isfinite(weight).all() for weight in found.weights)
    assert found.weights[1][50, 60] == 0 and found.weights[2][50, 60] > 0


def test_a_change_of_the_source_takes_the_weight_away() -> None:
    images, pairs = panning(2, (0, 0))
    changed = [images[0], np.clip(images[1] + 0.5, 0, 1)]
    assert followed(changed, pairs).weights[1].max() < 0.2


def test_both_sides_count_alike() -> None:
    """A still picture between the same frames before and after: each pair of taps has one weight and one place."""
    picture = texture(HEIGHT, WIDTH)
    still = flow_pair(picture, picture)
    both = side([picture, picture], [still, still])
    found = taps(picture, both, both)
    assert len(found.weights) == 5
    assert np.array_equal(found.weights[1], found.weights[3]) and np.array_equal(found.maps[2], found.maps[4])
    assert found.weights[0].min() > found.weights[1].max() > found.weights[2].min() > 0


def test_what_was_seen_before_and_after_but_not_between_leaves_no_ghost() -> None:
    """A thing that is away for one frame: neither side puts it there."""
    ground, thing = texture(HEIGHT, WIDTH, 1), texture(HEIGHT, WIDTH, 2)
    there = ground.copy()
    there[30:60, 40:90] = thing[30:60, 40:90]
    styled = [np.zeros((HEIGHT, WIDTH, 3), np.float32) for _ in range(3)]
    for one in styled[1:]:
        one[30:60, 40:90] = 1.0
    both = side([there], [flow_pair(ground, there)])
    assert blend(taps(ground, both, both), WHOLE, styled).mean() < 0.01
