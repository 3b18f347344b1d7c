"""Methods of flow: the size at which they work, RAFT as torchvision has it, and motion that a host supplies."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import installed, optical_flow
from stylebridge_server import temporal
from stylebridge_server.temporal import flow, raft
from stylebridge_server.temporal.working import enlarged, working_size
from stylebridge_server.values import GivenFlow, Motion

from .test_flow import texture


def test_flow_works_at_the_pictures_size_up_to_a_limit_and_at_that_limit_above() -> None:
    assert working_size((540, 960), 720) == (540, 960)
    assert working_size((720, 1280), 720) == (720, 1280)
    assert working_size((2160, 3840), 720) == (720, 1280)
    assert working_size((3840, 2160), 720) == (1280, 720)


def test_flow_is_enlarged_in_pixels_of_the_larger_size() -> None:
    small = np.full((10, 20, 2), (1.0, -2.0), np.float32)
    large = enlarged(small, (20, 60))
    assert large.shape == (20, 60, 2) and large.dtype == np.float32
    np.testing.assert_allclose(large, np.full((20, 60, 2), (3.0, -4.0)), rtol=1e-6)
    assert enlarged(small, (10, 20)) is small


def test_large_pictures_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is lowered in place of pictures being large."""
    monkeypatch.setattr(flow, "LINES", 60)
    whole = cv2.GaussianBlur(texture(140, 200), (0, 0), 2)
    a, b = whole[10:130, 10:190], whole[14:134, 4:184]
    pair = temporal.flow_pair(a, b)
    middle = (slice(20, -20), slice(20, -20))
    assert pair.forward.shape == (120, 180, 2)
    assert np.abs(pair.forward[middle] - (6, -4)).mean() < 0.4
    assert np.abs(pair.backward[middle] - (-6, 4)).mean() < 0.4


def network(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return optical_flow.build(kind).eval()


def test_raft_is_torchvisions() -> None:
    """The last of twelve updates, of pictures in [-1, 1] whose edges are repeated up to a multiple of 8."""
    made, size = network("raft-small"), (130, 150)
    a, b = texture(*size, seed=1), texture(*size, seed=2)
    pair = raft.Raft("random", lambda: made, "cpu").pair((2, 1), (a, b))
    below, beside = -size[0] % 8, -size[1] % 8
    given = [
        torch.from_numpy(np.pad(one, ((0, below), (0, beside), (0, 0)), "edge").transpose(2, 0, 1).copy())[
            None
        ]
        * 2
        - 1
        for one in (a, b)
    ]
    with torch.inference_mode():
        there, back = made(*given)[-1], made(*given[::-1])[-1]
    for ours, theirs in ((pair.forward, there), (pair.backward, back)):
        assert ours.shape == (*size, 2) and ours.dtype == np.float32
        assert np.array_equal(ours, theirs[0, :, : size[0], : size[1]].permute(1, 2, 0).numpy())
    assert pair.forward.any()
    assert pair.forward_valid.all() and pair.backward_valid.all()  # RAFT knows it everywhere


def test_the_large_network_too_and_small_pictures_are_filled_up() -> None:
    made = network("raft-large")
    a, b = texture(20, 30, seed=1), texture(20, 30, seed=2)
    given = [
        torch.from_numpy(np.pad(one, ((0, 108), (0, 98), (0, 0)), "edge").transpose(2, 0, 1).copy())[None] * 2
        - 1
        for one in (a, b)
    ]
    with torch.inference_mode():
        wanted = made(*given)[-1][0, :, :20, :30].permute(1, 2, 0).numpy()
    inputs = [raft._input(one, (20, 30), "cpu") for one in (a, b)]
    assert np.array_equal(raft.Raft("random", lambda: made, "cpu")._flow(*inputs, (20, 30)), wanted)


def test_raft_is_found_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_MODELS", str(tmp_path))
    with pytest.raises(StylebridgeError) as caught:
        raft.opened("raft-small", "cpu")
    assert (
        caught.value.code == Code.NOT_FOUND and "stylebridge models pull raft-small" in caught.value.message
    )
    made = network("raft-small")
    tensors = optical_flow.bare(made.state_dict())
    card = installed.install("raft-small", "raft-small", tensors, ("raft.pth", "00"), "MIT")
    found = raft.opened("raft-small", "cpu")
    assert card.version in found.id and list(raft.cards()) == ["raft-small"]
    a, b = texture(128, 128, seed=1), texture(128, 128, seed=2)
    wanted = raft.Raft("random", lambda: made, "cpu").pair((2, 1), (a, b))
    assert np.array_equal(found.pair((2, 1), (a, b)).forward, wanted.forward)


def given(motions: dict[int, Motion]) -> temporal.Given:
    return temporal.Given(GivenFlow("all", lambda number: f"content {number}", motions.__getitem__))


def even(size: tuple[int, int], x: float, y: float) -> np.ndarray:
    return np.full((*size, 2), (x, y), np.float32)


def test_given_motion_is_that_of_the_two_frames() -> None:
    size = (40, 60)
    motions = {
        5: Motion(even(size, 3, 1), even(size, 99, 99)),
        6: Motion(even(size, 99, 99), even(size, -3, -1)),
    }
    picture = np.zeros((*size, 3), np.float32)
    pair = given(motions).pair((6, 5), (picture, picture))
    assert (pair.forward == (-3, -1)).all() and (pair.backward == (3, 1)).all()
    assert pair.forward_valid.all()  # known, wherever it leads to


def test_given_motion_is_scaled_to_the_picture_and_never_mixed() -> None:
    moving = even((40, 60), 0, 0)
    moving[:, 31:] = (8, 4)
    motions = {5: Motion(moving, moving), 6: Motion(-moving, -moving)}
    picture = np.zeros((20, 30, 3), np.float32)
    pair = given(motions).pair((6, 5), (picture, picture))
    assert {tuple(one) for one in pair.backward.reshape(-1, 2)} == {(0.0, 0.0), (4.0, 2.0)}


def test_unknown_motion_is_not_believed() -> None:
    unknown = even((40, 60), 0, 0)
    unknown[10:20, 10:20] = np.nan
    unknown[0, 0] = np.inf
    motions = {5: Motion(unknown, unknown), 6: Motion(unknown, unknown)}
    picture = np.zeros((40, 60, 3), np.float32)
    pair = given(motions).pair((6, 5), (picture, picture))
    assert np.isfinite(pair.forward).all()
    assert not pair.forward_valid[10:20, 10:20].any() and pair.forward_valid[0, 0] == 0
    assert pair.forward_valid[30, 30] == 1


def test_names_change_with_what_they_name() -> None:
    def of(contents: dict[int, str]) -> temporal.Given:
        return temporal.Given(
            GivenFlow("all", contents.__getitem__, lambda number: Motion(*[even((1, 1), 0, 0)] * 2))
        )

    names = {
        of({1: "a", 2: "b"}).name((2, 1)),
        of({1: "a", 2: "c"}).name((2, 1)),
        of({1: "d", 2: "b"}).name((2, 1)),
        temporal.DIS.name((2, 1)),
        raft.Raft("one", lambda: network("raft-small"), "cpu").name((2, 1)),
        raft.Raft("two", lambda: network("raft-small"), "cpu").name((2, 1)),
    }
    assert len(names) == 6
