"""Find things without being told: what moves by itself, or else the one thing in a still picture that stands out.

A scene is looked through once: every frame is judged by the network of motion, what it marks is linked into tracks
(`tracks`), and the best frames of each lasting track, cut out anew along the picture's edges, are given to the tracker
as key frames. Tracks of one thing (it was hidden, it left and came back) are joined where place or colours say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment import evidence
from stylebridge_server.segment.colours import Palette, to_lab
from stylebridge_server.segment.cut import cut, edge_weights
from stylebridge_server.segment.follow import KEY, Keys, Run
from stylebridge_server.segment.independent import independence
from stylebridge_server.segment.motion import pull
from stylebridge_server.segment.planes import grow, plane, shrink, signed_distance, without_threads
from stylebridge_server.segment.prompts import label
from stylebridge_server.segment.shadows import is_shadow
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.tracks import Linker, Track
from stylebridge_server.values import Plane, Prompt, Rgb8

MOST = 8  # instances found in one scene; those seen most are taken

_MOVING = 4  # frames that a scene needs for motion to be looked for
_LASTING = 5  # frames on which a track must be seen
_ITSELF = 8  # frames, or half the scene's, on which something that was never seen before must be seen
_EVERY = 6  # frames from one key frame of an instance to the next
_ASKED = 4  # key frames on which it is asked whether a track is a shadow
_TYPICAL = 0.75  # share of its usual area, within so many frames, that a track must show on a key frame
_AROUND = 16
_CONVINCING = 0.6  # mean probability there
_COLOUR, _ODDS, _NEARNESS = 0.9, 0.8, 0.5
_SMOOTHNESS = 2.0
_RING = 14  # pixels around a piece whose colours are the background's
_HEARD = 0.4  # overlap of motion and looks from which looks are heard
_AGREED = 0.7  # and from which a frame is a good key frame
_ALIKE = 0.8  # likeness of colours at which a thing that left is back
_STAYS = 0.7  # likeness of colours from which what is not seen to move any more stands still
_BEYOND = 6  # frames that a track is believed before it is first seen and after it is last seen at the picture's edge


@dataclass
class Found:
    """What was found in one scene.

    Attributes:
        keys: frames on which labels are given; they lie in the spool under KEY.
        spans: instance to first and last of the frames on which it is believed.
    """

    keys: Keys = field(default_factory=dict)
    spans: dict[int, list[tuple[int, int]]] = field(default_factory=dict)


def find(run: Run, first: int, last: int, spool: Spool) -> Found:
    """Look through one scene for things that move by themselves.

    Args:
        run: gives the frames; is told of one step a frame.
        first, last: the scene.
        spool: takes the labels of key frames, at working size.

    Returns:
        Instances numbered from 1 in order of appearance; empty where nothing moves by itself.
    """
    small = evidence.size(*run.size)
    if min(small) < evidence.SMALLEST or last - first + 1 < _MOVING:
        run.tick(last - first + 1)
        return _still(run, (first + last) // 2, first, last, spool)

    def read(number: int) -> Rgb8:
        return np.asarray(cv2.resize(run.at(number), small[::-1], interpolation=cv2.INTER_AREA), np.uint8)

    flows = evidence.Flows(read, run.flow, first, last)
    linker = Linker()
    with Spool(*small) as kept:
        for number in range(first, last + 1):
            odds = independence(flows, number)
            back = flows.between(number, number - 1).forward if number > first else None
            lab = to_lab(flows.frame(number))
            for i, mask in linker.step(number, odds, lab, back).items():
                kept.put(_MASKS, i, number, plane(mask))
            kept.put(_SHARES, 0, number, plane(1 / (1 + np.exp(-odds))))
            run.tick()
        return _chosen(run, linker.tracks, flows, kept, spool)


_MASKS, _SHARES = 0, 1


def _still(run: Run, number: int, first: int, last: int, spool: Spool) -> Found:
    """What stands out on a frame of a scene that is too short, or too small, for motion to tell anything."""
    thing = standing_out(number, run.at(number))
    if thing is None:
        return Found()
    spool.put(KEY, 1, number, thing)
    return Found({number: [1]}, {1: [(first, last)]})


def _chosen(run: Run, tracks: dict[int, Track], flows: evidence.Flows, kept: Spool, spool: Spool) -> Found:
    """Instances out of tracks, with their key frames."""
    first, last = flows.first, flows.last
    lasting = [i for i, track in tracks.items() if _lasts(track, last - first + 1)]
    lasting = sorted(
        sorted(lasting, key=lambda i: -len(tracks[i].seen))[:MOST], key=lambda i: (tracks[i].first, i)
    )
    found = Found()
    looks: dict[int, Palette] = {}  # instance to its colours
    ends: dict[int, Track] = {}  # instance to its track that ended last
    for i in lasting:
        track = tracks[i]
        labels = {}
        frames = _key_frames(track)
        masks = {n: _whole(kept.get(_MASKS, i, n)) > 0.5 for n in frames[:: max(1, len(frames) // _ASKED)]}
        if is_shadow(flows, masks):
            continue
        agreed: dict[int, float] = {}
        for number in frames:
            rgb, share = run.at(number), _scaled(kept.get(_SHARES, 0, number), run.size)
            given = outline(rgb, share, _scaled(kept.get(_MASKS, i, number), run.size))
            if given is not None:
                labels[number], agreed[number] = _confirmed(number, rgb, share, given)
        # Where motion and looks do not see the same, one of them errs.
        least = min(_AGREED, max(agreed.values(), default=0.0))
        labels = {number: given for number, given in labels.items() if agreed[number] >= least}
        if not labels:
            continue
        best = max(labels, key=lambda n: float(labels[n].sum()))
        lab = to_lab(run.at(best))
        instance = _same(track, lab, labels[best], looks, ends)
        if instance is None and len(track.seen) < min(_ITSELF, (last - first + 1) // 2):
            continue
        instance = instance or len(found.spans) + 1
        looks.setdefault(instance, Palette()).learn(lab, shrink(labels[best], 1))
        spans = found.spans.setdefault(instance, [])
        ahead, behind = (_whole(kept.get(_MASKS, i, n)) for n in (track.first, track.last))
        comes = _left(track, track.first, track.first - _BEYOND, ahead, flows)
        goes = _left(track, track.last, track.last + _BEYOND, behind, flows)
        begins = track.first - _BEYOND if comes else first
        stops = track.last + _BEYOND if goes else last
        if spans and not (comes and spans[-1][1] < last):
            begins = spans.pop()[0]  # it was hidden, or stood still
        spans.append((begins, stops))
        ends[instance] = track
        for number, given in labels.items():
            spool.put(KEY, instance, number, given)
            found.keys.setdefault(number, []).append(instance)
    return found


def _lasts(track: Track, frames: int) -> bool:
    sure = [sight for sight in track.seen.values() if sight.sure > _CONVINCING]
    return len(sure) >= min(_LASTING, frames)


def _key_frames(track: Track) -> list[int]:
    """Frames on which a track is seen well: by itself, about whole, surely; and not too many."""
    good = {}
    for number, sight in track.seen.items():
        near = [other.area for n, other in track.seen.items() if abs(n - number) <= _AROUND]
        whole = sight.area / float(np.percentile(near, 75))
        if sight.alone and sight.sure > _CONVINCING and whole > _TYPICAL * (0.5 if sight.edge else 1):
            good[number] = sight.sure * min(whole, 1.1) * (0.8 if sight.edge else 1)
    out: list[int] = []
    for number in sorted(good, key=lambda n: (-good[n], n)):
        if all(abs(number - other) >= _EVERY for other in out):
            out.append(number)
    return sorted(out)


def _left(track: Track, number: int, beyond: int, mask: Plane, flows: evidence.Flows) -> bool:
    """Whether a track that was seen to the frame `number`, at the picture's edge, is gone at the frame `beyond`.

    What stands still is not seen to move either: then the flow leads to the same colours.
    """
    if not track.seen[number].edge:
        return False
    if not flows.first <= beyond <= flows.last:
        return False
    pair = flows.between(number, beyond)
    before, after = (to_lab(flows.frame(n)) for n in (number, beyond))
    colours = Palette()
    colours.learn(before, mask)
    return colours.likeness(pull(after, pair.forward), plane(mask * (pair.forward_valid > 0.5))) < _STAYS


def _same(
    track: Track, lab: NDArray[np.float32], label_: Plane, looks: dict[int, Palette], ends: dict[int, Track]
) -> int | None:
    """The instance that was there before and is back."""
    best, score = None, _ALIKE
    for instance, palette in looks.items():
        if ends[instance].last < track.first:
            alike = palette.likeness(lab, label_)
            if alike > score:
                best, score = instance, alike
    return best


def _whole(share: Plane | None) -> Plane:
    assert share is not None
    return share


def _scaled(share: Plane | None, size: tuple[int, int]) -> Plane:
    return plane(cv2.resize(_whole(share), size[::-1], interpolation=cv2.INTER_LINEAR))


def outline(rgb: Rgb8, share: Plane, mask: Plane) -> Plane | None:
    """Cut a thing out along the picture's edges where the network has marked it coarsely.

    Args:
        rgb: (h, w, 3) uint8 at working size.
        share: (h, w) in [0, 1], the network's probability.
        mask: (h, w) in [0, 1], the track's share of the picture.

    Returns:
        (h, w) float32, 0 or 1; None where nothing is left.
    """
    hard = mask > 0.5
    if not hard.any():
        return None
    x, y, bw, bh = cv2.boundingRect(hard.astype(np.uint8))
    margin = 2 * _RING
    window = np.s_[max(y - margin, 0) : y + bh + margin, max(x - margin, 0) : x + bw + margin]
    lab, share, mask, hard = to_lab(rgb)[window], share[window], mask[window], hard[window]
    near = grow(hard, _RING) > 0
    odds = np.log((share + 0.02) / (1.02 - share))
    odds = np.where(grow(hard, 3) > 0, odds, np.minimum(odds, -1))
    inside, outside = Palette(), Palette()
    # Its core: near the edge of what moves DIS takes flat surroundings along.
    depth = np.clip(signed_distance(plane(hard)), 0, None) * (share > 0.5)
    inside.learn(lab, plane(depth >= min(0.35 * float(depth.max()), 6.0)))
    outside.learn(lab, plane(near & ~(grow(hard, 2) > 0) & (share < 0.3)))
    colour = (
        np.log((inside(lab) + 2e-5) / (outside(lab) + 2e-5)) if not outside.empty else np.zeros_like(odds)
    )
    logit = (
        _ODDS * odds
        + _COLOUR * np.clip(colour, -3, 3)
        + _NEARNESS * np.clip(signed_distance(plane(hard)) / 3, -4, 2)
    )
    u = cut(np.clip(plane(logit), -8, 8), edge_weights(lab), _SMOOTHNESS)
    found = without_threads((u > 0.5).astype(np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    keep = [
        i
        for i in range(1, count)
        if float(hard[parts == i].mean()) > 0.3 and stats[i, cv2.CC_STAT_AREA] >= 12
    ]
    if not keep:
        return None
    out = np.zeros(rgb.shape[:2], np.float32)
    out[window] = np.isin(parts, keep)
    return out


def _confirmed(number: int, rgb: Rgb8, share: Plane, given: Plane) -> tuple[Plane, float]:
    """A label with the opinion of the network that looks where a box points, and how far that agreed."""
    h, w = given.shape
    x, y, bw, bh = cv2.boundingRect((given > 0.5).astype(np.uint8))
    box = max(x - 2, 0) / w, max(y - 2, 0) / h, min(x + bw + 2, w) / w, min(y + bh + 2, h) / h
    try:
        seen = plane(label(rgb, [Prompt("thing", number, box=box)], None, by_cut=False) > 0.5)
    except StylebridgeError as error:
        if error.code != Code.BAD_VALUE:
            raise
        return given, 0.0
    shared = float((seen * given).sum())
    agreed = shared / max(float(seen.sum() + given.sum()) - shared, 1.0)
    if agreed < _HEARD:
        return given, agreed
    both = outline(rgb, plane((2 * share + seen) / 3), np.maximum(seen, given))
    return (given if both is None else both), agreed


def standing_out(number: int, rgb: Rgb8) -> Plane | None:
    """The one thing in a still picture whose colours the picture's border does not have.

    Args:
        number: the frame's number, for messages only.
        rgb: (h, w, 3) uint8, the picture at working size.

    Returns:
        Its label (h, w) float32, or None where nothing stands out clearly.
    """
    h, w = rgb.shape[:2]
    band = min(h, w) // 12
    if band < 2:
        return None
    lab = to_lab(rgb)
    border = np.ones((h, w), np.float32)
    border[band : h - band, band : w - band] = 0
    ground, rest = Palette(), Palette()
    ground.learn(lab, border)
    rest.learn(lab, 1 - border)
    strange = plane(np.log((rest(lab) + 1e-5) / (ground(lab) + 1e-5)) > 1.5) * (1 - border)
    joined = shrink(grow(grow(shrink(strange, 1), 1), 3), 3).astype(np.uint8)
    box = _largest(joined, 0.01 * h * w)
    if box is None:
        return None
    x0, y0, x1, y1 = box
    try:
        thing = label(rgb, [Prompt("thing", number, box=(x0 / w, y0 / h, x1 / w, y1 / h))], None)
    except StylebridgeError as error:
        if error.code != Code.BAD_VALUE:
            raise
        return None
    size = float(thing.sum())
    clear = 0.01 * h * w <= size <= 0.5 * h * w and float((thing * strange).sum()) > 0.6 * size
    return thing if clear and float((thing * border).sum()) < 0.05 * size else None


def _largest(mask: NDArray[np.uint8], least: float) -> tuple[int, int, int, int] | None:
    """Box of the largest piece of a mask, with a margin, where it has `least` pixels."""
    h, w = mask.shape
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    i = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, bw, bh, area = (int(v) for v in stats[i])
    if area < least:
        return None
    mx, my = max(4, bw // 8), max(4, bh // 8)
    return max(x - mx, 0), max(y - my, 0), min(x + bw + mx, w), min(y + bh + my, h)
