"""Which frames a window reaches."""

from __future__ import annotations

from stylebridge import reach


def test_a_window_reaches_far_with_few_frames() -> None:
    assert reach.distances(6) == (1, 2, 4, 7, 10, 13)
    assert reach.distances(3, widest=1) == (1, 2, 3)
    assert [reach.sides(n) for n in (1, 2, 8, 9)] == [(0, 0), (1, 0), (4, 3), (4, 4)]
    assert [reach.handles(n) for n in (1, 3, 8)] == [(0, 0), (1, 1), (7, 4)]
