"""What a worker does for each request of the protocol.

Handlers take a context and a request's plain data, and return plain data; pixels go out through the context. They
compute one at a time. Requests are pure functions of what they name, so a handler may be run again after a crash.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge.files import glimpse
from stylebridge.look import Look
from stylebridge.look import Prompt as LookPrompt
from stylebridge_server import colour, media, segment, style
from stylebridge_server.shot import looks, portable
from stylebridge_server.shot.analyse import analyse
from stylebridge_server.shot.analysis import Analysis, AnalysisStore
from stylebridge_server.shot.cache import Cache
from stylebridge_server.shot.disk import DiskParts, DiskStore
from stylebridge_server.shot.pushed import LiveShot
from stylebridge_server.shot.render import BACKGROUND
from stylebridge_server.shot.streams import Workshop
from stylebridge_server.values import Frame, Prompt, SourceInfo
from stylebridge_server.worker import fingerprint as fingerprints
from stylebridge_server.worker import mattes
from stylebridge_server.worker.admission import Memory, available, limit_of_environment
from stylebridge_server.worker.context import Context, Handler
from stylebridge_server.worker.flows import Flows
from stylebridge_server.worker.inputs import said_as
from stylebridge_server.worker.rendering import Rendering
from stylebridge_server.worker.shots import Shots, open_shot
from stylebridge_server.worker.styles import Styles

MEBIBYTE = 1 << 20

Data = dict[str, Any]


class Jobs:
    """The state behind the handlers: opened shots, caches, the style network.

    Args:
        device: "cpu", "cuda", "cuda:1", ...
        results: bytes of finished stream tiles to keep; what makes changed keyframes cheap.
        intermediates: bytes of plates, features, flows and styled tiles to keep.
        analyses: of shots.
        disk: tiles that outlive this process; None for none.
        parts: folder and bytes for parts of the tracking of analyses; None keeps none.
    """

    def __init__(
        self,
        device: str,
        results: int,
        intermediates: int,
        analyses: AnalysisStore,
        disk: DiskStore | None = None,
        parts: tuple[Path, int] | None = None,
    ) -> None:
        fingerprints.settle_threads()
        self._device = device
        self._engine = style.load(device)
        self._flows = Flows(device)
        self._facts = {
            **fingerprints.facts(device, self._engine.checksum),
            "flow": self._flows.settled,
        }
        self._workshop = Workshop(
            engine=self._engine,
            fingerprint=fingerprints.fingerprint(self._facts),
            results=Cache(results),
            intermediates=Cache(intermediates),
            disk=disk,
        )
        self._store = analyses
        self._parts: segment.Parts = segment.FORGETFUL
        if parts is not None:
            self._parts = DiskParts(*parts, self.fingerprint)
        self._styles = Styles(self._engine, device)
        self._memory = Memory(
            [self._workshop.intermediates, self._workshop.results], limit_of_environment(), available, _memory
        )
        self._rendering = Rendering(analyses, self._styles, self._flows, self._workshop, self._memory)
        self._shots = Shots(self._rendering.closed)

    @property
    def fingerprint(self) -> str:
        return self._workshop.fingerprint

    def handlers(self) -> dict[str, Handler]:
        """Operation name to handler."""
        return {
            "describe": self.describe,
            "probe": probe,
            "parse_look": parse_look,
            "format_look": format_look,
            "open_shot": self.open_shot,
            "put_frame": self.put_frame,
            "analyse": self.analyse,
            "read_analysis": self.read_analysis,
            "add_analysis": self.add_analysis,
            "mattes": self.mattes,
            "render": self.render,
            "preview": self.preview,
            "close_shot": self.close_shot,
        }

    def describe(self, context: Context, request: Data) -> Data:
        """What this server offers: the effect's parameters, the styles, networks and segmenters."""
        return {
            "effect": effect.describe(),
            "segmenters": list(segment.names()),
            "flows": self._flows.describe(),
            **self._styles.describe(),
        }

    def open_shot(self, context: Context, request: Data) -> Data:
        """Open media by `path`, a shot of frames that the client put, or a camera whose frames it will push."""
        shot = self._shots.add(context.session, open_shot(context, request))
        return {"shot": shot.id, "info": _info(shot.info)}

    def put_frame(self, context: Context, request: Data) -> Data:
        """Keep one frame of a camera."""
        with self._shots.use(context.session, request["shot"]) as shot:
            if not isinstance(shot, LiveShot):
                raise StylebridgeError(
                    Code.BAD_REQUEST,
                    "Only a live shot takes single frames: put others as blobs, and open a shot with their hashes.",
                )
            shot.put(Frame(request["number"], np.asarray(request["picture"])))
        return {}

    def analyse(self, context: Context, request: Data) -> Data:
        """Find the shot's cuts and instances, or find the analysis that was made before."""
        told = {"prompt": request.get("prompts", []), "matte": request.get("mattes") or []}
        said = Look.from_data({"schema": "look.1", **told})
        with (
            self._shots.use(context.session, request["shot"]) as shot,
            mattes.given(context, said.mattes, shot.info) as given,
        ):
            found = analyse(
                shot,
                [_prompt(context, one) for one in said.prompts],
                request.get("segmenter", "auto"),
                self._store,
                context.progress,
                context.check_cancelled,
                partial(self._memory.admit, "Analysing"),
                self._device,
                given,
                parts=self._parts,
                cuts=request.get("cuts"),
            )
        return _analysis(found)

    def read_analysis(self, context: Context, request: Data) -> Data:
        """A piece of an analysis, for a client that keeps it."""
        size, part = portable.piece(self._store.load(request["analysis"]), request["offset"])
        return {"size": size, "bytes": part}

    def add_analysis(self, context: Context, request: Data) -> Data:
        """Keep an analysis that a client brings as a blob."""
        return _analysis(portable.add(self._store, context.store.path(request["hash"])))

    def mattes(self, context: Context, request: Data) -> Data:
        """Send the soft mattes of one instance, (H, W, 1) uint8, for each of the `frames`; 0 is the background."""
        analysis = self._store.load(request["analysis"])
        instance = request["instance"]
        if instance not in (BACKGROUND, *(one.id for one in analysis.instances)):
            raise StylebridgeError(
                Code.UNKNOWN_INSTANCE,
                f"The analysis has no instance {instance}; it has {len(analysis.instances)}.",
            )
        for number in request["frames"]:
            context.check_cancelled()
            context.frame(number, analysis.matte(instance, number)[..., None])
        return {}

    def render(self, context: Context, request: Data) -> Data:
        """Send the styled `frames`, or their layers, in the order asked for."""
        with self._shots.use(context.session, request["shot"]) as shot:
            return self._rendering.render(context, request, shot)

    def preview(self, context: Context, request: Data) -> Data:
        """Send the `frames` small, each by itself, saying so."""
        with self._shots.use(context.session, request["shot"]) as shot:
            return self._rendering.render(context, request, shot, preview=True)

    def status(self) -> Data:
        """Counters and limits: what ran, what is kept."""
        return {
            "fingerprint": self.fingerprint,
            "facts": self._facts,
            "shots": len(self._shots),
            "frames": self._rendering.frames,
            "memory": _memory(),
            "peak_memory": max(_peak_memory(), _memory()),
            "network": self._styles.runs,
            "caches": self._caches(),
        }

    def _caches(self) -> Data:
        caches: dict[str, Cache | DiskStore] = {
            "results": self._workshop.results,
            "intermediates": self._workshop.intermediates,
        }
        disk = self._workshop.disk
        if disk is not None:
            caches["disk"] = disk
        counters: Data = {
            name: {"bytes": cache.bytes, "limit": cache.limit, "hits": cache.hits, "misses": cache.misses}
            for name, cache in caches.items()
        }
        if disk is not None:
            counters["disk"] |= {"writes": disk.writes, "damaged": disk.damaged, "fault": disk.fault}
        return counters

    def close_shot(self, context: Context, request: Data) -> Data:
        """Let go of a shot; it is closed when no other session has it open."""
        self._shots.close(context.session, request["shot"])
        return {}

    def ended(self, session: str) -> None:
        """Let go of all that a session had open."""
        self._shots.end(session)


