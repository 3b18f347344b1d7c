"""A beginning for the style encoder in closed form: codes that say what the teacher's signals say.

Paintings are few. A style encoder that only learns through pictures learns those by heart and puts any other style in
the wrong place; the teacher's own signals, which are cheap to have of any number of pictures, do not have that fault.
So before the first step the codes are made a linear function of the signals, the one nearest to what the decoder
understands already, and the encoder is fitted to give them from its moments by ridge regression.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylebridge_models.network import LEARNT, StyleNetwork

_RIDGE = 30.0  # of standardised values; both fits were best about here on variants kept aside


@torch.no_grad()
def settle_codes(network: StyleNetwork, pictures: Sequence[Tensor], signals: Tensor) -> float:
    """Fits the style encoder's linear part to the teacher's signals, in place; the rest of it begins with nought.

    Args:
        pictures: batches (n, 3, H, W) of style pictures as the encoder sees them, N in all.
        signals: (N, 8, 64), the teacher's of each.

    Returns:
        The squared distance of the codes to their aim, as a share of the aim's energy.
    """
    encoder = network.style
    moments = torch.cat([encoder.pooled(x).double() for x in pictures])
    codes = encoder.code(torch.relu(encoder.hidden(moments.float()))) + encoder.direct(moments.float())
    mean = codes.double().mean(0)
    wanted = signals.to(moments.device).flatten(1).double()
    wanted = (wanted - wanted.mean(0)) / (wanted.std(0) + 1e-3)
    aim = wanted @ _ridge(wanted, codes.double() - mean)
    centre, scale = moments.mean(0), moments.std(0) + 1e-4
    inputs = (moments - centre) / scale
    solution = _ridge(inputs, aim)
    weight = (solution / scale[:, None]).T
    encoder.direct.weight.copy_(weight)
    encoder.code.weight.zero_()
    encoder.code.bias.copy_(mean - weight @ centre)
    assert weight.shape[0] == LEARNT
    return float(((inputs @ solution - aim) ** 2).sum() / (aim**2).sum())


def _ridge(inputs: Tensor, outputs: Tensor) -> Tensor:
    """The matrix that takes inputs (N, A) nearest to outputs (N, B), both centred, kept small."""
    damping = _RIDGE * torch.eye(inputs.shape[1], dtype=inputs.dtype, device=inputs.device)
    return torch.linalg.solve(inputs.T @ inputs + damping, inputs.T @ outputs)
