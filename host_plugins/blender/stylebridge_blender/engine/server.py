"""The server as the add-on knows it: whether it runs, how it is started and stopped, and what it can do.

Everything here may take long and runs in worker threads, but for `configure`, `forget` and reading `state`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._bridge.stylebridge import launch
from .._bridge.stylebridge.client import Client
from .._bridge.stylebridge.errors import Code, StylebridgeError

UNKNOWN, STOPPED, STARTING, RUNNING, FAILED = "unknown", "stopped", "starting", "running", "failed"
#: Seconds that a server may take to start: it loads its network.
START_LIMIT = 120.0
#: Seconds in which it ends when it is told to.
STOP_LIMIT = 15.0
#: Lines of the server's log that the panel shows.
LOG_LINES = 8

#: What a server says that starts while another of the user has not quite ended.
_LEAVING = "runs already"

NO_PYTHON = (
    "No server is installed that this add-on knows of: install Stylebridge's server, then name the Python that has "
    "it in the add-on's preferences."
)


@dataclass
class State:
    """What is known of the server now. Replaced as a whole, so that any thread may read it.

    Attributes:
        name: one of "unknown", "stopped", "starting", "running", "failed".
        message: a sentence: what it is, or what went wrong and what to do.
        info: what the server said of itself.
        abilities: its answer to `describe`: "styles", "networks", "segmenters" and more.
        log: the last lines of its log, where there is one to read.
    """

    name: str = UNKNOWN
    message: str = ""
    info: dict[str, Any] = field(default_factory=dict)
    abilities: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)


state = State()

_url = _python = ""
_online = True
_clients: dict[int, Client] = {}  # by thread
_lock = threading.Lock()
_starting = threading.Lock()


def configure(url: str, python: str, online: bool) -> None:
    """Takes over the preferences, in the main thread; connections to another server are let go."""
    global _url, _python, _online
    changed = (url, python) != (_url, _python)
    _url, _python, _online = url.strip(), python.strip(), online
    if changed:
        forget()


def find_python() -> str:
    """The Python that has the server installed; empty where none is known.

    The one in the preferences, STYLEBRIDGE_PYTHON, or the one beside a `stylebridge` command on the PATH.
    """
    named = _python or os.environ.get("STYLEBRIDGE_PYTHON", "")
    if named:
        return _in_environment(Path(named).expanduser())
    command = shutil.which("stylebridge")
    if command:
        beside = Path(command).resolve().parent / Path("python.exe" if sys.platform == "win32" else "python")
        if beside.is_file():
            return str(beside)
    return ""


def _in_environment(named: Path) -> str:
    """The Python of a virtual environment's folder; a program as it is."""
    for place in ("bin/python", "Scripts/python.exe"):
        if named.is_dir() and (named / place).is_file():
            return str(named / place)
    return str(named)


def client(start: bool = True, step: Callable[[], None] = lambda: None) -> Client:
    """This thread's connection to the server, made now where it has none.

    Args:
        start: whether a server may be started where none runs.
        step: called before anything long.

    Raises:
        StylebridgeError: as `Client.connect`; `DENIED` for a server elsewhere while Blender is offline.
    """
    with _lock:
        known = _clients.get(threading.get_ident())
    if known is not None and (not start or _answers(known)):
        return known
    _refuse_offline()
    step()
    if start and not _url and launch.find_server() is None:
        start_server()
        step()
    made = Client.connect(_url or None, start=False, name="blender", patience=0.0)
    with _lock:
        _clients[threading.get_ident()] = made
    _known(made)
    return made


def _answers(known: Client) -> bool:
    """Whether a connection from before still is one."""
    try:
        known.status()
    except StylebridgeError as error:
        if error.code != Code.UNREACHABLE:
            raise
        _let_go(threading.get_ident())
        return False
    return True


def lost(message: str) -> None:
    """Notes that the server is gone; this thread connects anew the next time."""
    _let_go(threading.get_ident())
    if state.name != STARTING:
        _say(STOPPED, message)


def look() -> None:
    """Finds out whether the server runs, and what it can do. Starts nothing."""
    try:
        running = client(start=False)
        running.status()
        if state.name != RUNNING:
            _known(running)
    except StylebridgeError as error:
        _let_go(threading.get_ident())
        if state.name != FAILED or error.code != Code.UNREACHABLE:  # why it failed is the better message
            name = STOPPED if error.code == Code.UNREACHABLE and not _url else FAILED
            _say(name, "No server runs." if name == STOPPED else error.message)


def start_server() -> None:
    """Starts the user's server on this machine. It stays after Blender, and stops by itself when unused for long.

    Raises:
        StylebridgeError: with what to do.
    """
    with _starting:
        if launch.find_server() is not None:
            return
        python = find_python()
        if not python:
            _say(FAILED, NO_PYTHON)
            raise StylebridgeError(Code.MISSING_EXTRA, NO_PYTHON)
        _say(STARTING, "The server starts: it loads its network.")
        until = time.monotonic() + STOP_LIMIT
        while True:
            try:
                launch.start_server(stay=True, timeout=START_LIMIT, python=python)
                return
            except StylebridgeError as error:
                if launch.find_server() is not None:
                    return  # another was first
                log = str(error.details.get("log", "")).splitlines()
                if any(_LEAVING in line for line in log) and time.monotonic() < until:
                    time.sleep(0.5)  # the one before is just ending
                    continue
                _say(FAILED, _advice(error.message.splitlines()[0], log, python), log[-LOG_LINES:])
                raise


def _advice(sentence: str, log: list[str], python: str) -> str:
    if any("No module named" in line for line in log):
        return f"{python} has no Stylebridge server: install it there, or name another Python in the preferences."
    return sentence


def stop_server() -> None:
    """Stops the server, and waits until it is gone."""
    with contextlib.suppress(StylebridgeError):
        client(start=False).shutdown()
    _let_go(threading.get_ident())
    until = time.monotonic() + STOP_LIMIT
    while not _url and launch.find_server() is not None and time.monotonic() < until:
        time.sleep(0.1)
    _say(STOPPED, "No server runs.")


def forget() -> None:
    """Lets go of all connections: another server was named, or Blender quits."""
    with _lock:
        threads = list(_clients)
    for thread in threads:
        _let_go(thread)
    _say(UNKNOWN, "")


def _let_go(thread: int) -> None:
    with _lock:
        known = _clients.pop(thread, None)
    if known is not None:
        known.close()


def _refuse_offline() -> None:
    if _url and not _online and not _url.startswith(("tcp://127.", "tcp://localhost", "tcp://[::1]")):
        raise StylebridgeError(
            Code.DENIED,
            "The server is on another machine and Blender is offline: allow online access in Blender's preferences "
            "(System), or clear the server's address in the add-on's.",
        )


def _known(running: Client) -> None:
    global state
    info = running.server
    message = f"Running, version {info.get('version', '')}"
    state = State(RUNNING, message, dict(info), running.describe(), [])


def _say(name: str, message: str, log: list[str] | None = None) -> None:
    global state
    state = State(name, message, {}, state.abilities, _log_tail() if log is None else log)


def _log_tail() -> list[str]:
    """The end of the log of the user's own server."""
    if _url:
        return []
    with contextlib.suppress(OSError, StylebridgeError):
        log = launch.home() / "run" / "server.log"
        return log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
    return []