def probe(context: Context, request: Data) -> Data:
    """What this machine has under the `paths`, for a client that asks whether it sees the same files."""
    return {"files": [_glimpse(context, path) for path in request["paths"]]}


def parse_look(context: Context, request: Data) -> Data:
    """The plain data of a look's TOML."""
    return looks.read(request["text"], request.get("path"))


def format_look(context: Context, request: Data) -> Data:
    """The TOML of a look."""
    return looks.write(request["look"], request.get("original"))


@functools.cache
def _jobs() -> Jobs:
    """This process's jobs, as the environment sets them."""
    analyses, tiles = os.environ.get("STYLEBRIDGE_ANALYSES"), os.environ.get("STYLEBRIDGE_CACHE")
    disk_limit = _bytes_of("STYLEBRIDGE_CACHE_MB", 10240)
    folder = Path(analyses) if analyses else platformdirs.user_cache_path("stylebridge") / "analyses"
    limit = _bytes_of("STYLEBRIDGE_ANALYSES_MB", 16384)
    kept_of_tracking = limit // 4
    return Jobs(
        device=os.environ.get("STYLEBRIDGE_DEVICE", "cpu"),
        results=_bytes_of("STYLEBRIDGE_RESULTS_MB", 4096),
        intermediates=_bytes_of("STYLEBRIDGE_WORK_MB", 512),
        analyses=AnalysisStore(folder, limit - kept_of_tracking),
        disk=DiskStore(Path(tiles), disk_limit) if tiles else None,
        parts=(folder / "parts", kept_of_tracking),
    )


