"""RAFT (Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020), torchvision's two
networks: which one a state dict is of, its shapes, and the network itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

RAFT_SMALL, RAFT_LARGE = "raft-small", "raft-large"
WHAT = {
    RAFT_SMALL: "RAFT, small (optical flow)",
    RAFT_LARGE: "RAFT, large (optical flow)",
}
_MARK, _OF_LARGE = "update_block.flow_head.conv1.weight", "mask_predictor.conv.weight"
_COUNTS = "num_batches_tracked"  # of training; nothing depends on them


def seen(state: Mapping[str, Tensor]) -> str | None:
    """Which of the kinds the names are of, None for neither of them."""
    if _MARK not in state:
        return None
    return RAFT_LARGE if _OF_LARGE in state else RAFT_SMALL


def bare(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without counts of training."""
    return {name: value for name, value in state.items() if not name.endswith(_COUNTS)}


def shapes(kind: str) -> dict[str, tuple[int, ...]]:
    """Name to shape of everything that a network has, without making it."""
    import torch

    with torch.device("meta"):
        made = build(kind)
    return {name: tuple(value.shape) for name, value in bare(made.state_dict()).items()}


def build(kind: str) -> nn.Module:
    """The network with arbitrary weights: RAFT_SMALL or RAFT_LARGE."""
    from torchvision.models import optical_flow

    made: nn.Module = (optical_flow.raft_large if kind == RAFT_LARGE else optical_flow.raft_small)(
        weights=None
    )
    return made


def load(kind: str, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The network with the weights of an installed model, for use and not for training."""
    made = build(kind)
    made.load_state_dict(dict(tensors), strict=False)  # what lacks are counts of training
    return made.eval().requires_grad_(False)
