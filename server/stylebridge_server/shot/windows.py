"""The window of a frame of a stream: which frames it is blended from, and on what way they are reached.

A stream sees each frame that differs from the one before it, and a run of repeats as its first frame: distances count
those.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from stylebridge import reach
from stylebridge_server.shot.repeats import Repeats


@dataclass(frozen=True)
class Window:
    """What a frame of a stream is blended from.

    Attributes:
        number: the frame itself.
        before, after: the frames on either side that the motion is followed through, nearest first.
        near, far: how many steps away those of them lie that are blended, before and after the frame.
        widest: most steps from one that is blended to the next.
    """

    number: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    near: tuple[int, ...]
    far: tuple[int, ...]
    widest: int = reach.WIDEST

    @classmethod
    def of(cls, number: int, length: int, scene: tuple[int, int], repeats: Repeats, live: bool) -> Window:
        """The window of so many frames, clamped to its scene. What a camera will show nobody knows: there it is all
        before the frame, one frame after another, so that each is needed soon after it came."""
        before, after, widest = *reach.sides(length), reach.WIDEST
        if live:
            before, after, widest = length - 1, 0, 1
        near, far = reach.distances(before, widest), reach.distances(after, widest)
        earlier = _reached(repeats, number, -1, max(near, default=0), scene[0])
        later = _reached(repeats, number, 1, max(far, default=0), scene[1])
        near = tuple(steps for steps in near if steps <= len(earlier))
        far = tuple(steps for steps in far if steps <= len(later))
        passed = earlier[: max(near, default=0)], later[: max(far, default=0)]
        return cls(number, *passed, near, far, widest)

    @classmethod
    def link(cls, number: int, before: int) -> Window:
        """A frame and one before it."""
        return cls(number, (before,), (), (1,), ())

    @property
    def frames(self) -> tuple[int, ...]:
        """Those blended: the frame itself, those before it, those after it."""
        before = (self.before[steps - 1] for steps in self.near)
        after = (self.after[steps - 1] for steps in self.far)
        return (self.number, *before, *after)

    @property
    def span(self) -> tuple[int, ...]:
        """All that the result depends on: the motion is followed through those between too."""
        return (*reversed(self.before), self.number, *self.after)

    @property
    def neighbours(self) -> list[tuple[int, int]]:
        """The frames that flow is found between: of each side one step after another, away from the frame."""
        sides = ([self.number, *self.before], [self.number, *self.after])
        return [pair for side in sides for pair in itertools.pairwise(side)]


def _reached(repeats: Repeats, number: int, way: int, count: int, end: int) -> tuple[int, ...]:
    """So many frames before (-1) or after (1) one, nearest first, each that differs from the last; as far as there
    are any up to `end`."""
    found: list[int] = []
    while len(found) < count:
        number = repeats.first(number) - 1 if way < 0 else repeats.last(number) + 1
        if (number - end) * way > 0:
            break
        found.append(repeats.first(number))
    return tuple(found)
