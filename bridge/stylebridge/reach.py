"""How far a window reaches: which frames around a frame its result is made from.

A window of N frames is the frame itself, half of the others before it and half after, the odd one before. On each side
they lie 1, 2, 4, 7 frames away, then every third frame: near frames hold still what changes at once, far ones what
changes slowly, and the motion is followed through all that lie between.

Plain arithmetic, for hosts that push frames: they send what is reached, the handles, beside what they want rendered.
"""

from __future__ import annotations

#: Most frames from one to the next.
WIDEST = 3


def distances(count: int, widest: int = WIDEST) -> tuple[int, ...]:
    """How far the frames of one side lie away, nearest first.

    Args:
        count: how many there are.
        widest: most frames from one to the next; 1 is one after another, as a camera's window is.
    """
    found: list[int] = []
    for j in range(count):
        found.append((found[-1] if found else 0) + min(max(j, 1), widest))
    return tuple(found)


def sides(window: int) -> tuple[int, int]:
    """How many frames of a window lie before the frame, and how many after."""
    after = (window - 1) // 2
    return window - 1 - after, after


def handles(window: int) -> tuple[int, int]:
    """How many frames a result needs before and after its own, with the effect's parameter `window`."""
    before, after = (max(distances(count), default=0) for count in sides(window))
    return before, after
