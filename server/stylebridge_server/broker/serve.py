"""The server, from its start to its end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from stylebridge import launch
from stylebridge.errors import Code, StylebridgeError
from stylebridge.keys import KeyPair, allowed_keys, client_key, private_folder, server_key
from stylebridge.launch import Address, ServerLock
from stylebridge.link import prepare

from ..worker import logs
from ..worker.messages import failure
from .broker import GRACE, Broker
from .crew import devices_of
from .gate import CLIENTS, WORKERS, Gate
from .logfile import BoundedLog
from .notify import Notifier
from .supervisor import WorkerProcess
from .watch import Patience

log = logging.getLogger("stylebridge.broker")

#: Messages that one client may leave unread before it counts as gone. Credit bounds pixels long before.
UNREAD_LIMIT = 10_000
#: Messages of one client that wait to be taken; then its connection is not read. A part has at most 2 MiB.
UNTAKEN_LIMIT = 32
#: Seconds between looks at the worker and the clock.
TICK = 0.1
#: Seconds in which a connection must have shown its key.
HANDSHAKE = 10.0
#: Open files that are asked of the system; each connection is one.
FILES = 16_384


@dataclass(frozen=True)
class Options:
    """How a server is run.

    Attributes:
        bind: where it listens: "tcp://HOST:PORT", port 0 or "*" for any. Loopback unless said otherwise.
        stay: whether it is the user's one server, which their clients find; otherwise only who started it
            knows.
        exit_with_parent: stops when its standard input is closed.
        idle_exit: seconds without a request after which it stops, None for never.
        announce: prints its address to standard output as one line of JSON, then closes it.
        roots: folders that clients of other users may have read.
        jobs: the module that does the work, see `worker.process`.
        patience: how long a worker may be silent before it counts as hung.
        log: how log lines look, "text" or "json".
        log_file: a file for the log, kept small, in place of standard error.
        metrics: port of this machine where counters for Prometheus are shown, None for none.
        grace: seconds that running requests have to end when the server is told to stop.
        results_mb, work_mb: memory for finished tiles, and for what they are made from, in MiB; None for what the
            environment says (STYLEBRIDGE_RESULTS_MB, STYLEBRIDGE_WORK_MB), or the usual.
        device: the devices that compute, a worker for each, as `crew.devices_of` reads them; empty for what the
            environment says (STYLEBRIDGE_DEVICE), or the processor.
    """

    bind: str = "tcp://127.0.0.1:*"
    stay: bool = True
    exit_with_parent: bool = False
    idle_exit: float | None = None
    announce: bool = False
    roots: tuple[str, ...] = ()
    jobs: str = "stylebridge_server.worker.jobs"
    patience: Patience = field(default_factory=Patience)
    log: str = "text"
    log_file: str = ""
    metrics: int | None = None
    grace: float = GRACE
    results_mb: int | None = None
    work_mb: int | None = None
    device: tuple[str, ...] = ()

    @property
    def caches(self) -> dict[str, int]:
        """The sizes that are given, by the names of the worker's environment."""
        sizes = {"STYLEBRIDGE_RESULTS_MB": self.results_mb, "STYLEBRIDGE_WORK_MB": self.work_mb}
        return {name: size for name, size in sizes.items() if size is not None}


def serve(options: Options, on_ready: Any = None) -> None:
    """Runs a server until it is told to stop: by a signal, by its owner, or as the options say.

    Args:
        on_ready: called with the `Address` when it listens.

    Raises:
        StylebridgeError: `BAD_VALUE` where it cannot listen there, `NOT_WRITABLE` or `DENIED` for its
            folders, `DENIED` where a server of this user runs already.
    """
    logs.begin(options.log)
    _allow_files()
    manager = Notifier()
    with contextlib.ExitStack() as stack:
        if options.stay:
            _be_the_one(stack)
        log_file = BoundedLog(Path(options.log_file)) if options.log_file else None
        key, owner = server_key(), client_key().public.hex()
        context: zmq.Context[Any] = zmq.Context()
        stack.callback(context.destroy)
        gate = Gate(context, {CLIENTS: allowed_keys, WORKERS: lambda: broker.crew.worker_keys})
        front = _listen(context, options.bind, key)
        endpoint = front.getsockopt_string(zmq.LAST_ENDPOINT)
        address = Address(_seen_from(endpoint, "127.0.0.1"), key.public.hex(), os.getpid())

        def tell(fingerprint: str) -> None:
            if options.stay:
                launch.announce(replace(address, fingerprint=fingerprint))

        def start_worker(device: str) -> WorkerProcess:
            given = (device, options.jobs, options.roots, options.patience, options.log, options.caches)
            return WorkerProcess(context, *given)

        broker = Broker(front, owner, devices_of(options.device), start_worker, tell, allowed_keys)
        stack.callback(broker.stop)
        if options.metrics is not None:
            _show_metrics(options.metrics, broker, gate)
        asked = _watch(broker, options.exit_with_parent)
        if options.stay:
            stack.callback(launch.withdraw)
        tell("")
        if options.announce:
            print(json.dumps(asdict(address)), flush=True)
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # who started us reads one line
        if on_ready:
            on_ready(replace(address, endpoint=_seen_from(endpoint, socket.gethostname())))
        logs.event(log, "listening", endpoint=address.endpoint, pid=address.pid)
        manager.tell("READY=1")
        _loop(broker, gate, front, Side(options, manager, log_file, asked))
        logs.event(log, "stopped", why=broker.stopping)


