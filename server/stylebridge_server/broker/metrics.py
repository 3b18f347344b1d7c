"""Counters for Prometheus, on a page of this machine: http://127.0.0.1:PORT/metrics.

The page says how much and how long, never who and what: every user of the machine can read it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from stylebridge.errors import Code, StylebridgeError

from .books import SECONDS, Spread

Value = dict[str, Any]
#: What is shown: the server's status, how long requests took, and how many handshakes were refused.
Snapshot = tuple[Value, dict[str, Spread], int]

_EDGES = (*(f"{edge:g}" for edge in SECONDS), "+Inf")


class Metrics:
    """The page, from a thread of its own, as long as the process lives.

    Args:
        port: of the loopback address; 0 for any.

    Attributes:
        address: where it is.

    Raises:
        StylebridgeError: `BAD_VALUE` where the port cannot be had.
    """

    def __init__(self, port: int) -> None:
        self._snapshot: Snapshot | None = None
        registry = CollectorRegistry()
        registry.register(self)  # it collects, which is all that is asked
        try:
            server, _ = start_http_server(port, "127.0.0.1", registry)
        except (OSError, OverflowError) as error:
            raise StylebridgeError(
                Code.BAD_VALUE,
                f"Metrics cannot be shown at port {port} ({error}): give --metrics a port that is free.",
            ) from None
        self.address = f"http://127.0.0.1:{server.server_port}/metrics"

    def show(self, value: Value, seconds: dict[str, Spread], refused: int) -> None:
        """Shows this from now on.

        Args:
            value: as `Status.value` makes it for the owner; the numbers in it are not changed later.
            seconds: how long requests took, by op; may go on counting.
            refused: handshakes.
        """
        self._snapshot = value, seconds, refused

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks for at each scrape, in a thread of its own."""
        snapshot = self._snapshot
        if snapshot:
            yield from _of_server(*snapshot)
            yield from _of_workers(snapshot[0]["workers"])


def _of_server(value: Value, seconds: dict[str, Spread], refused: int) -> Iterator[Metric]:
    requests = value["requests"]
    yield _info("stylebridge", "The server.", {name: value[name] for name in ("version", "fingerprint")})
    yield GaugeMetricFamily("stylebridge_uptime_seconds", "Since the server began.", value["uptime"])
    yield GaugeMetricFamily("stylebridge_sessions", "Clients that are connected.", value["clients"])
    yield GaugeMetricFamily("stylebridge_requests_running", "With the workers now.", value["running"])
    yield GaugeMetricFamily("stylebridge_requests_waiting", "Waiting for a worker.", value["waiting"])
    answered = CounterMetricFamily(
        "stylebridge_requests", "Requests that are over.", labels=("op", "outcome")
    )
    for op, outcome, count in requests["outcomes"]:
        answered.add_metric((op, outcome), count)
    yield answered
    took = HistogramMetricFamily("stylebridge_request_seconds", "How long requests took.", labels=("op",))
    for op, spread in list(seconds.items()):
        totals = itertools.accumulate(list(spread.counts))
        took.add_metric((op,), list(zip(_EDGES, totals, strict=True)), spread.sum)
    yield took
    yield CounterMetricFamily("stylebridge_frames", "Frames sent.", requests["frames"])
    yield CounterMetricFamily("stylebridge_received_bytes", "Pixels received.", requests["bytes_in"])
    yield CounterMetricFamily("stylebridge_sent_bytes", "Pixels sent.", requests["bytes_out"])
    yield CounterMetricFamily("stylebridge_handshakes_refused", "Keys that were not let in.", refused)


def _of_workers(workers: list[Value]) -> Iterator[Metric]:
    labels = ("worker", "device")
    up = GaugeMetricFamily("stylebridge_worker_up", "Whether it takes requests.", labels=labels)
    restarts = CounterMetricFamily(
        "stylebridge_worker_restarts", "Workers that replaced another.", labels=labels
    )
    memory = GaugeMetricFamily("stylebridge_worker_memory_bytes", "Of the process.", labels=labels)
    runs = CounterMetricFamily(
        "stylebridge_network_runs", "Runs of the style network.", labels=(*labels, "part")
    )
    kinds: list[tuple[str, str, Callable[..., Any]]] = [
        ("bytes", "Bytes that are kept.", GaugeMetricFamily),
        ("limit", "Bytes that may be kept.", GaugeMetricFamily),
        ("hits", "Values that were there.", CounterMetricFamily),
        ("misses", "Values that were not there.", CounterMetricFamily),
    ]
    caches = {}
    for name, about, kind in kinds:
        suffix = "limit_bytes" if name == "limit" else name
        caches[name] = kind(f"stylebridge_cache_{suffix}", about, labels=(*labels, "cache"))
    for number, worker in enumerate(workers):
        named, counters = (str(number), worker["device"]), worker["counters"] or {}
        up.add_metric(named, worker["state"] in ("ready", "busy"))
        restarts.add_metric(named, worker["restarts"])
        if "memory" in counters:
            memory.add_metric(named, counters["memory"])
        for part, count in counters.get("network", {}).items():
            runs.add_metric((*named, part), count)
        for cache, facts in counters.get("caches", {}).items():
            for name, family in caches.items():
                family.add_metric((*named, cache), facts[name])
    yield from (up, restarts, memory, runs, *caches.values())


def _info(name: str, about: str, facts: dict[str, str]) -> Metric:
    family = InfoMetricFamily(name, about)
    family.add_metric((), facts)
    return family
