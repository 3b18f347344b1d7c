"""Finding the user's running server, and starting one.

A server that was started for one run is tied to its client by a pipe: however the client ends, the pipe
closes and the server stops. A server that is to stay writes where it is into HOME/run/server.json and holds
HOME/run/server.lock while it lives, so that a file left behind by a killed server is known to be stale.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

from .errors import Code, StylebridgeError
from .keys import home, parse_key, private_folder, server_key, write_private
from .lock import lock

#: Lines of a failed server's log that are shown.
LOG_LINES = 12
#: Days that the log of a server that ended with an error is kept.
LOG_DAYS = 7
#: How often, and how many seconds apart, a server that has the lock but is not announced yet is looked for.
LOOKS, LOOK_EVERY = 20, 0.05


@dataclass(frozen=True)
class Address:
    """Where a server is, and how it is known.

    Attributes:
        endpoint: "tcp://host:port".
        public: its public key, hexadecimal.
        pid: its process, 0 where that is not known.
        fingerprint: of its results, empty where that is not known.
    """

    endpoint: str
    public: str
    pid: int = 0
    fingerprint: str = ""

    @property
    def url(self) -> str:
        """What another user's or machine's client needs."""
        return f"{self.endpoint}?key={self.public}"

    @property
    def key(self) -> bytes:
        return parse_key(self.public, f"The address of the server at {self.endpoint}")


def parse_url(url: str) -> Address:
    """The server of "tcp://host:port?key=HEX"; without a key, the key of this user's own server.

    Raises:
        StylebridgeError: `BAD_VALUE` for anything else; as `keys.server_key`.
    """
    try:
        parts = urlsplit(url)
        named = parse_qs(parts.query)
        wrong = parts.scheme != "tcp" or not parts.hostname or not parts.port or set(named) - {"key"}
    except ValueError:
        wrong = True
    if wrong:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f'"{url}" is no server: give tcp://HOST:PORT?key=KEY, as `stylebridge serve` prints.',
        )
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    public = named["key"][0] if "key" in named else server_key().public.hex()
    parse_key(public, f'The URL "{url}"')
    return Address(f"tcp://{host}:{parts.port}", public)


def find_server() -> Address | None:
    """The server that runs for this user, None where none does. One that is just starting is waited for, a moment."""
    folder = private_folder("run")
    for _ in range(LOOKS):
        with ServerLock(folder, look=True) as known:
            if known.held:
                return None  # nobody else has it: what the file says is stale
            holder = known.holder()
        with contextlib.suppress(OSError, ValueError, TypeError):
            address = Address(**json.loads((folder / "server.json").read_text("utf-8")))
            if holder in (0, address.pid):  # else it is of the server before, which was killed
                return address
        time.sleep(LOOK_EVERY)
    return None


def shared_server(timeout: float = 60.0) -> Address:
    """The user's one server: the one that runs, else one that is started now and stays. All who ask at once get the
    same.

    Raises:
        StylebridgeError: as `start_server`.
    """
    found = find_server()
    if found:
        return found
    try:
        return start_server(stay=True, timeout=timeout).address
    except StylebridgeError as error:
        found = find_server()  # another was first
        if error.code != Code.UNREACHABLE or not found:
            raise
        return found


def announce(address: Address) -> None:
    """Lets this user's clients find the server. The caller holds the `ServerLock`.

    Raises:
        StylebridgeError: `NOT_WRITABLE`; as `keys.private_folder`.
    """
    place = private_folder("run") / "server.json"
    try:
        write_private(place, json.dumps(asdict(address)))
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"The server cannot write {place}, by which clients find it ({error.strerror}): free space there.",
        ) from None


def withdraw() -> None:
    """Takes back what `announce` said."""
    with contextlib.suppress(OSError):
        (home() / "run" / "server.json").unlink()


class ServerLock:
    """HOME/run/server.lock, held by the one server of the user; a context manager.

    Args:
        look: only looks whether anybody has it; several may look at once.

    Attributes:
        held: whether this process has it now.
    """

    def __init__(self, folder: Path, look: bool = False) -> None:
        self.held = False
        self._look = look
        self._file: IO[bytes] = (folder / "server.lock").open("a+b")

    def __enter__(self) -> ServerLock:
        self.held = lock(self._file.fileno(), shared=self._look)
        if self.held and not self._look:
            with contextlib.suppress(OSError):  # a full disk: then nobody is told whose it is
                self._file.truncate(0)
                self._file.write(b"%d" % os.getpid())
                self._file.flush()
        return self

    def holder(self) -> int:
        """The process that has it, as far as it says; 0 where that is not known."""
        with contextlib.suppress(OSError, ValueError):  # Windows lets nobody else read it
            self._file.seek(0)
            return int(self._file.read(20))
        return 0

    def __exit__(self, *unused: object) -> None:
        self._file.close()  # closing lets go of the lock
        self.held = False


class StartedServer:
    """A server process that this process started.

    Attributes:
        address: where it is.
        pid: its process.
        log: the file that it writes its log to.
    """

    def __init__(self, process: subprocess.Popen[bytes], address: Address, log: Path, tied: bool) -> None:
        self.address = address
        self.pid = process.pid
        self.log = log
        self._process, self._tied = process, tied

    def stop(self, timeout: float = 10.0) -> None:
        """Ends a server that is tied to this process, kindly first; lets any other be. Its log stays only where
        it tells of an error.
        """
        if not self._tied:
            return
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError):
            if not re.search(rb"[ \"]ERROR[ \"]", self.log.read_bytes()):
                self.log.unlink()


def start_server(
    stay: bool = False,
    timeout: float = 60.0,
    extra: tuple[str, ...] = (),
    results_mb: int | None = None,
    python: str | None = None,
) -> StartedServer:
    """Starts a server of this user on this machine and waits until it listens.

    The Python that runs it is `python`, else `STYLEBRIDGE_PYTHON` where that is set (a host's own Python seldom has
    the server installed), else this one.

    Args:
        stay: it goes on without this process, can be found by others, and stops by itself when unused for
            long; otherwise it ends with this process.
        timeout: seconds until it must listen.
        extra: further arguments of `python -m stylebridge_server.broker`.
        results_mb: memory for finished tiles in MiB, None for the usual.
        python: the Python that has the server installed.

    Raises:
        StylebridgeError: `MISSING_EXTRA` where no server is installed; `UNREACHABLE` with the end of its log
            where it does not start.
    """
    named = python or os.environ.get("STYLEBRIDGE_PYTHON")
    command = [named or _python(), "-m", "stylebridge_server.broker", "--announce"]
    if results_mb is not None:
        command += ["--results-mb", str(results_mb)]
    command += ["--stay", "--idle-exit", "1800"] if stay else ["--exit-with-parent"]
    folder = private_folder("run")
    lasting = folder / "server.log"
    if stay:
        command += ["--log-file", str(lasting)]  # which it takes when it knows that it is the only one
    _sweep(folder)
    handle, name = tempfile.mkstemp(prefix="run-", suffix=".log", dir=folder)
    log, log_file = Path(name), os.fdopen(handle, "wb")
    flags: dict[str, Any] = {"start_new_session": True}  # so that Ctrl-C reaches the client alone
    if sys.platform == "win32":
        flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        with log_file:
            process = subprocess.Popen(
                [*command, *extra],
                stdin=subprocess.DEVNULL if stay else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_file,
                env=_environment(named),
                **flags,
            )
    except OSError as error:
        raise StylebridgeError(
            Code.UNREACHABLE,
            f"{command[0]} cannot be run ({error.strerror}): name the Python that has the server installed "
            "(STYLEBRIDGE_PYTHON, or the host's settings).",
        ) from None
    line = _first_line(process, timeout)
    try:
        address = Address(**json.loads(line))
    except (ValueError, TypeError):
        process.kill()
        process.wait()
        words = _log_end(log)
        raise StylebridgeError(
            Code.UNREACHABLE,
            f"The server did not start ({command[0]}); its log {log} ends with:\n{words or '(nothing)'}",
            log=words,
        ) from None
    if stay:
        log.unlink()
        log = lasting
    return StartedServer(process, address, log, tied=not stay)


def _sweep(folder: Path) -> None:
    """Removes the logs of servers that ended long ago."""
    for log in folder.glob("run-*.log"):
        with contextlib.suppress(OSError):
            if time.time() - log.stat().st_mtime > LOG_DAYS * 86_400:
                log.unlink()


def _python() -> str:
    """This Python, where it has the server."""
    if importlib.util.find_spec("stylebridge_server") is None:
        raise StylebridgeError(
            Code.MISSING_EXTRA,
            'The server is not installed here: run `pip install "stylebridge[server]"`, or set '
            "STYLEBRIDGE_PYTHON to the Python that has it.",
        )
    return sys.executable


def _environment(named: str | None) -> dict[str, str]:
    """This process's, with a PYTHONPATH to the packages where they are imported from a checkout."""
    if named:
        return dict(os.environ)  # that Python has its own
    folders = []
    for name in ("stylebridge", "stylebridge_server", "stylebridge_models"):
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            folder = str(Path(spec.origin).parent.parent)
            if not folder.endswith("-packages") and folder not in folders:
                folders.append(folder)
    folders += filter(None, [os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


def _first_line(process: subprocess.Popen[bytes], timeout: float) -> bytes:
    """What the process says first, empty where it ends or says nothing in time."""
    said: list[bytes] = []
    assert process.stdout is not None
    with process.stdout as pipe:
        reader = threading.Thread(target=lambda: said.append(pipe.readline()), daemon=True)
        reader.start()
        reader.join(timeout)
        if not said:
            process.kill()
            reader.join()
    return said[0] if said else b""


def _log_end(log: Path) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:])
    return ""
