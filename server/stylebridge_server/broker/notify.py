"""What systemd is told (sd_notify): that the server listens, that it lives, that it stops. Without systemd, nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import time


class Notifier:
    """Speaks to the service manager that started this process, where one did.

    The environment's words for it are taken out, so that no child speaks for the server.
    """

    def __init__(self) -> None:
        path = os.environ.pop("NOTIFY_SOCKET", "")
        watchdog, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        self._path = (
            "\0" + path[1:] if path.startswith("@") else path
        )  # "@" stands for the abstract namespace
        mine = pid in ("", str(os.getpid()))
        self._every = int(watchdog) / 3e6 if watchdog.isdigit() and mine else 0.0
        self._said = 0.0

    def tell(self, words: str) -> None:
        """One message, such as "READY=1"; lost where nobody listens."""
        if self._path:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.sendto(words.encode(), self._path)

    def alive(self) -> None:
        """To be called often: says, as often as was asked for, that the server does not hang."""
        now = time.monotonic()
        if self._every and now - self._said > self._every:
            self._said = now
            self.tell("WATCHDOG=1")
