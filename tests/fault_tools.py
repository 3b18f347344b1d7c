"""What the fault, fuzz and soak campaigns share: servers of a home of their own, a network that can be cut, and a count
of what is left behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from end_to_end_tools import environment
from numpy.typing import NDArray

from stylebridge.client import Analysis, Client, OnProgress, Shot
from stylebridge.launch import Address
from stylebridge.pixels import Picture
from stylebridge_server import media

FRAMES, WIDTH, HEIGHT = 60, 96, 64
WINDOW = 2 << 20  # the smallest there is

#: Two layers, both strengths keyframed, one of them on a thing that is followed through the shot.
LOOK: dict[str, Any] = {
    "schema": "look.1",
    "background": {"style": "wheat-field", "strength": [[0, 0.2], [59, 0.9]]},
    "instance": [
        {"select": "disc", "style": "great-wave", "strength": [[0, 1.0], [30, 0.25, "smooth"], [59, 1.0]]}
    ],
    "prompt": [{"name": "disc", "frame": 0, "points": [[0.32, 0.5]]}],
}
LOOK_TEXT = """schema = "look.1"

[background]
style = "wheat-field"
strength = [[0, 0.2], [59, 0.9]]

[[instance]]
select = "disc"
style = "great-wave"
strength = [[0, 1.0], [30, 0.25, "smooth"], [59, 1.0]]

[[prompt]]
name = "disc"
frame = 0
points = [[0.32, 0.5]]
"""

SHARED = Path("/dev/shm")
#: What a server that was here may leave in its folder: the lock, and logs of what went wrong.
_MAY_STAY = ("server.lock", "server.log", "run-")


def picture(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """(H, W, 3): a ground that pans, before which a disc goes to and fro. No two frames are alike."""
    ground = cv2.GaussianBlur(np.random.default_rng(5).random((height, width + 2 * FRAMES, 3)), (0, 0), 4)
    ground = (ground - ground.min()) / (ground.max() - ground.min()) * 0.5
    ground = ground[:, number : number + width]
    rows, columns = np.mgrid[:height, :width]
    place = width * (0.3 + 0.025 * abs((number + 15) % 30 - 15))
    disc = np.clip(height / 5 - np.hypot(columns - place, rows - height / 2), 0, 1)[..., None]
    return np.rint((ground * (1 - disc) + disc * np.array([0.9, 0.5, 0.1])) * 255).astype(np.uint8)


def until(met: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Waits until something holds; fails where it never does."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


def seen(picture: Picture) -> str:
    """Hash of a picture's bytes and layout."""
    digest = hashlib.blake2b(repr(picture.layout).encode(), digest_size=16)
    digest.update(picture.data)
    return digest.hexdigest()


class Rendering:
    """A render of the plate, taken step by step: `take` some frames, do harm, take the rest.

    Args:
        plate: its path, or it opened.
        progress: called while the plate is analysed.
        times: how often each frame is asked for. More than the window holds cannot have been sent when the first
            are taken, however much of it was made before.
    """

    def __init__(
        self, client: Client, plate: Path | Shot, progress: OnProgress | None = None, times: int = 1
    ) -> None:
        self.hashes: list[tuple[int, str]] = []
        self.shot: Shot = plate if isinstance(plate, Shot) else client.open_shot(plate)
        self.analysis: Analysis = client.analyse(self.shot, LOOK["prompt"], progress=progress)
        frames = list(self.shot.frames) * times
        self._stream = client.render(self.shot, LOOK, frames, analysis=self.analysis, window=WINDOW)

    def take(self, count: int = 10**9) -> Rendering:
        """Takes so many further frames, or all that are left."""
        for _ in range(count):
            picture = next(self._stream, None)
            if picture is None:
                break
            self.hashes.append((picture.number, seen(picture)))
        return self


def pushed(client: Client, plate: Path) -> Shot:
    """The plate as a host gives it that decodes for itself: frame by frame, and again where they are asked for."""
    with media.open_source(plate) as source:
        pictures = {frame.number: Picture.of(frame.number, frame.pixels) for frame in source.frames()}
        info = source.info
    size = {"width": info.width, "height": info.height, "channels": info.channels, "dtype": info.dtype}
    return client.open_shot(
        pushed={"first": info.first, "last": info.last, **size}, frames=pictures.__getitem__
    )


def render(client: Client, plate: Path | Shot) -> list[tuple[int, str]]:
    """Frame numbers and hashes of the whole plate, in the order in which they came."""
    return Rendering(client, plate).take().hashes


class Server:
    """A server process. A context manager; leaving it stops the server.

    Args:
        home: folder of its user: settings, analyses, temporary files.
        options: further arguments of `python -m stylebridge_server.broker`.
        wrap: a command that runs the server, such as one that gives it a small disk.
        changed: environment variables to set.
    """

    def __init__(self, home: Path, *options: str, wrap: Sequence[str] = (), **changed: str) -> None:
        self.home = home
        self.log = home / f"server-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *wrap,
                    sys.executable,
                    "-m",
                    "stylebridge_server.broker",
                    "--announce",
                    "--exit-with-parent",
                    *options,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**settings(home), **changed},
            )
        assert self.process.stdout is not None
        self._said = self.process.stdout.readline()

    @property
    def listens(self) -> bool:
        """Whether it came up."""
        return bool(self._said)

    @property
    def address(self) -> Address:
        assert self._said, f"the server did not start: {self.log.read_text()}"
        return Address(**json.loads(self._said))

    @property
    def url(self) -> str:
        return self.address.url

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Ends it as the end of its parent does; returns its exit status."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


