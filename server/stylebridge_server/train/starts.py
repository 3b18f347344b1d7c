"""The weights of an earlier network as the beginning of a run."""

from __future__ import annotations

import torch
from torch import Tensor

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models.network import CHANNELS, DECODER_BLOCKS, StyleNetwork

_BLOCK = "decoder.blocks."
# What earlier networks lack, or what is measured anew.
_NEW = ("decoder.floor", "style.direct.weight")


def fewer_blocks(weights: dict[str, Tensor], left_out: int) -> dict[str, Tensor]:
    """The weights of a network without one of its decoder's residual blocks: near what it was, for a block adds to
    what passes through."""
    blocks = _blocks(weights)
    result = {}
    for name, value in weights.items():
        if name.startswith(_BLOCK):
            number = int(name.split(".")[2])
            if number == left_out:
                continue
            name = name.replace(f"blocks.{number}.", f"blocks.{number - (number > left_out)}.")
        result[name] = value.float()
    # The code's effect: gains and offsets of the first layer, of every block and of those after; then blocks' shares,
    # which the first networks did not have.
    after = sum(len(weights[f"decoder.{name}.bias"]) for name in ("narrow", "middle", "narrower"))
    each = CHANNELS * (1 + 2 * blocks) + after
    gone = range(2 * CHANNELS * left_out, 2 * CHANNELS * (left_out + 1))
    steered = [row for row in range(each) if row - CHANNELS not in gone]
    rows = [*steered, *(each + row for row in steered)]
    rows += [row for row in range(2 * each, len(weights["decoder.film.bias"])) if row - 2 * each not in gone]
    for name in ("decoder.film.weight", "decoder.film.bias"):
        result[name] = result[name][rows]
    return result


@torch.no_grad()
def begin_from(network: StyleNetwork, weights: dict[str, Tensor]) -> None:
    """Takes over the weights of an earlier network, in place: what has grown since begins with rows of nought, so that
    it does at first what the earlier one did; where it had more blocks, those in the middle are left out. The least
    deviations are measured anew.

    Raises:
        StylebridgeError: BAD_VALUE where a layer does not fit, naming it.
    """
    while _blocks(weights) > DECODER_BLOCKS:
        weights = fewer_blocks(weights, _blocks(weights) // 2)
    for name, own in network.state_dict().items():
        old = weights.get(name)
        if name in _NEW and old is None:
            continue
        if old is None or old.shape[1:] != own.shape[1:] or len(old) > len(own):
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The weights to start from do not fit this network: {name} is "
                f"{'missing' if old is None else tuple(old.shape)}, it should be {tuple(own.shape)} or fewer rows.",
            )
        own.zero_()[: len(old)].copy_(old)


def _blocks(weights: dict[str, Tensor]) -> int:
    """How many residual blocks the decoder of these weights has."""
    return 1 + max((int(name.split(".")[2]) for name in weights if name.startswith(_BLOCK)), default=-1)
