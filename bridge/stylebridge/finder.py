"""Which server a client talks to: the one named, the user's running one, or one that is started for it."""

from __future__ import annotations

from pathlib import Path

from . import launch
from .errors import Code, StylebridgeError
from .launch import Address, StartedServer


class Finder:
    """Where the server is: the one named, else the user's running one, else one that is started.

    Args:
        url: "tcp://HOST:PORT?key=KEY", None for the user's own server.
        start: whether a server may be started; it ends with this process.
        stay: whether it stays instead, as the user's one server that all find.
        timeout: seconds until a server that is started must listen.
        results_mb: memory for finished tiles of one that is started and ends with this process, in MiB.
    """

    def __init__(
        self,
        url: str | None,
        start: bool,
        timeout: float,
        stay: bool = False,
        results_mb: int | None = None,
    ) -> None:
        self._url, self._start, self._timeout, self._stay = url, start, timeout, stay
        self._results = results_mb
        self._started: StartedServer | None = None

    def find(self) -> Address:
        if self._url:
            return launch.parse_url(self._url)
        self.stop()
        found = launch.find_server()
        if found:
            return found
        if not self._start:
            raise StylebridgeError(
                Code.UNREACHABLE, "No server is running: start one with `stylebridge serve`."
            )
        if self._stay:
            return launch.shared_server(self._timeout)
        self._started = launch.start_server(timeout=self._timeout, results_mb=self._results)
        return self._started.address

    @property
    def log(self) -> Path | None:
        """The log of the server that was started, None where none was."""
        return self._started.log if self._started else None

    def stop(self) -> None:
        """Ends the server that was started, if one was."""
        if self._started:
            self._started.stop()
            self._started = None
