"""What the window does as the light changes: no lag behind it, no ghost of what was lit, no trail of a pan."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from stylebridge import reach
from stylebridge_server.temporal import Link, blend, fade, flow_pair, halved_pair, shown, taps
from stylebridge_server.values import Tile

HEIGHT, WIDTH, WINDOW = 96, 144, 8
WHOLE = Tile(0, 0, WIDTH, HEIGHT)


def texture(width: int = WIDTH, seed: int = 3) -> np.ndarray:
    noise = np.random.default_rng(seed).random((HEIGHT, width, 3)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0.1, 0.8, cv2.NORM_MINMAX)


def painted(source: np.ndarray, seed: int) -> np.ndarray:
    """Stands in for a network: what is lit is painted as bright as it is, with strokes that are others every time."""
    noise = np.random.default_rng(seed).random(source.shape).astype(np.float32)
    strokes = 1 + 2.0 * (cv2.GaussianBlur(noise, (0, 0), 1.5) - 0.5)
    return np.clip(source * strokes, 0, 1).astype(np.float32)


def steadied(source: list[np.ndarray], styled: list[np.ndarray], t: int) -> np.ndarray:
    """Frame t, its window as the product's, the flow found."""
    numbers, links = [t], []
    for way, count in zip((-1, 1), reach.sides(WINDOW), strict=True):
        away = [d for d in reach.distances(count) if 0 <= t + way * d < len(source)]
        weights = dict(zip(away, fade(away, reach.distances(count + 1)[-1]), strict=True))
        numbers += [t + way * d for d in away]
        passed = [source[t + way * d] for d in range(max(away, default=0) + 1)]
        links.append(
            [
                Link(halved_pair(flow_pair(a, b)), shown(b) if d in weights else None, weights.get(d, 0.0))
                for d, (a, b) in enumerate(pairwise(passed), 1)
            ]
        )
    return blend(taps(shown(source[t]), (HEIGHT, WIDTH), *links), WHOLE, [styled[k] for k in numbers])


@pytest.mark.parametrize("t", [8, 9, 10])
def test_a_light_that_flickers_is_followed_at_once(t: int) -> None:
    picture, random = texture(), np.random.default_rng(11)
    gains = random.uniform(0.75, 1.2, 16).astype(np.float32)
    gains[8:11] = 1.2, 0.75, 1.1
    source = [picture * gain for gain in gains]
    styled = [painted(one, k) for k, one in enumerate(source)]
    result = steadied(source, styled, t)
    # Of a change by a third and more hardly a fifth is held back.
    assert result.mean() == pytest.approx(styled[t].mean(), rel=0.08)
    # While the light keeps still the window does blend, so that this says something.
    still = [picture] * 16
    steady = steadied(still, [painted(one, k) for k, one in enumerate(still)], t)
    assert np.abs(steady - painted(picture, t)).mean() > 0.01


def test_a_fade_to_black_leaves_no_ghost() -> None:
    picture = texture()
    source = [picture * max(0.0, 1 - k / 8) for k in range(14)]
    styled = [painted(one, k) for k, one in enumerate(source)]
    for t in (8, 9, 12):
        assert styled[t].max() == 0
        assert steadied(source, styled, t).max() < 0.02
    # On the way down it is as dark as the frame itself.
    for t in (3, 5, 6):
        assert steadied(source, styled, t).mean() == pytest.approx(styled[t].mean(), rel=0.06)


def test_a_pan_leaves_no_trail() -> None:
    """A bright bar in the world: only where the frame itself shows it."""
    world = texture(WIDTH + 120)
    style = np.zeros_like(world)
    style[:, 110:122] = 1.0
    world[:, 110:122] = 0.95
    views = [slice(5 * k, 5 * k + WIDTH) for k in range(16)]
    source = [np.ascontiguousarray(world[:, view]) for view in views]
    styled = [np.ascontiguousarray(style[:, view]) for view in views]
    result, own = steadied(source, styled, 8), styled[8][..., 0]
    near = cv2.dilate(own, np.ones((3, 9))) > 0
    assert result[~near].max() < 0.02
    assert result[cv2.erode(own, np.ones((3, 5))) > 0].mean() > 0.97


def test_a_thing_that_comes_back_looks_as_it_did() -> None:
    """Gone for longer than the window reaches, it comes back in the same place in the same style."""
    ground, thing = texture(seed=1), texture(seed=2)
    there = ground.copy()
    there[30:66, 50:100] = thing[30:66, 50:100]
    seen = [k < 10 or k >= 20 for k in range(30)]
    source = [there if shown else ground for shown in seen]
    styled = [np.where((one > 0.2) & (one < 0.5), 1.0, one).astype(np.float32) for one in source]
    before, after = steadied(source, styled, 9), steadied(source, styled, 20)
    box = (slice(34, 62), slice(54, 96))
    assert np.abs(before[box] - after[box]).mean() < 0.01
    assert np.abs(after[box] - styled[20][box]).mean() < 0.02
    # The frame in which it is away, beside them, shows nothing of it.
    for t in (10, 19):
        away = steadied(source, styled, t)
        assert np.abs(away[box] - styled[t][box]).mean() < 0.02
    assert np.abs(styled[9][box] - styled[10][box]).mean() > 0.1
