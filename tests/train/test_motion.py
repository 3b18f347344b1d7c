"""Made-up scenes for the network that tells what moves by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stylebridge_models.independence import Independence
from stylebridge_server.segment.evidence import CHANNELS
from stylebridge_server.train.motion.scenes import HEIGHT, WIDTH, Scene, travelled
from stylebridge_server.train.motion.trainer import STEP, batch, loss, overlap, sample


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [np.repeat(np.repeat(rng.integers(0, 255, (50, 70, 3), np.uint8), 5, 0), 5, 1) for _ in range(3)]


def test_a_scene_is_a_function_of_its_seed(photographs: list[np.ndarray]) -> None:
    one, other = (Scene(np.random.default_rng(5), photographs).picture(2) for _ in range(2))
    assert one[0].shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(one[0], other[0])
    for (_, a), (_, b) in zip(one[1], other[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_covers_share_the_picture_and_only_what_moves_travels(photographs: list[np.ndarray]) -> None:
    moved = 0
    for seed in range(12):
        scene = Scene(np.random.default_rng(seed), photographs)
        _, seen = scene.picture(0)
        if seen:
            assert sum(cover for _, cover in seen).max() <= 1.001
        for thing in scene.things:
            far = travelled(thing, scene.eye, 4)
            assert thing.moves or far == 0
            moved += thing.moves and far > 1
    assert moved > 8


def test_a_sample_says_what_moves(photographs: list[np.ndarray]) -> None:
    samples = [sample(seed, photographs) for seed in range(6)]
    for channels, truth, weight in samples:
        assert channels.shape == (CHANNELS, HEIGHT, WIDTH) and channels.dtype == np.int8
        assert truth.shape == weight.shape == (HEIGHT, WIDTH)
    assert any(truth.any() for _, truth, _ in samples) and any(not truth.all() for _, truth, _ in samples)
    channels, truth, weight = batch(samples, np.random.default_rng(0), 4)
    assert channels.dtype == truth.dtype == weight.dtype == torch.float32
    assert float(channels.abs().max()) <= 127 * STEP + 1e-6


def test_the_loss_falls_and_perfection_has_an_overlap_of_one(photographs: list[np.ndarray]) -> None:
    torch.manual_seed(0)
    samples = [sample(seed, photographs) for seed in range(2)]
    network = Independence(CHANNELS)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    values = []
    for k in range(12):
        channels, truth, weight = batch(samples, np.random.default_rng(k % 2), 2)
        value = loss(network(channels), truth, weight)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert np.mean(values[-3:]) < 0.8 * np.mean(values[:3])
    truth = torch.zeros(1, 8, 8)
    truth[:, 2:6, 2:6] = 1
    weight = torch.ones_like(truth)
    assert float(loss(20 * truth - 10, truth, weight)) < 0.01 < float(loss(10 - 20 * truth, truth, weight))
    assert 0 <= overlap(network.eval(), samples) <= 1


def test_any_size_of_picture_is_judged() -> None:
    network = Independence(CHANNELS).eval()
    for size in ((16, 16), (90, 151), (180, 320)):
        assert network(torch.zeros(1, CHANNELS, *size)).shape == (1, *size)
