"""`stylebridge serve`: the persistent server in the foreground, for a terminal or a service manager."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from stylebridge.errors import Code, StylebridgeError
from stylebridge.launch import Address
from stylebridge_server.broker.crew import devices_of
from stylebridge_server.broker.serve import Options
from stylebridge_server.broker.serve import serve as run_server
from stylebridge_server.cli.unit import unit
from stylebridge_server.worker import logs


@dataclass(frozen=True)
class Service:
    """What `serve` was asked for.

    Attributes:
        bind: "tcp://HOST:PORT".
        roots: folders that other users' clients may have read.
        cache: folder of the disk cache, None for the one that STYLEBRIDGE_CACHE names, if any.
        log: "text" or "json".
        metrics: port of the page for Prometheus, None for none.
        devices: what computes, a worker for each; none for those that STYLEBRIDGE_DEVICE names.
    """

    bind: str
    roots: tuple[Path, ...]
    cache: Path | None
    log: str
    metrics: int | None
    devices: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """The words that ask for the same, from any folder."""
        words = ["--bind", self.bind]
        for root in self.roots:
            words += ["--root", str(root.absolute())]
        if self.cache is not None:
            words += ["--cache", str(self.cache.absolute())]
        if self.log != "text":
            words += ["--log", self.log]
        if self.metrics is not None:
            words += ["--metrics", str(self.metrics)]
        for device in self.devices:
            words += ["--device", device]
        return words

    def unit(self) -> str:
        """The systemd user unit that runs this."""
        self._check()
        return unit(self.arguments())

    def run(self) -> None:
        """Run the user's server in the foreground until it is stopped.

        Raises:
            StylebridgeError: denied where a server of this user runs already; bad_value for an address or port that
                cannot be listened on; not_found for a root that is no folder.
        """
        self._check()
        if self.cache is not None:
            os.environ["STYLEBRIDGE_CACHE"] = str(self.cache.absolute())  # for the worker
        roots = tuple(str(root) for root in self.roots)
        run_server(
            Options(bind=self.bind, roots=roots, log=self.log, metrics=self.metrics, device=self.devices),
            on_ready=_say_where,
        )

    def _check(self) -> None:
        if self.log not in logs.FORMS:
            raise StylebridgeError(
                Code.BAD_VALUE, f'"{self.log}" is no form of log lines: name one of {", ".join(logs.FORMS)}.'
            )
        for device in devices_of(self.devices):
            if not re.fullmatch(r"cpu|mps|(cuda|xpu)(:\d+)?", device):
                raise StylebridgeError(
                    Code.BAD_VALUE, f'"{device}" is no device: name cpu, cuda, cuda:1, mps or xpu.'
                )
        for root in self.roots:
            if not root.is_dir():
                raise StylebridgeError(
                    Code.NOT_FOUND, f"{root} is no folder: other users could read nothing there."
                )


def _say_where(address: Address) -> None:
    print(
        "Stylebridge is listening. Clients of this user find it; others need a key that is let in "
        f"(`stylebridge keys`) and\n  --server '{address.url}'"
    )
    sys.stdout.flush()
