"""Makes the analysis of a shot: reads it once for its cuts, then finds and tracks its instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import cv2

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import segment, temporal
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.shot.cache import key
from stylebridge_server.shot.footprint import Estimate, of_analysis
from stylebridge_server.shot.shot import AnyShot
from stylebridge_server.values import GivenMatte, Prompt, Rgb8, SourceInfo

Progress = Callable[[int, int, str], None]  # done, total, stage

METHOD = "2"  # raised when the same inputs would give another analysis
CUT_SIDE = 256  # long side of the pictures in which cuts are looked for


class _Pictures:
    """A shot as the segmenters read it: 8-bit display-referred RGB at full resolution."""

    def __init__(self, shot: AnyShot) -> None:
        self._shot = shot

    @property
    def size(self) -> tuple[int, int]:
        return self._shot.info.height, self._shot.info.width

    def read(self, number: int) -> Rgb8:
        return self._shot.display8(self._shot.read(number))

    def content(self, number: int) -> str:
        return self._shot.content(number)


def analyse(
    shot: AnyShot,
    prompts: Sequence[Prompt],
    segmenter: str,
    store: AnalysisStore,
    progress: Progress,
    check_cancelled: Callable[[], None],
    admit: Callable[[SourceInfo, Estimate], None] = lambda info, estimate: None,
    device: str = "cpu",
    mattes: Sequence[GivenMatte] = (),
    parts: segment.Parts = segment.FORGETFUL,
) -> Analysis:
    """The analysis of a shot; found in the store where it was made from the same inputs before.

    Args:
        shot: its whole declared range is analysed.
        prompts: point at the instances; none lets the segmenter find them by itself.
        segmenter: name of a back end, or "auto": where all that is asked for are given mattes, "host".
        store: where analyses are kept.
        progress: called with frames done, frames in all and the stage.
        check_cancelled: raises when the client no longer wants the result.
        admit: told what making it takes, before any is taken; raises where that is too much.
        device: where networks run.
        mattes: instances that the user brings.
        parts: of the tracking, from analyses of the same shot with other prompts and from those that did not come to
            their end; they make it cheaper and change nothing.

    Raises:
        StylebridgeError: as the sources and segmenters do; not_readable where not one frame can be read.
    """
    if segmenter == "auto" and mattes and not prompts:
        segmenter = "host"
    chosen = segment.load(segmenter, device, pointed=bool(prompts))
    _check_names(prompts, mattes, chosen.name)
    shot.check_current()
    inputs = key(
        "analysis",
        METHOD,
        shot.identity(),
        chosen.name,
        chosen.checksum,
        [_prompt_key(one) for one in prompts],
        *([[(one.name, one.z, one.content) for one in mattes]] if mattes else []),
    )
    found = store.find(inputs)
    if found is not None:
        return found
    info = shot.info
    admit(info, partial(of_analysis, instances=chosen.name != "none", network=chosen.memory))
    last = info.first - 1

    def pictures() -> Iterator[tuple[int, Rgb8]]:
        nonlocal last
        try:
            for frame in shot.frames(info.first, info.last):
                check_cancelled()
                last = frame.number
                yield frame.number, _small(shot.display8(frame))
                progress(last - info.first + 1, info.count, "reading")
        except StylebridgeError as error:
            # What can be read of a truncated source is a shot of its own right; the renderer says where it ends.
            if error.code != Code.PARTIAL:
                raise

    cuts = temporal.find_cuts(pictures())
    if last < info.first:
        raise StylebridgeError(
            Code.NOT_READABLE, "Not one frame of the source can be read: it is damaged or empty."
        )
    builder = store.builder(info.width, info.height)
    starts = [info.first, *cuts]
    scenes = [(start, end - 1) for start, end in zip(starts, [*cuts, last + 1], strict=True)]

    def tracked(done: int, total: int) -> None:
        check_cancelled()
        progress(done, total, "tracking")

    found_by_it = chosen.track(
        _Pictures(shot),
        scenes,
        list(prompts),
        partial(temporal.flow_pair, test=temporal.occlusion),
        segment.Beside(builder, len(mattes)),
        tracked,
        parts,
    )

    def taken(done: int, total: int) -> None:
        check_cancelled()
        progress(done, total, "reading mattes")

    instances = segment.write_given(mattes, found_by_it, range(info.first, last + 1), builder, taken)
    return builder.finish(
        inputs,
        first=info.first,
        last=last,
        cuts=cuts,
        instances=instances,
        segmenter=chosen.name,
        made_with={"method": METHOD, "segmenter": chosen.checksum},
    )


def _check_names(prompts: Sequence[Prompt], mattes: Sequence[GivenMatte], segmenter: str) -> None:
    """Refuse mattes that looks could not tell from prompts, and any for a segmenter that has no instances."""
    for one in mattes:
        if segmenter == "none":
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The segmenter 'none' has no instances and cannot take matte {one.name!r}; choose 'auto' or 'host'.",
            )
        if any(one.name == prompt.name for prompt in prompts):
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"A matte and a prompt are both called {one.name!r}; call one of them otherwise.",
            )


def _small(picture: Rgb8) -> Rgb8:
    height, width = picture.shape[:2]
    scale = CUT_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _prompt_key(prompt: Prompt) -> str:
    matte = None if prompt.matte is None else key(prompt.matte.shape, prompt.matte.tobytes())
    drawn = (prompt.scribbles, prompt.not_scribbles) if prompt.scribbles or prompt.not_scribbles else ()
    return key(prompt.name, prompt.frame, prompt.points, prompt.not_points, prompt.box, matte, *drawn)