def settings(home: Path) -> dict[str, str]:
    """The environment of everything that runs in a home, temporary files included."""
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    return {**environment(home), "TMPDIR": str(home / "tmp")}


def with_site(home: Path, name: str, code: str) -> str:
    """A PYTHONPATH under which every Python process of a home runs some code as it starts."""
    folder = home / "site" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    return os.pathsep.join([str(folder), settings(home)["PYTHONPATH"]])


def worker_of(client: Client) -> int:
    """The process that computes, by the server's own status."""
    return int(client.status()["workers"][0]["pid"])


def command(home: Path, *words: object, wrap: Sequence[str] = (), **changed: str) -> subprocess.Popen[str]:
    """`stylebridge` as a process of its own."""
    return subprocess.Popen(
        [*wrap, sys.executable, "-m", "stylebridge", *map(str, words)],
        env={**settings(home), **changed},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes(home: Path) -> list[psutil.Process]:
    """All that run in a home, by their environment, but this process."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            named = process.environ().get("STYLEBRIDGE_HOME")
            if (
                named == str(home / "settings")
                and process.pid != os.getpid()
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
    return found


def left_behind(home: Path) -> list[str]:
    """Whatever a home's servers and clients left: processes, and files that nobody will need."""
    left = [f"process {one.pid} {' '.join(one.cmdline()[-3:])}" for one in processes(home)]
    run = home / "settings" / "run"
    if run.is_dir():
        left += [str(path) for path in run.iterdir() if not path.name.startswith(_MAY_STAY)]
    left += [str(path) for path in SHARED.glob("stylebridge-*") if _owner_gone(path)]
    for folder in (home / "tmp", home / "analyses"):
        if folder.is_dir():
            left += [
                str(path)
                for path in folder.rglob("*")
                if folder.name == "tmp" or path.name.startswith((".", "tmp")) or path.name.endswith(".part")
            ]
    return left


def _owner_gone(path: Path) -> bool:
    """Whether the process that a file in shared memory is named by has ended."""
    number = path.name.split("-")[1]
    return number.isdigit() and not psutil.pid_exists(int(number))


class Proxy:
    """A network between clients and one server on loopback, which can be cut, mended, and made to swallow what is sent.

    Attributes:
        sent: all bytes that clients sent, by connection.
    """

    def __init__(self, server: Address) -> None:
        host, port = server.endpoint.removeprefix("tcp://").rsplit(":", 1)
        self._target = (host, int(port))
        self._key = server.public
        self.sent: list[bytearray] = []
        self._lock = threading.RLock()
        self._passing = True
        self._pairs: list[_Pair] = []
        self._came = 0
        self._trap: tuple[int, Callable[[], None]] | None = None
        self._closed = False
        self._listener: socket.socket | None = self._listen(0)
        self._port = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self._port}?key={self._key}"

    def cut(self) -> None:
        """Resets every connection, and refuses new ones."""
        with self._lock:
            listener, self._listener = self._listener, None
            if listener:
                # shutdown wakes the accept that waits in it; close alone would not
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                listener.close()
            for pair in self._pairs:
                pair.close()
            self._pairs.clear()

    def swallow(self) -> None:
        """From now on nothing that is sent arrives, on old connections or on new ones; nobody is told."""
        with self._lock:
            self._passing = False
            for pair in self._pairs:
                pair.passing = False

    def mend(self) -> None:
        """New connections work again. Those that lost bytes stay as they are."""
        with self._lock:
            self._passing = True
            if self._listener is None and not self._closed:
                self._listener = self._listen(self._port)

    def after(self, size: int, action: Callable[[], None]) -> None:
        """Does something once, when the server has sent so many bytes from now on."""
        with self._lock:
            self._came, self._trap = 0, (size, action)

    def close(self) -> None:
        self._closed = True
        self.cut()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                pair = _Pair(self, client, server, self._passing)
                self._pairs.append(pair)
                self.sent.append(pair.sent)
            pair.start()

    def _arrived(self, size: int) -> None:
        """Bytes of the server are on their way to a client."""
        with self._lock:
            self._came += size
            if self._trap is None or self._came < self._trap[0]:
                return
            action, self._trap = self._trap[1], None
        action()


class _Pair:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket, passing: bool) -> None:
        self.passing = passing
        self.sent = bytearray()
        self._proxy, self._client, self._server = proxy, client, server

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        """Passes bytes on until one end closes."""
        going = True
        try:
            while going:
                for end in select.select([self._client, self._server], [], [])[0]:
                    data = end.recv(16_384)
                    going = going and bool(data)
                    if end is self._client:
                        self.sent += data
                    if self.passing and data:
                        (self._server if end is self._client else self._client).sendall(data)
                        if end is self._server:
                            self._proxy._arrived(len(data))
        except OSError:
            pass
        finally:
            self._client.close()
            self._server.close()


def small_disk(folder: Path, options: str) -> list[str]:
    """A command in front of another that runs it with a tiny disk mounted on `folder`, which nobody else sees and
    which goes with the last process that uses it. Empty where this system does not let us.

    Args:
        options: of mount, such as "size=16k".
    """
    script = f'mount -t tmpfs -o {options} none "{folder}" && exec "$@"'
    for start in (["unshare", "-m"], ["unshare", "-r", "-m"]):
        wrap = [*start, "sh", "-c", script, "sh"]
        with contextlib.suppress(OSError):
            if subprocess.run([*wrap, "true"], capture_output=True, check=False).returncode == 0:
                return wrap
    return []
