"""The network itself: sizes, locality, cost. Weights are random here; nothing depends on what was learnt."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylebridge_models import network
from stylebridge_models.network import DECODER_MARGIN, ENCODER_MARGIN, STRIDE, StyleNetwork


@pytest.fixture(scope="module")
def net() -> StyleNetwork:
    torch.manual_seed(3)
    return StyleNetwork().eval().requires_grad_(False)


CELLS = network.CHANNELS + 3


def _code(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    colours = network.colours_of(torch.rand(1, 3, 8, 8, generator=generator))
    return torch.cat([torch.randn(1, network.LEARNT, generator=generator), colours], 1)


def _statistics() -> Tensor:
    colours = network.colours_of(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(9)))
    return torch.cat([torch.zeros(1, network.CHANNELS), torch.ones(1, network.CHANNELS), colours], 1)


def test_has_at_most_a_million_parameters(net: StyleNetwork) -> None:
    assert sum(p.numel() for p in net.parameters()) <= 1_000_000


def test_output_is_as_large_as_the_input(net: StyleNetwork) -> None:
    for height, width in ((4, 4), (8, 12), (64, 100)):
        features = net.content(torch.rand(1, 3, height, width))
        assert features.shape == (1, CELLS, height // STRIDE, width // STRIDE)
        assert net.decoder(features, _statistics(), _code()).shape == (1, 3, height, width)


def test_encoder_piece_equals_the_whole(net: StyleNetwork) -> None:
    x = torch.rand(1, 3, 128, 160)
    inside = slice(ENCODER_MARGIN, -ENCODER_MARGIN)
    whole, piece = net.content(x, same=True)[..., inside, inside], net.content(x, same=False)
    assert piece.shape == whole.shape
    assert torch.allclose(piece, whole, atol=1e-5)


def test_decoder_piece_equals_the_whole(net: StyleNetwork) -> None:
    features = torch.rand(1, CELLS, 30, 34)
    inside = slice(DECODER_MARGIN * STRIDE, -DECODER_MARGIN * STRIDE)
    whole = net.decoder(features, _statistics(), _code(), same=True)[..., inside, inside]
    piece = net.decoder(features, _statistics(), _code(), same=False)
    assert piece.shape == whole.shape
    assert torch.allclose(piece, whole, atol=1e-5)


def test_margins_are_no_wider_than_needed(net: StyleNetwork) -> None:
    """A change one cell inside the margin shows, one beyond it does not."""
    features = torch.rand(1, CELLS, 40, 40)
    before = net.decoder(features, _statistics(), _code())
    changed = features.clone()
    changed[:, :, 20, 20] += 100
    seen = (net.decoder(changed, _statistics(), _code()) - before).abs().amax((0, 1)) > 0
    rows = torch.nonzero(seen.any(1)).flatten()
    first, last = int(rows[0]), int(rows[-1])
    assert 20 * STRIDE - first <= DECODER_MARGIN * STRIDE
    assert last - (21 * STRIDE - 1) <= DECODER_MARGIN * STRIDE
    assert 20 * STRIDE - first > (DECODER_MARGIN - 1) * STRIDE


def test_constant_picture_gives_a_constant_one(net: StyleNetwork) -> None:
    """No ring along the border, no chequerboard from the reductions or the enlargement."""
    features = net.content(torch.full((1, 3, 64, 64), 0.3))
    output = net.decoder(features, _statistics(), _code())
    assert float((output - output.mean((2, 3), keepdim=True)).abs().max()) < 1e-4


def test_one_code_and_several_codes_agree(net: StyleNetwork) -> None:
    """Folding the code into the weights, done for one code, changes nothing but rounding."""
    features = torch.rand(2, CELLS, 12, 12)
    codes = torch.cat([_code(1), _code(2)])
    both = net.decoder(features, _statistics().expand(2, -1), codes)
    for i in range(2):
        one = net.decoder(features[i : i + 1], _statistics(), codes[i : i + 1])
        assert torch.allclose(one, both[i : i + 1], atol=1e-4)


def test_codes_of_two_pictures_differ(net: StyleNetwork) -> None:
    a, b = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64) * 0.3
    assert float((net.style(a) - net.style(b)).abs().max()) > 0.05


def test_pooled_statistics_are_those_of_all_pixels() -> None:
    x, rgb = torch.rand(3, network.CHANNELS, 16, 16), torch.rand(3, 3, 16, 16)
    rows = torch.cat([network.moments(x), network.colours_of(rgb)], 1)
    mean, deviation, colours = network.pooled(rows).split(
        [network.CHANNELS, network.CHANNELS, network.COLOUR], 1
    )
    together = x.permute(1, 0, 2, 3).flatten(1)
    assert torch.allclose(mean[0], together.mean(1), atol=1e-5)
    assert torch.allclose(deviation[0], together.std(1, correction=0), atol=1e-3)
    assert torch.allclose(colours, network.colours_of(torch.cat(list(rgb), 2)[None]), atol=1e-5)


def test_transfer_gives_a_scene_the_colours_of_a_style() -> None:
    generator = torch.Generator().manual_seed(4)
    scene = torch.rand(1, 3, 32, 32, generator=generator)
    style = torch.rand(1, 3, 32, 32, generator=generator) ** 2 * 0.5
    matrix, offset = network.transfer(network.colours_of(scene), network.colours_of(style))
    painted = torch.einsum("nij,njhw->nihw", matrix, scene) + offset[:, :, None, None]
    assert torch.allclose(network.colours_of(painted), network.colours_of(style), atol=1e-5)


def test_transfer_of_a_flat_scene_stays_finite() -> None:
    flat, style = network.colours_of(torch.full((1, 3, 4, 4), 0.5)), _code()[:, network.LEARNT :]
    matrix, offset = network.transfer(flat, style)
    assert torch.isfinite(matrix).all() and torch.isfinite(offset).all()
    assert float(matrix.abs().max()) < 30
