"""`stylebridge status`: what a running server is doing, once or every second."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from stylebridge.client import Client

Facts = dict[str, Any]

EVERY = 1.0  # seconds between two looks
WIDTH = 100


def run(server: str | None, as_json: bool, watch: bool) -> None:
    """Print what a server is doing; with `watch` again every second, until the user interrupts.

    Args:
        server: address, None for this user's running one.
        as_json: print JSON: indented, or one line each second with `watch`.

    Raises:
        StylebridgeError: unreachable where none runs.
    """
    with Client.connect(server, start=False, name="status") as client:
        if not watch:
            facts = _facts(client)
            print(json.dumps(facts, indent=2) if as_json else text(facts))
            return
        try:
            while not sys.stdout.isatty() or as_json:  # for a file or a program: one look after another
                facts = _facts(client)
                print(json.dumps(facts) if as_json else text(facts), flush=True)
                time.sleep(EVERY)
            with Live(page(_facts(client)), auto_refresh=False) as live:
                while True:
                    time.sleep(EVERY)
                    live.update(page(_facts(client)), refresh=True)
        except KeyboardInterrupt:
            pass


def text(facts: Facts) -> str:
    """The page as plain text."""
    console = Console(width=WIDTH)
    with console.capture() as capture:
        console.print(page(facts))
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())


def page(facts: Facts) -> Group:
    """What `status` answers, as tables for people: what is not known or not told is left out."""
    workers = facts["workers"]
    parts: list[Table | None] = [_pairs("Server", _server(facts))]
    for worker in workers:
        alone = len(workers) == 1
        title = "Worker" if alone else f"Worker {worker['device']}".strip()
        parts += [
            _pairs(title, itertools.chain(_worker(worker), () if alone else _one_of_several(worker, facts))),
            _caches((worker["counters"] or {}).get("caches", {})),
        ]
    parts += [
        _pairs("Requests", _requests(facts)),
        _outcomes(facts.get("requests", {}).get("outcomes", [])),
        _clients(facts.get("sessions", []), [worker["device"] for worker in workers]),
    ]
    return Group(*(part for part in parts if part is not None))


def _facts(client: Client) -> Facts:
    return {"server": client.server, **client.status()}


def _server(facts: Facts) -> Iterable[tuple[str, object]]:
    yield "version", f"{facts['version']}, protocol {facts['protocol']}"
    yield "running for", _span(facts["uptime"])
    yield "process", facts["pid"]
    yield "fingerprint", facts["fingerprint"]


def _worker(worker: Facts) -> Iterable[tuple[str, object]]:
    counters = worker["counters"] or {}
    yield "state", worker["state"] + (f": {worker['failure']}" if worker.get("failure") else "")
    yield "process", worker["pid"]
    yield "restarts", str(worker["restarts"])
    device = counters.get("facts", {})
    yield "device", f"{device['device']}, {device['threads']} threads" if device else None
    yield "flow", device.get("flow")
    yield "memory", _size(counters.get("memory"))
    yield "most memory", _size(counters.get("peak_memory"))
    runs = counters.get("network", {})
    yield "network ran", ", ".join(f"{count:,} {part}" for part, count in runs.items() if count)
    yield "shots open", counters.get("shots")


def _one_of_several(worker: Facts, facts: Facts) -> Iterable[tuple[str, object]]:
    """What is worth saying of a worker beside others."""
    yield "running", str(worker["running"])
    yield "waiting", str(worker["waiting"])
    if worker["fingerprint"] not in ("", facts["fingerprint"]):
        yield "fingerprint", f"{worker['fingerprint']}: not the server's, so it is used only in its place"


def _requests(facts: Facts) -> Iterable[tuple[str, object]]:
    yield "running", str(facts["running"])
    yield "waiting", str(facts["waiting"])
    sums = facts.get("requests", {})
    yield "frames sent", f"{sums['frames']:,}" if sums else None
    yield "pixels", f"{_size(sums['bytes_in'])} in, {_size(sums['bytes_out'])} out" if sums else None


def _outcomes(outcomes: list[list[Any]]) -> Table | None:
    rows = [(op, outcome, f"{count:,}") for op, outcome, count in outcomes]
    return _table(("answered", "outcome", "count"), rows)


def _caches(caches: Facts) -> Table | None:
    rows = []
    for name, cache in caches.items():
        asked = cache["hits"] + cache["misses"]
        share = f"{cache['hits'] / asked:.0%}" if asked else ""
        rows.append(
            (name, f"{_size(cache['bytes'])} of {_size(cache['limit'])}", share, cache.get("fault", ""))
        )
    return _table(("cache", "holds", "found there", "trouble"), rows)


def _clients(sessions: list[Facts], devices: list[str]) -> Table | None:
    rows = [
        (
            one["name"],
            one["client"],
            "this user" if one["owner"] else "another user",
            _span(one["seconds"]),
            str(one["requests"]),
            devices[one["worker"]] if len(devices) > 1 else "",
        )
        for one in sessions
    ]
    return _table(("session", "client", "of", "for", "unanswered", "device"), rows)


def _pairs(title: str, rows: Iterable[tuple[str, object]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    for name, value in rows:
        if value:
            table.add_row(name, str(value))
    return table


def _table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table | None:
    """A table under its headings, its empty columns left out; None where it has no rows."""
    if not rows:
        return None
    table = Table(box=None, padding=(0, 2))
    shown = [place for place in range(len(names)) if any(row[place] for row in rows)]
    for place in shown:
        table.add_column(names[place])
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    return table


def _size(count: int | None) -> str:
    return "" if count is None else f"{count / 2**20:,.1f} MiB"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