class Side:
    """What a server minds beside its clients: signals, its log's size, and the service manager.

    Args:
        asked: names of the signals that came.
    """

    def __init__(
        self, options: Options, manager: Notifier, log_file: BoundedLog | None, asked: list[str]
    ) -> None:
        self._options, self._manager, self._log, self._asked = options, manager, log_file, asked
        self._left = False

    def tick(self, broker: Broker) -> None:
        """What is due: called several times a second."""
        options = self._options
        while self._asked:
            broker.retire(self._asked.pop(0), options.grace)
        if options.idle_exit is not None and broker.idle > options.idle_exit:
            broker.stopping = f"unused for {options.idle_exit:g} seconds"
        if self._log:
            self._log.look()
        self._manager.alive()
        if (broker.leaving or broker.stopping) and not self._left:
            self._left = True
            self._manager.tell("STOPPING=1")
            if options.stay:
                launch.withdraw()  # who looks for a server now is not to find this one


def _loop(broker: Broker, gate: Gate, front: zmq.Socket[Any], side: Side) -> None:
    while not broker.stopping:
        poller = zmq.Poller()
        poller.register(front, zmq.POLLIN)
        poller.register(gate.socket, zmq.POLLIN)
        workers = {work.worker.socket: work for work in broker.crew.works if work.worker}
        for worker_socket in workers:
            poller.register(worker_socket, zmq.POLLIN)
        until = time.monotonic() + TICK
        while not broker.stopping and time.monotonic() < until:
            for ready, _ in poller.poll(int(TICK * 1000)):
                if ready is front:
                    broker.from_client(front.recv_multipart(copy=False))
                elif ready is gate.socket:
                    gate.answer()
                else:
                    workers[ready].hear()
        broker.tick()
        side.tick(broker)


def _listen(context: zmq.Context[Any], bind: str, key: KeyPair) -> zmq.Socket[Any]:
    front = context.socket(zmq.ROUTER)
    prepare(front)
    front.sndhwm, front.rcvhwm = UNREAD_LIMIT, UNTAKEN_LIMIT
    front.router_mandatory = True
    front.handshake_ivl = int(HANDSHAKE * 1000)
    front.linger = 500
    front.curve_server = True
    front.curve_secretkey = z85.encode(key.secret)
    front.zap_domain = CLIENTS.encode()
    try:
        front.bind(bind)
    except zmq.ZMQError as error:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f'The server cannot listen at "{bind}" ({error.strerror}): give tcp://HOST:PORT, port free.',
        ) from None
    return front


def _seen_from(endpoint: str, host: str) -> str:
    """Where to connect to; a server that listens everywhere is reached under `host`."""
    return re.sub(r"//(0\.0\.0\.0|\[::\]):", f"//{host}:", endpoint)


def _be_the_one(stack: contextlib.ExitStack) -> None:
    """Holds the user's lock while the server runs."""
    folder: Path = private_folder("run")
    for _ in range(20):
        lock = stack.enter_context(ServerLock(folder))
        if lock.held:
            launch.withdraw()  # what a killed server left behind
            return
        time.sleep(0.05)  # a client that looks for a server holds it for a moment
    running = launch.find_server()
    where = f" at {running.endpoint} (process {running.pid})" if running else ""
    raise StylebridgeError(
        Code.DENIED, f"A server of this user runs already{where}: use that one, or stop it first."
    )


def _show_metrics(port: int, broker: Broker, gate: Gate) -> None:
    try:
        from .metrics import Metrics
    except ModuleNotFoundError as error:
        raise failure(error) from None
    page = Metrics(port)
    broker.publish(lambda value: page.show(value, broker.crew.books.seconds, gate.refused))
    logs.event(log, "metrics", address=page.address)


def _allow_files() -> None:
    """As many open files as the system lets this user have: each connection is one, also one that says nothing."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
        if now < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _watch(broker: Broker, with_parent: bool) -> list[str]:
    """Returns a list that grows by the name of each signal to stop."""
    asked: list[str] = []

    def stop(number: int, frame: object) -> None:
        asked.append(signal.Signals(number).name)  # and no more: the loop may be anywhere

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)

    def wait_for_parent() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        broker.stopping = "the process that started it ended"

    if with_parent:
        threading.Thread(target=wait_for_parent, daemon=True).start()
    return asked