def _bytes_of(name: str, usual: int) -> int:
    """A setting in MiB, in bytes.

    Raises:
        StylebridgeError: BAD_VALUE.
    """
    said = os.environ.get(name) or str(usual)
    if not re.fullmatch(r"\d{1,9}", said):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"{name} is {said!r}: set it to a whole number of MiB, or leave it out for {usual}.",
        )
    return int(said) * MEBIBYTE


# What `process.Worker` asks of the module that does its work.


def handlers() -> dict[str, Handler]:
    """Request to handler."""
    return _jobs().handlers()


def fingerprint() -> str:
    """Names everything outside a request that its result depends on."""
    return _jobs().fingerprint


def ended(session: str) -> None:
    """Lets go of all that a session had open."""
    _jobs().ended(session)


def status() -> Data:
    """Counters and limits: what ran, what is kept."""
    return _jobs().status()


def _memory() -> int:
    """Bytes of memory that this process holds now; the most that it ever held where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return _peak_memory()
    return pages * os.sysconf("SC_PAGESIZE")


def _peak_memory() -> int:
    """Most bytes of memory that this process ever held; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _info(info: SourceInfo) -> Data:
    rate = None if info.rate is None else [info.rate.numerator, info.rate.denominator]
    return {
        "kind": info.kind,
        "width": info.width,
        "height": info.height,
        "first": info.first,
        "last": info.last,
        "channels": info.channels,
        "dtype": info.dtype,
        "rate": rate,
        "steady": "times" not in info.tags,
        "colour": info.colour,
        "alpha": info.alpha,
        "display": None if info.display is None else list(info.display),
    }


def _analysis(analysis: Analysis) -> Data:
    instances = [{**asdict(one), "colour": list(one.colour)} for one in analysis.instances]
    return {
        "analysis": analysis.id,
        "first": analysis.first,
        "last": analysis.last,
        "cuts": list(analysis.cuts),
        "instances": instances,
        "segmenter": analysis.segmenter,
    }


def _glimpse(context: Context, path: str) -> Data | None:
    try:
        return glimpse(context.readable(path))
    except (OSError, ValueError, StylebridgeError):
        return None


def _prompt(context: Context, prompt: LookPrompt) -> Prompt:
    """A look's prompt with its matte read from its file."""
    matte = None
    if prompt.matte is not None:
        path = context.file(prompt.matte)
        with said_as(prompt.matte, path):
            pixels = colour.to_working(media.load_image(path).pixels)
        matte = np.rint(np.clip(pixels.mean(-1), 0, 1) * 255).astype(np.uint8)
    return Prompt(
        prompt.name,
        prompt.frame,
        prompt.points,
        prompt.not_points,
        prompt.box,
        matte,
        prompt.scribbles,
        prompt.not_scribbles,
    )
