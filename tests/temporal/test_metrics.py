"""Temporal error and sharpness."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from stylebridge_server.temporal import sharpness, temporal_error, temporal_series


def clip(count: int) -> list[np.ndarray]:
    """A pan over a still texture, a pixel a frame."""
    noise = np.random.default_rng(3).standard_normal((80, 100 + count, 3)).astype(np.float32)
    world = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 20, 235, cv2.NORM_MINMAX).astype(
        np.uint8
    )
    return [world[:, i : i + 100].copy() for i in range(count)]


def noisy(frames: list[np.ndarray], sigma: float) -> list[np.ndarray]:
    generator = np.random.default_rng(4)
    return [
        np.clip(frame + generator.normal(0, sigma, frame.shape), 0, 255).astype(np.uint8) for frame in frames
    ]


def test_steady_clip_has_the_error_of_its_source() -> None:
    source = clip(8)
    entries = list(temporal_series(source, [255 - frame for frame in source]))
    assert [entry.index for entry in entries] == list(range(7))
    assert all(entry.source < 1e-4 for entry in entries)
    assert all(entry.styled == pytest.approx(entry.source, rel=1e-3) for entry in entries)


def test_boiling_adds_twice_its_variance() -> None:
    source = clip(6)
    sigma = 10.0
    added = temporal_error(source, noisy(source, sigma)) - temporal_error(source, source)
    # Two independent frames, one of them smoothed a little by resampling.
    assert 1.2 * (sigma / 255) ** 2 < added < 2.1 * (sigma / 255) ** 2


def test_distance_counts_pairs() -> None:
    source = clip(6)
    assert len(list(temporal_series(source, source, distance=4))) == 2
    assert math.isnan(temporal_error(source, source, distance=6))


def test_series_is_streaming() -> None:
    def endless() -> object:
        frame = clip(1)[0]
        while True:
            yield frame

    series = temporal_series(endless(), endless())  # type: ignore[arg-type]
    assert next(series).styled == 0.0


def test_sharpness_falls_with_blur() -> None:
    frame = clip(1)[0]
    assert sharpness(cv2.GaussianBlur(frame, (0, 0), 2)) < 0.6 * sharpness(frame)
    assert sharpness(np.zeros((1, 1, 3), np.uint8)) == 0
