"""Instances out of what a network finds every few frames: matched with those that are followed, named, corrected.

The network looks at the first and the last frame of a scene and at every n-th between, so that its cost is bounded;
optical flow and appearance carry the masks from one look to the next. What it finds again is a key frame of its
instance. Assignment by overlap with the Hungarian method (Kuhn 1955) is the core of SORT (Bewley et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from stylebridge_server.segment.colours import Palette, to_lab
from stylebridge_server.segment.detections import Detection, Finder, settled
from stylebridge_server.segment.follow import FORWARD, KEY, Keys, Run
from stylebridge_server.segment.planes import plane, signed_distance
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.sweep import Sweep
from stylebridge_server.values import Plane, Rgb8

MOST = 8  # instances followed at once; the largest are taken

_SAME, _SAME_ANYWAY = (
    0.3,
    0.6,
)  # overlap at which a find is the followed thing: of its class, of another class
_CORRECTS = 0.5  # overlap from which a find of a class, which may be two things, corrects a label
_MISSES = 2  # looks in a row that may find nothing of an instance before it is let go
_SURE = 0.9  # score at which one look is enough
_ALIKE = 0.8  # likeness of colours at which a thing that was let go is back
_HERE = 0.5  # and at which it is, where it was seen just before
_JUST = 3  # looks that are just before


@dataclass
class Track:
    """One instance while its scene is looked through.

    Attributes:
        seen: frames on which the network found it.
        votes: the sum of its scores, by class.
        best: the highest of them.
        misses: looks since it was found.
        colours: as they were when it was let go.
        place, area: centre (x, y) and size of where the network found it last, working pixels.
    """

    seen: list[int] = field(default_factory=list)
    votes: dict[str, float] = field(default_factory=dict)
    best: float = 0.0
    misses: int = 0
    colours: Palette | None = None
    place: tuple[float, float] = (0.0, 0.0)
    area: float = 0.0

    @property
    def label(self) -> str:
        """Its class: what the network said most."""
        return max(self.votes, key=lambda name: self.votes[name])

    def find(self, number: int, one: Detection) -> None:
        self.seen.append(number)
        self.votes[one.label] = self.votes.get(one.label, 0.0) + one.score
        self.best, self.misses = max(self.best, one.score), 0
        self.place, self.area = _centre(one.mask), float(one.mask.sum())


class Scout:
    """Goes through one scene forward, and finds its instances.

    Attributes:
        keys: frames on which the network's mask is the label; they lie in the spool under KEY.
        tracks: instance to what is known of it.
    """

    def __init__(self, run: Run, finder: Finder, first: int, last: int, spool: Spool) -> None:
        self._run, self._finder, self._spool = run, finder, spool
        self._first, self._last = first, last
        self._sweep = Sweep(run.flow, returns=False)
        self.keys: Keys = {}
        self.tracks: dict[int, Track] = {}
        self._followed: set[int] = set()

    def go(self) -> None:
        """Look through the scene."""
        for number, rgb in self._run.read(range(self._first, self._last + 1)):
            small = self._run.small(rgb)
            here = self._sweep.step(small)
            if (number - self._first) % self._finder.every == 0 or number == self._last:
                found = settled(self._finder.find(rgb, self._run.size), small)
                here = self._look(number, found, here, small)
            for i, label in here.items():
                self._spool.put(FORWARD, i, number, label)
            self._run.tick()

    def lasting(self) -> list[int]:
        """The instances that are no passing error, in order of appearance."""
        looks = len(range(self._first, self._last + 1, self._finder.every))
        return [
            i
            for i, one in sorted(self.tracks.items())
            if len(one.seen) > 1 or looks <= 2 or one.best >= _SURE
        ]

    def spans(self) -> dict[int, list[tuple[int, int]]]:
        """Frames on which each instance is believed: from just after the look before it was found to just before the
        look after; looks that missed it in between are believed to err."""
        every, out = self._finder.every, {}
        for i, one in self.tracks.items():
            spans: list[tuple[int, int]] = []
            for number in one.seen:
                begins, ends = max(self._first, number - every + 1), min(self._last, number + every - 1)
                if spans and number - spans[-1][1] < _MISSES * every:
                    begins = spans.pop()[0]
                spans.append((begins, ends))
            out[i] = spans
        return out

    def _look(
        self, number: int, found: list[Detection], here: dict[int, Plane], small: Rgb8
    ) -> dict[int, Plane]:
        """Match what the network finds with what is followed; returns the labels as they are then."""
        here = dict(here)
        for i in [i for i in sorted(self._followed) if not here[i].any()]:
            self._let_go(i, here)
        pairs, free = self._matched(found, here)
        for i, one, overlap in pairs:
            self.tracks[i].find(number, one)
            if not self._finder.semantic or overlap >= _CORRECTS:
                self._key(number, i, one.mask, here)
        for i in sorted(self._followed - {i for i, _, _ in pairs}):
            self.tracks[i].misses += 1
            if self.tracks[i].misses >= _MISSES:
                self._let_go(i, here)
        free.sort(key=lambda one: -float(one.mask.sum()))
        for one in free[: max(MOST - len(self._followed), 0)]:
            i = self._again(number, one, small) or len(self.tracks) + 1
            self.tracks.setdefault(i, Track()).find(number, one)
            self._followed.add(i)
            self._key(number, i, one.mask, here)
        return here

    def _let_go(self, instance: int, here: dict[int, Plane]) -> None:
        self.tracks[instance].colours = self._sweep.colours(instance)
        self._sweep.forget(instance)
        self._followed.discard(instance)
        here.pop(instance)

    def _key(self, number: int, instance: int, label: Plane, here: dict[int, Plane]) -> None:
        self._sweep.correct(instance, label)
        for other in here.values():
            other[label > 0.5] = 0
        here[instance] = label
        self._spool.put(KEY, instance, number, label)
        self.keys.setdefault(number, []).append(instance)

    def _matched(
        self, found: list[Detection], here: dict[int, Plane]
    ) -> tuple[list[tuple[int, Detection, float]], list[Detection]]:
        """Followed instances with what was found of them and how well it overlaps; and finds of nobody."""
        ids = sorted(self._followed)
        if self._finder.semantic:
            found = [piece for one in found for piece in self._parted(one, ids, here)]
        overlaps = np.zeros((len(ids), len(found)))
        for row, i in enumerate(ids):
            for column, one in enumerate(found):
                shared = float((here[i] * one.mask).sum())
                overlap = shared / max(float(here[i].sum() + one.mask.sum()) - shared, 1.0)
                same = one.label in self.tracks[i].votes
                overlaps[row, column] = overlap if overlap >= (_SAME if same else _SAME_ANYWAY) else 0.0
        rows, columns = linear_sum_assignment(-overlaps)
        pairs = [
            (ids[r], found[c], float(overlaps[r, c]))
            for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
            if overlaps[r, c] > 0
        ]
        matched = {id(one) for _, one, _ in pairs}
        taken = plane(sum((here[i] for i in ids), np.zeros(self._run.size, np.float32)))
        free = [
            one
            for one in found
            if id(one) not in matched and float((one.mask * taken).sum()) < 0.5 * float(one.mask.sum())
        ]
        return pairs, free

    def _parted(self, one: Detection, ids: list[int], here: dict[int, Plane]) -> list[Detection]:
        """A find that several followed things of its class lie in: each pixel goes to the nearest of them."""
        inside = [
            i
            for i in ids
            if one.label in self.tracks[i].votes
            and float((here[i] * one.mask).sum()) > 0.3 * float(here[i].sum())
        ]
        if len(inside) < 2:
            return [one]
        nearest = np.stack([signed_distance(here[i]) for i in inside]).argmax(axis=0)
        return [Detection(plane(one.mask * (nearest == k)), one.label, one.score) for k in range(len(inside))]

    def _again(self, number: int, one: Detection, small: Rgb8) -> int | None:
        """The instance that was let go and is back, by its class, its colours and where it was."""
        lab = to_lab(small)
        best, best_score = None, 0.0
        for i, track in self.tracks.items():
            if i in self._followed or track.colours is None or one.label not in track.votes:
                continue
            alike = track.colours.likeness(lab, one.mask)
            away = np.hypot(*np.subtract(_centre(one.mask), track.place))
            just = number - track.seen[-1] <= _JUST * self._finder.every
            here = just and away < 1.5 * np.sqrt(max(track.area, float(one.mask.sum())))
            if alike > (_HERE if here else _ALIKE) and alike > best_score:
                best, best_score = i, alike
        return best


def _centre(mask: Plane) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())
