"""Pieces that move by themselves, linked from frame to frame into tracks.

What is found on a frame is matched with what the frame before led to expect: every track's mask is carried along by
the flow, and pieces go to the tracks that they overlap. Where two tracks run into one piece, each pixel goes to the
one that is nearer and has its colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge_server.segment.colours import Lab, Palette
from stylebridge_server.segment.motion import Field, pull
from stylebridge_server.segment.planes import plane, signed_distance
from stylebridge_server.values import Plane

Mask = NDArray[np.bool_]

LEAST = 0.0008  # share of the picture below which a piece is nothing
_SURE, _MAYBE = 1.0, -0.5  # log odds that a piece reaches somewhere, and of all its pixels
_PATIENCE = 12  # frames that a track may miss
_SHARED = 0.4  # share of a track's mask that must lie in a piece
_OWNED = 0.4  # share of a piece that must lie in a track's mask
_ASUNDER = 0.12  # gap, as a share of the picture's height, beyond which two pieces of a track are two things
_COLOUR = 3.0  # pixels of distance that a factor of e in the frequency of a colour outweighs
_ALIKE = 0.25  # likeness of colours below which a piece is not what was there before
_EDGE = 2  # pixels from the picture's edge that count as at it


@dataclass(frozen=True)
class Sight:
    """A track on one frame.

    Attributes:
        area: pixels.
        sure: mean probability over its mask.
        alone: whether it was a piece of its own, not a share of one that two tracks run into.
        edge: whether it lies at the picture's edge.
    """

    area: int
    sure: float
    alone: bool
    edge: bool


@dataclass
class Track:
    """Something that moves by itself, as far as it was seen to.

    Attributes:
        colours: of where it was by itself.
        seen: frame to what was seen.
        mask: where it is, or is expected to be, (h, w) in [0, 1].
        missed: frames since it was seen.
    """

    mask: Plane
    colours: Palette = field(default_factory=Palette)
    seen: dict[int, Sight] = field(default_factory=dict)
    missed: int = 0

    @property
    def first(self) -> int:
        return min(self.seen)

    @property
    def last(self) -> int:
        return max(self.seen)


class Linker:
    """Goes through a scene frame by frame.

    Attributes:
        tracks: all so far, by number.
    """

    def __init__(self) -> None:
        self.tracks: dict[int, Track] = {}
        self._live: list[int] = []

    def step(self, number: int, odds: Plane, lab: Lab, back: Field | None) -> dict[int, Mask]:
        """Take in the next frame.

        Args:
            number: the frame.
            odds: (h, w) log odds of independent motion.
            lab: (h, w, 3) its colours.
            back: (h, w, 2) flow from this frame to the one before; None on the first.

        Returns:
            The mask of every track that is seen on it, (h, w) bool; no pixel is in two.
        """
        for i in self._live:
            if back is not None:
                self.tracks[i].mask = pull(self.tracks[i].mask, back)
        found = pieces(odds)
        owners = [self._owners(piece, lab) for piece in found]
        out: dict[int, Mask] = {}
        shared: set[int] = set()
        free: list[Mask] = []
        for piece, own in sorted(zip(found, owners, strict=True), key=lambda pair: -int(pair[0].sum())):
            if not own:
                free.append(piece)
                continue
            if len(own) > 1:
                shared |= set(own)
            for i, part in _parted(piece, {i: self.tracks[i] for i in own}, lab).items():
                if i in out and _gap(out[i], part) > _ASUNDER * piece.shape[0]:
                    free.append(part)
                else:
                    out[i] = out.get(i, np.zeros_like(part)) | part
        for piece in free:
            i = len(self.tracks) + 1
            self.tracks[i] = Track(plane(piece))
            self._live.append(i)
            out[i] = piece
        share = 1 / (1 + np.exp(-odds))
        for i, mask in out.items():
            track = self.tracks[i]
            track.mask, track.missed = plane(mask), 0
            if i not in shared:
                track.colours.learn(lab, track.mask, 1.0 if track.colours.empty else 0.2)
            track.seen[number] = Sight(
                int(mask.sum()), float(share[mask].mean()), i not in shared, _at_edge(mask)
            )
        for i in list(self._live):
            if i not in out:
                self.tracks[i].missed += 1
                gone = self.tracks[i].mask.sum() < 8
                if gone or self.tracks[i].missed > _PATIENCE:
                    self._live.remove(i)
        return out

    def _owners(self, piece: Mask, lab: Lab) -> list[int]:
        """The live tracks that a piece belongs to."""
        size = float(piece.sum())
        out = []
        for i in self._live:
            both = float(self.tracks[i].mask[piece].sum())
            whole = float(self.tracks[i].mask.sum())
            if both > _SHARED * whole or both > _OWNED * size:
                out.append(i)
        if len(out) == 1 and self.tracks[out[0]].colours.likeness(lab, plane(piece)) < _ALIKE:
            return []
        # What hardly shares the piece has no part in it beside one that does.
        best = max((float(self.tracks[i].mask[piece].sum()) for i in out), default=0.0)
        return [i for i in out if float(self.tracks[i].mask[piece].sum()) > 0.08 * best]


def pieces(odds: Plane) -> list[Mask]:
    """Connected pieces of what probably moves by itself, (h, w) bool each, largest first."""
    likely = (odds > _MAYBE).astype(np.uint8)
    likely = cv2.morphologyEx(likely, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(likely, connectivity=4)
    least = LEAST * odds.size
    out = []
    for i in sorted(range(1, count), key=lambda k: -int(stats[k, cv2.CC_STAT_AREA])):
        if stats[i, cv2.CC_STAT_AREA] < least:
            break
        piece = labels == i
        if float((odds[piece] > _SURE).mean()) > 0.3:
            out.append(piece)
    return out


def _parted(piece: Mask, tracks: Mapping[int, Track], lab: Lab) -> dict[int, Mask]:
    """Each pixel of a piece to the track that is nearest, and has its colour."""
    if len(tracks) == 1:
        return dict.fromkeys(tracks, piece)
    fits = [
        np.clip(signed_distance(track.mask), -30, 6) + _COLOUR * np.log(track.colours(lab) + np.float32(2e-5))
        if not track.colours.empty
        else np.clip(signed_distance(track.mask), -30, 6)
        for track in tracks.values()
    ]
    best = cv2.medianBlur(np.stack(fits).argmax(axis=0).astype(np.uint8), 5)
    parts = {i: piece & (best == k) for k, i in enumerate(tracks)}
    return {i: part for i, part in parts.items() if part.any()}


def _gap(a: Mask, b: Mask) -> float:
    """Least distance between two masks, pixels."""
    away = cv2.distanceTransform((~a).astype(np.uint8), cv2.DIST_L2, 3)
    return float(away[b].min())


def _at_edge(mask: Mask) -> bool:
    rim = mask[:_EDGE].any() or mask[-_EDGE:].any() or mask[:, :_EDGE].any() or mask[:, -_EDGE:].any()
    return bool(rim)
