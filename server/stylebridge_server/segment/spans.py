"""Instances followed from prompts: each between two of its key frames by itself, and only what has changed.

A span is the frames of one instance from one key frame to the next, or to an end of the scene. Its labels depend on
the pictures there, on the labels at its ends, on what the surveys of those show, and on the colours that the first
prompt of each other instance gives: what was out of sight is not to be taken for one of them. It depends on nothing
else, neither on what lies beyond nor on where the others are. So a correction changes the two spans beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.segment.colours import Palette, to_lab
from stylebridge_server.segment.follow import BACKWARD, FORWARD, KEY, Keys, Run, Surveys, key_label
from stylebridge_server.segment.merge import between
from stylebridge_server.segment.parts import hashed, packed, pieces, small, unpacked
from stylebridge_server.segment.spool import Spool
from stylebridge_server.segment.survey import Survey
from stylebridge_server.values import Instance, Plane, Prompt, Rgb8

Marker = Callable[[int, Rgb8, Sequence[Prompt], Survey | None], tuple[Plane, str | None]]
"""From frame number, its picture at full resolution, prompts of one name there and the survey of the frame to a label
(h, w) at working size, at least one pixel 1, and the class of the thing where it is known."""

_MADE = 3  # where the spool has what both directions found

Marks = Mapping[tuple[int, int], str]  # instance and key frame -> hash of the label there


@dataclass(frozen=True)
class Span:
    """Frames of one instance from one key frame to the next, or to an end of the scene.

    Attributes:
        first, last: frames, inclusive.
        start, end: the key frame at that end, where there is one.
        name: the hash of all that its labels depend on.
    """

    instance: int
    first: int
    last: int
    start: int | None
    end: int | None
    name: str


def prompted(
    run: Run, scenes: Sequence[tuple[int, int]], prompts: Sequence[Prompt], mark: Marker
) -> list[Instance]:
    """Follow what the prompts point at, whose labels `mark` gives.

    Raises:
        StylebridgeError: BAD_VALUE where a prompt finds nothing; and as `mark` does.
    """
    names = list(dict.fromkeys(prompt.name for prompt in prompts))
    ids = {name: i + 1 for i, name in enumerate(names)}
    classes: dict[int, str] = {}
    per_scene = [(a, b, [p for p in prompts if a <= p.frame <= b]) for a, b in scenes]
    per_scene = [scene for scene in per_scene if scene[2]]
    run.total = 3 * sum(b - a + 1 for a, b, _ in per_scene)
    for first, last, own in per_scene:
        with Spool(*run.size) as spool:
            surveys = Surveys(run, first, last)
            marks: dict[tuple[int, int], str] = {}
            for frame in sorted({p.frame for p in own}):
                for name in names:
                    group = [p for p in own if p.frame == frame and p.name == name]
                    if group:
                        data, kind = _marked(run, frame, group, mark, surveys)
                        spool.put_small(KEY, ids[name], frame, data)
                        marks[ids[name], frame] = hashed(data)
                        if kind:
                            classes.setdefault(ids[name], kind)
            firsts = {ids[p.name]: p.frame for p in reversed(own)}
            _scene(run, first, last, marks, firsts, surveys, spool)
    for prompt in prompts:
        if not run.seen(ids[prompt.name]):
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The prompt {prompt.name!r} on frame {prompt.frame} finds nothing that stands out there: move it "
                "onto the thing, or add points.",
            )
    return [run.instance(ids[name], name, classes.get(ids[name])) for name in names]


def _marked(
    run: Run, frame: int, group: Sequence[Prompt], mark: Marker, surveys: Surveys
) -> tuple[bytes, str | None]:
    """What `mark` makes of prompts of one name on one frame, compressed, and its class; kept by what it depends on."""
    name = hashed("mark", run.method, run.size, surveys.contents(frame), [_asked(prompt) for prompt in group])
    kept = run.parts.get(name)
    if kept is None:
        label, kind = mark(frame, run.full(frame), group, surveys(frame))
        kept = packed([small(label), kind])
        run.parts.put(name, kept)
    data, kind = unpacked(kept)
    return data, kind


def _asked(prompt: Prompt) -> list[object]:
    """All of a prompt that its label depends on."""
    matte = None if prompt.matte is None else [prompt.matte.shape, prompt.matte.tobytes()]
    return [prompt.points, prompt.not_points, prompt.box, prompt.scribbles, prompt.not_scribbles, matte]


def _scene(
    run: Run, first: int, last: int, marks: Marks, firsts: Mapping[int, int], surveys: Surveys, spool: Spool
) -> None:
    """Follow the instances of one scene from their key frames both ways, then write their mattes.

    Args:
        firsts: by instance, the frame of its first prompt as they are listed, whatever was corrected later.
    """
    spans = _spans(run, first, last, marks, firsts, surveys)
    missing = [span for span in spans if not _load(run, span, spool)]
    colours = _colours(run, firsts, spool) if missing and len(firsts) > 1 else {}
    rivals = {i: [other for j, other in colours.items() if j != i] for i in colours}
    for direction in (FORWARD, BACKWARD):
        keys: Keys = {}
        within: dict[int, list[tuple[int, int]]] = {}
        for span in missing:
            key, other = (span.start, span.end) if direction == FORWARD else (span.end, span.start)
            if key is None:
                continue
            keys.setdefault(key, []).append(span.instance)
            # At the other end the label is given; nothing is followed up to there.
            begins = span.first + (direction == BACKWARD and other is not None)
            ends = span.last - (direction == FORWARD and other is not None)
            within.setdefault(span.instance, []).append((min(begins, key), max(ends, key)))
        numbers = range(first, last + 1) if direction == FORWARD else range(last, first - 1, -1)
        run.sweep(direction, numbers, keys, spool, within, surveys, rivals)
    for span in missing:
        _keep(run, span, spool)
    run.write(first, last, {i: i for i, _ in sorted(marks)}, lambda i, number: spool.get(_MADE, i, number))


def _colours(run: Run, firsts: Mapping[int, int], spool: Spool) -> dict[int, Palette]:
    """The colours of each instance where its first prompt gives it."""
    out = {}
    for instance, frame in firsts.items():
        out[instance] = Palette()
        out[instance].learn(to_lab(run.at(frame)), key_label(spool, instance, frame))
    return out


def _spans(
    run: Run, first: int, last: int, marks: Marks, firsts: Mapping[int, int], surveys: Surveys
) -> list[Span]:
    """All spans of a scene, by instance and time."""
    out = []
    shown = {i: [marks[i, frame], run.content(frame)] for i, frame in firsts.items()}
    for instance in sorted({i for i, _ in marks}):
        frames = sorted(frame for i, frame in marks if i == instance)
        for start, end in zip([None, *frames], [*frames, None], strict=True):
            begins, ends = first if start is None else start, last if end is None else end
            given = [
                None if key is None else [marks[instance, key], surveys.contents(key)] for key in (start, end)
            ]
            contents = [run.content(number) for number in range(begins, ends + 1)]
            others = [what for other, what in sorted(shown.items()) if other != instance]
            name = hashed("span", run.method, run.size, given, contents, others)
            out.append(Span(instance, begins, ends, start, end, name))
    return out


def _load(run: Run, span: Span, spool: Spool) -> bool:
    """Take the labels of a span that was followed in an earlier call."""
    for part in pieces(span.first, span.last):
        kept = run.parts.get(hashed(span.name, part.start - span.first))
        if kept is None:
            return False
        for number, data in zip(part, unpacked(kept), strict=True):
            spool.put_small(_MADE, span.instance, number, data)
    return True


def _keep(run: Run, span: Span, spool: Spool) -> None:
    """Make one label a frame of what both directions found between two key frames, and keep them."""
    keys = [key for key in (span.start, span.end) if key is not None]
    for part in pieces(span.first, span.last):
        made = []
        for number in part:
            if number in keys:
                label: Plane | None = key_label(spool, span.instance, number)
            else:
                ahead, back = (spool.get(way, span.instance, number) for way in (FORWARD, BACKWARD))
                label = between(number, keys, ahead, back)
            made.append(small(np.zeros(run.size, np.float32) if label is None else label))
            spool.put_small(_MADE, span.instance, number, made[-1])
        run.parts.put(hashed(span.name, part.start - span.first), packed(made))
