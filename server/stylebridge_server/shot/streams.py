"""Streams: one style over one shot at full strength, steady over time.

A stream is a pure function of the frames of its window, the cuts, the style and the model. It knows nothing of
mattes, so no style can smear over an edge and no edit of a matte makes it stale. It is computed at network size
in fixed tiles, and only the tiles asked for: at t the tiles that an instance touches, and at each other frame of
the window the tiles that the motion leads to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from stylebridge import reach
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server import style, temporal
from stylebridge_server.shot import tiling
from stylebridge_server.shot.cache import Cache, key
from stylebridge_server.shot.disk import Array, DiskStore
from stylebridge_server.shot.proxy import Proxy
from stylebridge_server.shot.repeats import Repeats
from stylebridge_server.shot.shot import AnyShot
from stylebridge_server.shot.tiling import Size
from stylebridge_server.shot.windows import Window
from stylebridge_server.steps import say, step
from stylebridge_server.values import FlowPair, Plane, Rgb, Tile

SCENE_SAMPLES = 9  # frames of a scene whose mean statistics the network is given


@dataclass(frozen=True)
class StreamSpec:
    """What distinguishes one stream of a shot from another.

    Attributes:
        style: what paints it.
        stroke: stroke size; 1 is the network's own at a short side of 540 lines.
        window: number of frames blended, half of them before the current one and half after.
        steadiness: weight of the other frames; 0 is each frame by itself, bit for bit.
        flow: what the frames are followed by.
    """

    style: style.Style
    stroke: float
    window: int
    steadiness: float
    flow: temporal.Flow = temporal.DIS


@dataclass
class Workshop:
    """What all shots of a worker share.

    Attributes:
        engine: the style network.
        fingerprint: names library versions, instruction set, threads and weights; part of every cache key.
        results: finished stream tiles, what a changed strength or matte reads again.
        intermediates: plates, features, flows and styled tiles, what the next frame of a window reads again.
        disk: finished and styled tiles that outlive this process; None for none.
    """

    engine: style.Engine
    fingerprint: str
    results: Cache
    intermediates: Cache
    disk: DiskStore | None = None


@dataclass
class _Moment:
    """What the streams of one frame share, kept only until another frame is asked for."""

    number: int
    taps: dict[tuple[Size, Window, float, tuple[str, ...]], temporal.Taps] = field(default_factory=dict)
    detail: dict[Size, Rgb] = field(default_factory=dict)


class Streams:
    """The streams of one shot.

    Args:
        shot: where frames come from.
        scenes: (first, last) of every scene, ascending; windows and statistics never cross them.
        workshop: network and caches.
        repeats: frames that show what the one before them shows; none begins a scene.
    """

    def __init__(
        self,
        shot: AnyShot | Proxy,
        scenes: Sequence[tuple[int, int]],
        workshop: Workshop,
        repeats: Iterable[int] = (),
    ) -> None:
        self._shot = shot
        self._scenes = list(scenes)
        self._workshop = workshop
        self._repeats = Repeats(repeats)
        self._statistics: dict[tuple[int, Size], NDArray[np.float32]] = {}
        self._scene_keys: dict[int, str] = {}
        self._chains: dict[tuple[str, Size, int, str], list[str]] = {}
        self._moment = _Moment(shot.info.first - 1)

    def picture(self, spec: StreamSpec, number: int, detail: float, wanted: Plane) -> Rgb:
        """The stream at full size, right wherever `wanted` is above 0.

        Above network size the picture is enlarged and given back the source's own fine detail, which is as steady
        as the source: S = up(stream) + detail (I - up(down(I))).

        Args:
            spec: which stream.
            number: frame.
            detail: share of the source's detail above network size, in [0, 1].
            wanted: (H, W) float32 plane that says where.

        Returns:
            (H, W, 3) float32 display-referred sRGB in [0, 1].
        """
        info = self._shot.info
        number = self._repeats.first(number)
        full = (info.height, info.width)
        size = style.network_size(info.height, info.width, spec.stroke)
        canvas = np.zeros((*size, 3), np.float32)
        for group in tiling.groups(tiling.touched(style.tiles(*size), size, full, wanted)):
            step()
            self._stream_tiles(spec, number, size, group, canvas)
        if size == full:
            return canvas
        step()
        large = cv2.resize(canvas, (full[1], full[0]), interpolation=cv2.INTER_CUBIC)
        step()
        if detail > 0:
            large += self._detail(number, size) * np.float32(detail)
        return np.clip(large, 0, 1, out=large)

    def is_short(self, window: int, number: int) -> bool:
        """Whether frames would count in a frame's window that the source has and that were not given.

        A cut, and the source's own first and last frame, end a window as they should. Where a cut lies among frames
        that were not given nobody knows.
        """
        info = self._shot.info
        if info.whole is None:
            return False
        first, last = self._scene(number)
        found = Window.of(self._repeats.first(number), window, (first, last), self._repeats, self._shot.live)
        # Repeats are passed over, so a window may reach further than its handles; how far among frames that were not
        # given nobody knows: at least as many as it lacks.
        before, after = reach.handles(window)
        lacks_before = len(found.before) < before and first == info.first > info.whole[0]
        lacks_after = len(found.after) < after and last == info.last < info.whole[1]
        return lacks_before or lacks_after

    def _stream_tiles(
        self, spec: StreamSpec, number: int, size: Size, tiles: Sequence[Tile], canvas: Rgb
    ) -> None:
        """Puts tiles of the stream onto the canvas. Kept with 16 bits, always, so that a kept tile and a new one are
        the same. What is new is made together: beside one another, tiles share what they read."""
        window = self._reach(spec, number)
        names = {tile: self._stream_name(spec, window, size, tile) for tile in tiles}
        made = self._blended(spec, window, size, [t for t in tiles if not self._kept(names[t])])

        def make(tile: Tile) -> NDArray[np.uint16]:
            # What was kept may have been dropped, or is damaged.
            return made[tile] if tile in made else self._blended(spec, window, size, [tile])[tile]

        def find(tile: Tile) -> NDArray[np.uint16]:
            return self._lasting(names[tile], lambda: make(tile))

        for tile in tiles:
            packed = self._workshop.results.get(names[tile], partial(find, tile), lambda array: array.nbytes)
            canvas[tile.slices] = packed.astype(np.float32) / np.float32(65535)

    def _blended(
        self, spec: StreamSpec, window: Window, size: Size, tiles: Sequence[Tile]
    ) -> dict[Tile, NDArray[np.uint16]]:
        """Tiles of the stream, made now."""
        if not tiles:
            return {}
        taps = self._taps(window, size, spec.steadiness, spec.flow)
        step()
        parts = tiling.rectangles(tiles)
        sources = []
        for j, k in enumerate(window.frames):
            boxes = [taps.footprint(j, part) for part in parts]
            sources.append(self._styled(spec, k, size, tiling.overlapping(style.tiles(*size), boxes)))
        made: dict[Tile, NDArray[np.uint16]] = {}
        for part in parts:
            step()
            steady = temporal.blend(taps, part, sources)
            packed = np.rint(np.clip(steady, 0, 1, out=steady) * 65535).astype(np.uint16)
            made |= {
                tile: tiling.part(packed, part, tile) for tile in tiles if tile.overlaps(*tiling.box(part))
            }
        return made

    def _reach(self, spec: StreamSpec, number: int) -> Window:
        return self._window(number, spec.window if spec.steadiness > 0 else 1)

    def _stream_name(self, spec: StreamSpec, window: Window, size: Size, tile: Tile) -> str:
        return key(
            "stream",
            temporal.METHOD,
            [self._shot.content(k) for k in window.span],
            len(window.before),
            window.near,
            window.far,
            spec.style.id,
            self._ground(spec, window.number),
            size,
            spec.steadiness if len(window.frames) > 1 else 0.0,
            self._ways(window, spec.flow),
            tiling.box(tile),
            self._workshop.fingerprint,
        )

    def _styled(self, spec: StreamSpec, number: int, size: Size, tiles: Sequence[Tile]) -> Rgb:
        """The frame as the network paints it, on a canvas of which only the given tiles are filled."""
        painted = spec.style
        if isinstance(painted, style.FrameStyle):
            return self._painted(painted, number, size)
        if isinstance(painted, style.ChainStyle):
            return self._chained(painted, number, size, spec.flow)
        names = {tile: self._styled_name(spec, painted, number, size, tile) for tile in tiles}
        known: dict[Tile, Rgb] = {}
        missing = [tile for tile in tiles if not self._painted_already(names[tile])]
        for piece in style.pieces(missing):
            step()
            picture = self._decoded(painted, number, size, piece)
            known |= {
                tile: tiling.part(picture, piece, tile)
                for tile in missing
                if tile.overlaps(*tiling.box(piece))
            }
        canvas = np.zeros((*size, 3), np.float32)
        for tile in tiles:
            step()
            canvas[tile.slices] = self._styled_tile(painted, number, size, tile, names[tile], known.get(tile))
        return canvas

    def _styled_name(
        self, spec: StreamSpec, painted: style.CodeStyle, number: int, size: Size, tile: Tile
    ) -> str:
        return key("styled", self._at(number, size), painted.id, self._ground(spec, number), tiling.box(tile))

    def _styled_tile(
        self, painted: style.CodeStyle, number: int, size: Size, tile: Tile, name: str, known: Rgb | None
    ) -> Rgb:
        """One tile as the network paints it: kept from before, `known`, or painted now."""

        def make() -> Rgb:
            return self._decoded(painted, number, size, tile) if known is None else known

        def find() -> Rgb:
            # A GPU paints a tile faster than a disk gives it back.
            return self._lasting(name, make) if self._workshop.engine.device == "cpu" else make()

        return self._workshop.intermediates.get(name, find, lambda array: array.nbytes)

    def _painted_already(self, name: str) -> bool:
        workshop = self._workshop
        lasting = workshop.disk is not None and not self._shot.live and workshop.engine.device == "cpu"
        return name in workshop.intermediates or (lasting and self._kept(name))

    def _decoded(self, painted: style.CodeStyle, number: int, size: Size, piece: Tile) -> Rgb:
        features, statistics = self._features(number, size), self._scene_statistics(number, size)
        step()
        return self._workshop.engine.decode(features, statistics, painted.code, piece)

    def _painted(self, painted: style.FrameStyle, number: int, size: Size) -> Rgb:
        """The whole frame by a network that is not local, once for all its tiles."""
        name = key("painted", self._at(number, size), painted.id)

        def make() -> Rgb:
            return painted.paint(self._plate(number, size))

        return self._workshop.intermediates.get(
            name, lambda: self._lasting(name, make), lambda array: array.nbytes
        )

    def _chained(self, painted: style.ChainStyle, number: int, size: Size, flow: temporal.Flow) -> Rgb:
        """The frame by a style whose frames hang together: link by link, from the newest one that is kept or from the
        scene's first. Kept with 16 bits, always, so that a kept link leads to the same next one as a new one."""
        if self._shot.live:
            raise StylebridgeError(
                Code.BAD_REQUEST,
                "A camera does not wait: optimising takes minutes a frame. Choose another style.",
            )
        chain = self._chain(number) if painted.linked else [number]
        names = self._links(painted, chain, size, flow)
        k = len(chain) - 1
        while k > 0 and not self._kept(names[k]):
            k -= 1
        before: Rgb | None = None
        for at in range(k, len(chain)):
            before = self._link(painted, chain[: at + 1], size, flow, names[at], before)
        assert before is not None
        return before

    def _link(
        self,
        painted: style.ChainStyle,
        chain: Sequence[int],
        size: Size,
        flow: temporal.Flow,
        name: str,
        before: Rgb | None,
    ) -> Rgb:
        """The last frame of a chain, from the one before it."""
        number = chain[-1]

        def make() -> NDArray[np.uint16]:
            earlier = None
            if len(chain) > 1:
                # What was kept may have been dropped in the meantime.
                past = before if before is not None else self._chained(painted, chain[-2], size, flow)
                # Believed where the window would: flow that holds there and back, over a source that agrees.
                way = self._taps(Window.link(number, chain[-2]), size, 1.0, flow)
                path = way.maps[1] - way.maps[0]
                believed = way.weights[1] / np.float32(temporal.fade((1,), 2)[0])
                earlier = style.Before(past, path, np.minimum(believed, 1.0))
            picture = painted.paint(
                self._plate(number, size),
                self._shot.content(number),
                earlier,
                lambda done, total: say(done, total, "optimising"),
            )
            return np.rint(np.clip(picture, 0, 1) * 65535).astype(np.uint16)

        packed = self._workshop.results.get(
            name, lambda: self._lasting(name, make), lambda array: array.nbytes
        )
        return packed.astype(np.float32) / np.float32(65535)

    def _chain(self, number: int) -> list[int]:
        """The frames of the scene up to this one, each that differs from the one before it."""
        return [k for k in range(self._scene(number)[0], number + 1) if self._repeats.first(k) == k]

    def _links(
        self, painted: style.ChainStyle, chain: Sequence[int], size: Size, flow: temporal.Flow
    ) -> list[str]:
        """Names of the links of a chain: each names all that came before it."""
        names = self._chains.setdefault((painted.id, size, chain[0], flow.id), [])
        for k in range(len(names), len(chain)):
            way = self._ways(Window.link(chain[k], chain[k - 1]), flow) if k else ()
            names.append(key("link", names[-1] if names else None, self._at(chain[k], size), painted.id, way))
        return names[: len(chain)]

    def _kept(self, name: str) -> bool:
        disk = self._workshop.disk
        return name in self._workshop.results or (disk is not None and disk.holds(name))

    def _lasting(self, name: str, make: Callable[[], Array]) -> Array:
        """From the disk, or made now and kept there. A camera's frames never come again."""
        disk = self._workshop.disk
        return make() if disk is None or self._shot.live else disk.get(name, make)

    def _taps(self, window: Window, size: Size, steadiness: float, flow: temporal.Flow) -> temporal.Taps:
        moment = self._at_moment(window.number)
        name = size, window, steadiness, self._ways(window, flow)
        found = moment.taps.get(name)
        if found is None:
            half = self._half(window.number, size)
            sides = [self._side(window, way, size, flow) for way in (-1, 1)]
            found = moment.taps[name] = temporal.taps(half, size, *sides, amount=steadiness)
        return found

    def _side(self, window: Window, way: int, size: Size, flow: temporal.Flow) -> Iterator[temporal.Link]:
        """The frames before (`way` -1) or after (1), one at a time."""
        passed, distances = (window.before, window.near) if way < 0 else (window.after, window.far)
        beyond = reach.distances(len(distances) + 1, window.widest)[-1]
        weights = dict(zip(distances, temporal.fade(distances, beyond), strict=True))
        for steps, (a, b) in enumerate(itertools.pairwise([window.number, *passed]), 1):
            pair = self._flow(a, b, size, flow)
            plate = self._half(b, size) if steps in weights else None
            yield temporal.Link(pair, plate, weights.get(steps, 0.0))

    def _ways(self, window: Window, flow: temporal.Flow) -> tuple[str, ...]:
        """Names what the flow of a window depends on beside the frames."""
        return tuple(flow.name(self._ends(a, b)) for a, b in window.neighbours)

    def _ends(self, a: int, b: int) -> tuple[int, int]:
        """Two frames of a window, the later one first, as neighbours: a run of repeats is left at its last."""
        return max(a, b), self._repeats.last(min(a, b))

    def _detail(self, number: int, size: Size) -> Rgb:
        """What the source shows and network size cannot: (H, W, 3) float32 around 0."""
        moment = self._at_moment(number)
        if size not in moment.detail:
            frame = self._shot.display(number)
            plate = self._plate(number, size)
            step()
            moment.detail[size] = frame - cv2.resize(plate, frame.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        return moment.detail[size]

    def _at_moment(self, number: int) -> _Moment:
        if self._moment.number != number:
            self._moment = _Moment(number)
        return self._moment

    def _window(self, number: int, length: int) -> Window:
        return Window.of(number, length, self._scene(number), self._repeats, self._shot.live)

    def _scene(self, number: int) -> tuple[int, int]:
        for first, last in self._scenes:
            if first <= number <= last:
                return first, last
        raise ValueError(f"frame {number} lies in no scene")

    def _scene_samples(self, number: int) -> list[int]:
        """Evenly spaced frames that stand for the scene. A camera's scene has no end: its first frame stands."""
        first, last = self._scene(number)
        if self._shot.live:
            return [first]
        return sorted({round(first + (last - first) * i / (SCENE_SAMPLES - 1)) for i in range(SCENE_SAMPLES)})

    def _ground(self, spec: StreamSpec, number: int) -> str | None:
        """What a style depends on beside the frame: the scene's statistics, or nothing."""
        return self._scene_key(number) if isinstance(spec.style, style.CodeStyle) else None

    def _scene_key(self, number: int) -> str:
        """Names the statistics of the frame's scene by what they are made from."""
        start, _ = self._scene(number)
        if start not in self._scene_keys:
            samples = self._scene_samples(number)
            self._scene_keys[start] = key("scene", [self._shot.content(k) for k in samples])
        return self._scene_keys[start]

    def _scene_statistics(self, number: int, size: Size) -> NDArray[np.float32]:
        """Content statistics fixed for the whole scene: what changes from frame to frame would boil."""
        name = (self._scene(number)[0], size)
        if name not in self._statistics:
            plates = [self._plate(k, size) for k in self._scene_samples(number)]
            self._statistics[name] = self._workshop.engine.statistics(plates)
        return self._statistics[name]

    def _at(self, number: int, size: Size) -> str:
        return key(self._shot.content(number), size, self._workshop.fingerprint)

    def _plate(self, number: int, size: Size) -> Rgb:
        """The source at network size, (h, w, 3) float32 display-referred sRGB."""

        def make() -> Rgb:
            step()
            frame = self._shot.display(number)
            if frame.shape[:2] == size:
                return frame
            return cv2.resize(frame, (size[1], size[0]), interpolation=cv2.INTER_AREA)

        name = key("plate", self._at(number, size))
        return self._workshop.intermediates.get(name, make, lambda array: array.nbytes)

    def _half(self, number: int, size: Size) -> Rgb:
        """The plate at half the size, by which windows compare."""
        name = key("half", self._at(number, size))
        make = lambda: temporal.shown(self._plate(number, size))  # noqa: E731
        return self._workshop.intermediates.get(name, make, lambda array: array.nbytes)

    def _features(self, number: int, size: Size) -> style.Features:
        def make() -> style.Features:
            return self._workshop.engine.features(self._plate(number, size))

        name = key("features", self._at(number, size))
        return self._workshop.intermediates.get(name, make, lambda features: features.nbytes)

    def _flow(self, a: int, b: int, size: Size, flow: temporal.Flow) -> FlowPair:
        """Flow between neighbours of a window at half the size, computed once for both directions."""
        if b > a:
            return self._flow(b, a, size, flow).reversed
        ends = self._ends(a, b)
        name = key("flow", self._at(a, size), self._at(b, size), flow.name(ends))

        def make() -> FlowPair:
            pair = flow.pair(ends, (self._plate(a, size), self._plate(b, size)))
            return temporal.for_window(pair)

        return self._workshop.intermediates.get(name, make, lambda pair: pair.nbytes)
