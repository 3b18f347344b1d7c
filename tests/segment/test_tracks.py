"""Pieces linked over time."""

from __future__ import annotations

import numpy as np

from stylebridge_server.segment.tracks import Linker, pieces

H, W = 90, 160


def odds(*discs: tuple[float, float, float]) -> np.ndarray:
    """Log odds 4 within discs (x, y, radius), -4 elsewhere."""
    y, x = np.mgrid[0:H, 0:W]
    inside = np.zeros((H, W), bool)
    for cx, cy, radius in discs:
        inside |= (x - cx) ** 2 + (y - cy) ** 2 <= radius**2
    return np.where(inside, 4, -4).astype(np.float32)


GREY = np.full((H, W, 3), (50, 0, 0), np.float32)


def still(dx: float = 0) -> np.ndarray:
    return np.full((H, W, 2), (dx, 0), np.float32)


def test_specks_and_doubts_are_no_pieces() -> None:
    assert pieces(odds()) == []
    assert pieces(odds((50, 50, 1))) == []
    assert pieces(odds((50, 50, 12)) * 0.05) == []
    assert [int(p.sum()) > 200 for p in pieces(odds((50, 50, 12), (100, 40, 9)))] == [True, True]


def test_things_that_run_into_each_other_stay_two() -> None:
    linker = Linker()
    seen = []
    for t in range(24):  # one moves through the other's place, the flow sees only it
        here = odds((30 + 4 * t, 45, 10), (80, 60, 10))
        y, x = np.mgrid[0:H, 0:W]
        back = still()
        mover = (x - 30 - 4 * t) ** 2 + (y - 45) ** 2 <= 121
        back[mover] = (-4, 0)
        lab = GREY + np.where(mover, 30, -30)[..., None] * np.float32([0, 1, 0])
        seen.append(linker.step(t, here, lab, None if t == 0 else back))
    assert sorted(linker.tracks) == [1, 2]
    assert all(len(track.seen) == 24 for track in linker.tracks.values())
    mover, stander = sorted(linker.tracks.values(), key=lambda track: track.mask[60, 80])
    assert mover.mask[45, 122] > 0.5 and stander.mask[60, 80] > 0.5
    assert not all(sight.alone for sight in mover.seen.values())
    assert mover.seen[0].alone and mover.seen[23].alone
    for here in seen:
        assert not (here[1] & here[2]).any()


def test_a_short_gap_is_bridged_and_a_long_one_ends_a_track() -> None:
    for gap, count in ((8, 1), (30, 2)):
        linker = Linker()
        for t in range(gap + 20):
            there = t < 10 or t >= gap + 10
            linker.step(t, odds((50, 50, 10)) if there else odds(), GREY, None if t == 0 else still())
        assert len(linker.tracks) == count


def test_a_piece_at_the_edge_says_so() -> None:
    linker = Linker()
    linker.step(0, odds((4, 50, 10), (80, 45, 9)), GREY, None)
    assert [track.seen[0].edge for track in linker.tracks.values()] == [True, False]
