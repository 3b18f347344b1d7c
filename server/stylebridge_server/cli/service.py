"""`stylebridge serve` and `stylebridge status`: the persistent server and what it is doing."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from stylebridge.client import Client
from stylebridge.launch import Address
from stylebridge_server.broker.serve import Options
from stylebridge_server.broker.serve import serve as run_server


def serve(bind: str, roots: list[str]) -> None:
    """Run the user's server in the foreground until it is stopped.

    Args:
        bind: "tcp://HOST:PORT".
        roots: folders that other users' clients may have read.

    Raises:
        StylebridgeError: denied where a server of this user runs already, bad_value for an address that cannot be
            listened on.
    """

    def ready(address: Address) -> None:
        print(
            f"Stylebridge is listening. Clients of this user find it; others need\n  --server '{address.url}'"
        )
        sys.stdout.flush()

    run_server(Options(bind=bind, roots=tuple(roots)), on_ready=ready)


def status(server: str | None, as_json: bool) -> str:
    """What a running server is doing.

    Raises:
        StylebridgeError: unreachable where none runs.
    """
    with Client.connect(server, start=False) as client:
        facts: dict[str, Any] = {"server": client.server, **client.status()}
    if as_json:
        return json.dumps(facts, indent=2, default=str)
    console = Console(width=100)
    with console.capture() as capture:
        console.print(_table(facts))
    return capture.get().rstrip()


def _table(facts: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _rows("", facts):
        table.add_row(name, value)
    return table


def _rows(prefix: str, facts: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for name, value in facts.items():
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            rows += _rows(f"{title} ", value)
        elif title.endswith(("bytes", "limit", "memory")) and isinstance(value, int):
            rows.append((title, f"{value / 2**20:,.1f} MiB"))
        else:
            rows.append((title, str(value)))
    return rows
