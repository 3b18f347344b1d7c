"""`stylebridge bench bridge`: what the bridge adds to the least that a frame's way can cost.

A frame of 1920 x 1080 RGBA in half floats, 16.6 MB, goes from a client through broker and worker and back. The worker
hashes it (BLAKE2b-256) and inverts every byte. Beside it are measured, in turns with it, so that a busy machine slows
all alike:

    copies       an echo through shared memory with three copies and nothing else      see `baselines.SharedEcho`
    message      an echo of one encrypted ZeroMQ message with the whole frame          see `baselines.MessageEcho`
    hash         BLAKE2b-256 of the frame, in this process

A small request, `describe`, which the worker answers, is timed alone and while another client, a process of its own,
sends frames of 8K RGBA in half floats, 265 MB each, one after another.

Targets: through shared memory 2.5 copies + hash; in messages 1.5 message + hash; the small request's 99th percentile
beside the upload at most 5 times its median alone.
"""

from __future__ import annotations

import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Event
from unittest import mock

from stylebridge import launch
from stylebridge.client import Client, Shot, Source
from stylebridge.passage import MESSAGES, SHARED
from stylebridge.pixels import Layout, Picture

from .baselines import CONTEXT, hashed, message_echo, shared_echo

FRAME = Layout("float16", 1080, 1920, 4)
LARGE = Layout("float16", 4320, 7680, 4)
SHOT = Shot("bench", {"first": 0, "last": 0}, Source({}))

#: How many times the least a way may take, beside the hash; and the small request beside an upload.
COPIES_FACTOR, MESSAGE_FACTOR, SMALL_FACTOR = 2.5, 1.5, 5.0


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: what was measured.
        ms: milliseconds; a median, or what the name says.
        limit: milliseconds that it may take, None where it is measured for comparison only.
    """

    name: str
    ms: float
    limit: float | None = None

    @property
    def verdict(self) -> str:
        """Whether it is within its limit; empty where it has none."""
        return "" if self.limit is None else "pass" if self.ms <= self.limit else "fail"


def measure(
    rounds: int = 15, requests: int = 500, frame_of: Layout = FRAME, large: Layout = LARGE
) -> list[Row]:
    """All figures.

    Args:
        rounds: how often each way is gone.
        requests: how many small requests are timed, alone and beside the upload.
        frame_of, large: the frame that goes there and back, and those of the upload.
    """
    frame = Picture(0, frame_of, os.urandom(frame_of.nbytes))
    with tempfile.TemporaryDirectory() as home, _server(home) as url:
        times = _frames(url, frame, rounds)
        small = [row for way in (SHARED, MESSAGES) for row in _small(url, way, requests, large.nbytes)]
    return [
        Row("echo with three copies", times["copies"]),
        Row("echo of one encrypted message", times["message"]),
        Row("hash", times["hash"]),
        Row(f"frame through {SHARED}", times[SHARED], COPIES_FACTOR * times["copies"] + times["hash"]),
        Row(f"frame in {MESSAGES}", times[MESSAGES], MESSAGE_FACTOR * times["message"] + times["hash"]),
        *small,
    ]


def _frames(url: str, frame: Picture, rounds: int) -> dict[str, float]:
    with (
        shared_echo(bytes(frame.data)) as copies,
        message_echo(bytes(frame.data)) as message,
        _client(url, SHARED) as near,
        _client(url, MESSAGES) as far,
    ):
        ways: dict[str, Callable[[], object]] = {
            "copies": copies,
            "message": message,
            "hash": lambda: hashed(bytes(frame.data)),
            SHARED: functools.partial(_through, near, frame),
            MESSAGES: functools.partial(_through, far, frame),
        }
        return _in_turns(ways, rounds)


def _in_turns(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of each, in milliseconds, after two rounds of warming up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 2):
        for name, go in ways.items():
            begun = time.perf_counter()
            result = go()
            taken = time.perf_counter() - begun
            del result
            if turn >= 2:
                times[name].append(1000 * taken)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _through(client: Client, frame: Picture) -> Picture:
    client.put_frame(SHOT, frame)
    return next(iter(client.render(SHOT, {}, [frame.number])))


def _small(url: str, way: str, requests: int, size: int) -> list[Row]:
    """A small request alone, and while another client sends large frames."""
    with _client(url, way) as client:
        alone = _latencies(client, requests)
        stop, going = CONTEXT.Event(), CONTEXT.Event()
        uploader = CONTEXT.Process(target=_upload, args=(url, way, size, going, stop), daemon=True)
        uploader.start()
        try:
            going.wait(60)
            beside = _latencies(client, requests)
        finally:
            stop.set()
            uploader.join()
    limit = SMALL_FACTOR * statistics.median(alone)
    return [
        Row(f"small request alone ({way})", statistics.median(alone)),
        Row(f"small request alone ({way}), 99th percentile", _percentile(alone, 99)),
        Row(f"small request beside an 8K upload ({way})", statistics.median(beside)),
        Row(f"small request beside an 8K upload ({way}), 99th percentile", _percentile(beside, 99), limit),
    ]


def _latencies(client: Client, requests: int) -> list[float]:
    times = []
    for turn in range(requests + 20):
        begun = time.perf_counter()
        client.describe()
        if turn >= 20:
            times.append(1000 * (time.perf_counter() - begun))
    return times


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _upload(url: str, way: str, size: int, going: Event, stop: Event) -> None:
    """A client of its own, in a process of its own."""
    rest = bytes(size - 64)
    with _client(url, way) as client:
        while not stop.is_set():
            blob = os.urandom(64) + rest  # another each time
            going.set()
            client.put(blob)


@contextmanager
def _client(url: str, way: str) -> Iterator[Client]:
    with Client.connect(url, name="bench", share=way == SHARED) as client:
        yield client


@contextmanager
def _server(home: str) -> Iterator[str]:
    """A server of the bench's own, with keys of its own."""
    with mock.patch.dict(os.environ, STYLEBRIDGE_HOME=home, STYLEBRIDGE_STORE=f"{home}/store"):
        started = launch.start_server(extra=("--jobs", f"{__package__}.jobs"))
        try:
            yield started.address.url
        finally:
            started.stop()


def table(rows: list[Row]) -> str:
    """The figures for people."""
    lines = ["| | ms | limit | of the limit | |", "|---|---|---|---|---|"]
    for row in rows:
        limit, share = ("", "") if row.limit is None else (f"{row.limit:.2f}", f"{row.ms / row.limit:.2f}")
        lines.append(f"| {row.name} | {row.ms:.2f} | {limit} | {share} | {row.verdict} |")
    return "\n".join(lines)


def data(rows: list[Row]) -> list[dict[str, object]]:
    """The figures for programs."""
    return [{**asdict(row), "verdict": row.verdict} for row in rows]
