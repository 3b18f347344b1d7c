"""What the teacher teaches besides its pictures, and losses that see softness."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from stylebridge_models.network import LEARNT, StyleNetwork
from stylebridge_server.train import losses
from stylebridge_server.train.codes import settle_codes
from stylebridge_server.train.hints import Hints


def test_codes_are_fitted_to_what_the_teacher_says_of_styles() -> None:
    torch.manual_seed(2)
    network = StyleNetwork().eval()
    pictures = torch.rand(160, 3, 16, 16) * torch.rand(160, 3, 1, 1)
    with torch.no_grad():
        moments = network.style.pooled(pictures)
        signals = (moments @ torch.randn(moments.shape[1], 8 * 64)).view(-1, 8, 64)
        before = network.style(pictures)[:, :LEARNT]
    left = settle_codes(network, list(pictures.split(40)), signals)
    with torch.no_grad():
        after = network.style(pictures)[:, :LEARNT]
    assert left < 0.3
    # They stay near the codes that the decoder knows, and no longer depend on the layers that were learnt before.
    assert float(((after - before) ** 2).mean()) < 0.6 * float(((before - before.mean(0)) ** 2).mean())
    assert float(network.style.code.weight.detach().abs().max()) == 0


def test_hints_ask_for_nothing_at_first_and_are_met_by_the_teachers_own_thoughts() -> None:
    hints = Hints()
    features, wanted = torch.rand(2, 64, 12, 12, requires_grad=True), torch.rand(2, 64, 12, 12)
    loss = hints.encoded(features, wanted)
    loss.backward()
    assert float(loss) == pytest.approx(1) and float(features.grad.abs().max()) == 0
    with torch.no_grad():
        hints.from_steered.weight.copy_(torch.eye(64)[:, :, None, None])
    assert float(hints.steered(wanted, wanted)) == pytest.approx(0, abs=1e-9)


def test_texture_sees_a_blur_and_not_a_shift() -> None:
    generator = torch.Generator().manual_seed(3)
    picture = torch.rand(1, 3, 64, 64, generator=generator)
    blurred = F.avg_pool2d(F.pad(picture, (1,) * 4, mode="replicate"), 3, 1)
    shifted = picture.roll(1, 3)
    soft, moved = (float(losses.texture(other, picture)) for other in (blurred, shifted))
    assert float(losses.texture(picture, picture)) == 0
    assert soft > 3 * moved
    # A loss on pixels has it the other way round: it would rather have the blur.
    assert float(losses.charbonnier(blurred - picture)) < float(losses.charbonnier(shifted - picture))


def test_windows_are_statistics_of_the_parts() -> None:
    x = torch.rand(2, 5, 8, 8)
    parts = losses.windows([x], 2)[0]
    assert parts.shape == (2, 10, 2, 2)
    corner = losses.statistics([x[..., :4, 4:]])[0]
    assert torch.allclose(parts[..., 0, 1], corner, atol=1e-4)
