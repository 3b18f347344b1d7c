"""What a worker does for `render`: styled frames, or their layers, at the plate's size or as a proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge.protocol import FLAT, LAYERS, MATTES, PREVIEW_SCALE
from stylebridge_server import composite, steps, temporal
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.shot.footprint import Estimate, extent, of_mattes, of_render
from stylebridge_server.shot.proxy import Proxy
from stylebridge_server.shot.pushed import LIVE_LAST
from stylebridge_server.shot.render import Resolved, render, render_layer, resolve, shares_of
from stylebridge_server.shot.shot import AnyShot
from stylebridge_server.shot.streams import Streams, Workshop
from stylebridge_server.values import Pixels
from stylebridge_server.worker.admission import Memory
from stylebridge_server.worker.context import Context
from stylebridge_server.worker.flows import Flows
from stylebridge_server.worker.styles import Styles

LIVE_SCENE = (0, LIVE_LAST)  # a camera's only scene

Data = dict[str, Any]


class Rendering:
    """The streams of the open shots, and how requests are answered with them.

    Args:
        analyses: of shots.
        styles: finds what paints.
        flows: finds what follows.
        workshop: network and caches.
        memory: says what may be taken.

    Attributes:
        frames: how many were sent.
    """

    def __init__(
        self, analyses: AnalysisStore, styles: Styles, flows: Flows, workshop: Workshop, memory: Memory
    ) -> None:
        self.frames = 0
        self._analyses, self._styles, self._flows = analyses, styles, flows
        self._workshop, self._memory = workshop, memory
        self._streams: dict[tuple[str, int], tuple[str, Streams]] = {}  # by shot and scale

    def render(self, context: Context, request: Data, shot: AnyShot, preview: bool = False) -> Data:
        """Send what is asked for, frame by frame, in the order asked for.

        Args:
            preview: each frame by itself, whatever the look says of its window, and says so.

        Raises:
            StylebridgeError: as looks, sources and styles do; bad_request, bad_value, partial, too_large.
        """
        with contextlib.ExitStack() as stack:
            return self._render(context, request, shot, preview, stack)

    def _render(
        self, context: Context, request: Data, shot: AnyShot, preview: bool, stack: contextlib.ExitStack
    ) -> Data:
        analysis = self._analysis(shot, request)
        look = self._look(context, request, shot, analysis, stack)
        scale = request.get("scale") or (PREVIEW_SCALE if preview else 1)
        if preview:
            look = replace(look, shot={**look.shot, "window": 1})
        estimate: Estimate = partial(of_render, scale=scale, **extent(look, shot.info))
        if request.get("output") == MATTES:
            estimate = partial(of_mattes, instances=len(analysis.instances) if analysis else 0, scale=scale)
        self._memory.admit("Styling", shot.info, estimate)
        seen = shot if scale == 1 else Proxy(shot, scale)
        streams = self._streams_of(seen, shot.id, scale, analysis)
        numbers = request["frames"]
        for done, number in enumerate(numbers):
            context.check_cancelled()
            if analysis is not None and analysis.last < number <= shot.info.last:
                raise StylebridgeError(
                    Code.PARTIAL,
                    f"The source is cut off or damaged: it can be read up to frame {analysis.last}, "
                    f"and was to be styled up to frame {max(numbers)}.",
                    last=analysis.last,
                )
            context.progress(done, len(numbers), "styling")
            output = request.get("output")
            if output == LAYERS:
                self._send_layers(context, request, seen, analysis, look, number, streams)
            elif output == MATTES:
                _send_mattes(context, request, seen, analysis, look, number)
            else:
                styled = self._made(context, seen, partial(render, seen, analysis, look, number, streams))
                notes = {**_notes(seen, look, number, streams), **({"preview": True} if preview else {})}
                context.frame(number, styled.pixels, notes)
            self.frames += 1
        context.progress(len(numbers), len(numbers), "styling")
        return {
            "fingerprint": self._workshop.fingerprint,
            "preview": preview,
            "scale": scale,
            "window": _window(look),
        }

    def closed(self, shot: str) -> None:
        """Let go of what is kept for a shot, by its id."""
        for kept in [kept for kept in self._streams if kept[0] == shot]:
            del self._streams[kept]

    def _analysis(self, shot: AnyShot, request: Data) -> Analysis | None:
        if shot.live:
            return None
        if request.get("analysis") is None:
            raise StylebridgeError(
                Code.BAD_REQUEST,
                "A render names the analysis of its shot, whose cuts it must know: analyse first.",
            )
        analysis = self._analyses.load(request["analysis"])
        if (analysis.width, analysis.height) != (shot.info.width, shot.info.height):
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"The analysis is of a shot of {analysis.width} x {analysis.height}, this one has "
                f"{shot.info.width} x {shot.info.height}: name the analysis of this shot.",
            )
        return analysis

    def _look(
        self,
        context: Context,
        request: Data,
        shot: AnyShot,
        analysis: Analysis | None,
        stack: contextlib.ExitStack,
    ) -> Resolved:
        output = request.get("output") or FLAT
        said = Look.from_data(request["look"]).for_output(output)
        followed = bool(said.styles) and said.shot["window"] > 1 and said.shot["steadiness"] > 0
        flow = self._flows.find(context, said.shot, shot.info, stack) if followed else temporal.DIS
        look = resolve(said, shot, analysis, partial(self._styles.find, context.file, said.models), flow)
        if output == LAYERS and not look.styled:
            raise StylebridgeError(
                Code.BAD_LOOK, "The look styles nothing, so it has no layers: give an instance a style."
            )
        if request.get("samples") and output == FLAT:
            raise StylebridgeError(
                Code.BAD_REQUEST,
                "Styled frames have the sample type of their source; only layers and mattes are asked for in another.",
            )
        return look

    def _send_layers(
        self,
        context: Context,
        request: Data,
        shot: AnyShot | Proxy,
        analysis: Analysis | None,
        look: Resolved,
        number: int,
        streams: Streams,
    ) -> None:
        """One picture for each styled instance, one at a time."""
        shares = shares_of(shot, analysis, look, number)
        last = look.styled[-1]
        for one in look.styled:
            work = partial(
                render_layer, shot, look, one, number, streams, shares[one], request.get("samples")
            )
            pixels: Pixels = self._made(context, shot, work)
            notes = _notes(shot, look, number, streams)
            context.frame(number, pixels, {"layer": one, **notes}, more=one != last)

    def _made(self, context: Context, shot: AnyShot | Proxy, work: Callable[[], Any]) -> Any:
        with steps.followed(context.progress):
            return self._memory.relieved("Styling", shot.info, work)

    def _streams_of(self, seen: AnyShot | Proxy, shot: str, scale: int, analysis: Analysis | None) -> Streams:
        """The streams of a shot as it is seen at a scale, made anew when the cuts are others."""
        scenes, repeats = ([LIVE_SCENE], ()) if analysis is None else (analysis.scenes(), analysis.repeats)
        kept, told = self._streams.get((shot, scale)), repr((scenes, repeats))
        if kept is None or kept[0] != told:
            kept = self._streams[shot, scale] = (told, Streams(seen, scenes, self._workshop, repeats))
        return kept[1]


def _notes(shot: AnyShot | Proxy, look: Resolved, number: int, streams: Streams) -> Data:
    """What is said of a frame beside its pixels: how many of the source's are not finite, where any are; whether
    frames were lacking that would have steadied it."""
    lost = shot.encoding.lost(shot.read(number).pixels)
    notes: Data = {"not_finite": lost} if lost else {}
    if streams.is_short(_window(look), number) and any(
        one.amount(number) > 0 for one in look.layers.values()
    ):
        notes["window_short"] = True
    return notes


def _window(look: Resolved) -> int:
    """How many frames count."""
    return int(look.shot["window"]) if look.shot["steadiness"] > 0 else 1


def _send_mattes(
    context: Context,
    request: Data,
    shot: AnyShot | Proxy,
    analysis: Analysis | None,
    look: Resolved,
    number: int,
) -> None:
    """One plane for each instance and the background."""
    shares = sorted(shares_of(shot, analysis, look, number, every=True).items())
    for one, share in shares:
        plane = composite.in_samples(share, request.get("samples") or shot.info.dtype)
        context.frame(number, plane[..., None], {"layer": one}, more=one != shares[-1][0])
