"""The worker process as the broker sees it: started, spoken to, buried."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgpack
import zmq
from zmq.utils import z85

from stylebridge.errors import StylebridgeError
from stylebridge.keys import KeyPair, private_folder
from stylebridge.link import prepare
from stylebridge.pixels import Bytes
from stylebridge.protocol import Message, decode, encode

from ..worker.ledger import Ledger
from ..worker.logs import event
from ..worker.messages import FROM_WORKER
from ..worker.process import Orders
from .gate import WORKERS
from .watch import Patience, Watch

log = logging.getLogger("stylebridge.broker")


#: Seconds that a killed process is waited for.
KILLED = 2.0


class WorkerProcess:
    """One worker, from its start to its end, with a socket and keys of its own: what a dead worker left on
    its way cannot be taken for its successor's.

    Attributes:
        key: the only public key that its socket lets in.
        fingerprint: empty until it is ready.
        begun: when it was started (`time.monotonic`).

    Args:
        context: of the broker's sockets.
        device: what it computes on.
        jobs, roots: see `worker.process.Orders`.
        patience: how long it may be silent.
        form: of its log lines, see `worker.logs`.
        caches: sizes of its caches in MiB, by the names that its environment knows them by.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        device: str,
        jobs: str,
        roots: tuple[str, ...],
        patience: Patience,
        form: str = "text",
        caches: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        ours, theirs = KeyPair.make(), KeyPair.make()
        self.key = theirs.public
        self.fingerprint = ""
        self.begun = self._beat = time.monotonic()
        self._patience, self._watch = patience, Watch(patience, self.begun)
        # Where the system has too little left for a process, nothing stays.
        with contextlib.ExitStack() as undo:
            self.socket = context.socket(zmq.DEALER)
            undo.callback(self.socket.close)
            self._ledger = Ledger(private_folder("run"))
            undo.callback(self._ledger.close)
            orders = self._listen(ours, theirs, jobs, roots, form)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stylebridge_server.worker"],
                pass_fds=self._ledger.inherited,
                stdin=subprocess.PIPE,
                stdout=sys.stderr.fileno(),  # standard output is the broker's, to say where it is
                # Threads that wait for work by spinning take a busy machine's time from those that have some.
                env={
                    "OMP_WAIT_POLICY": "PASSIVE",
                    **os.environ,
                    **{name: str(size) for name, size in caches.items()},
                    "STYLEBRIDGE_DEVICE": device,
                },
            )
            undo.pop_all()
        assert self._process.stdin is not None
        self._pipe = self._process.stdin
        with contextlib.suppress(OSError):  # it may be dead already, which `dead` will say
            self._pipe.write(orders.line())
            self._pipe.flush()
        event(log, "worker started", pid=self.pid, device=device)

    def _listen(self, ours: KeyPair, theirs: KeyPair, jobs: str, roots: tuple[str, ...], form: str) -> Orders:
        """Binds the socket, and says in orders where."""
        prepare(self.socket)
        self.socket.heartbeat_ivl = 0  # the process and its ledger say more: a stopped broker loses no worker
        self.socket.curve_server = True
        self.socket.curve_secretkey = z85.encode(ours.secret)
        self.socket.zap_domain = WORKERS.encode()
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        return Orders(
            endpoint=f"tcp://127.0.0.1:{port}",
            broker=ours.public.hex(),
            secret=theirs.secret.hex(),
            ledger=str(self._ledger.path),
            jobs=jobs,
            roots=roots,
            log=form,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ready(self) -> bool:
        return bool(self.fingerprint)

    @property
    def dead(self) -> bool:
        return self._process.poll() is not None

    @property
    def status(self) -> int | None:
        """Its exit status, where it is dead."""
        return self._process.poll()

    def send(self, op: str, job: int, fields: dict[str, Any], payload: Bytes | None = None) -> None:
        with contextlib.suppress(zmq.ZMQError):  # it is gone, and will be buried or was
            self.socket.send_multipart(encode(op, job, fields, payload), zmq.NOBLOCK, copy=False)

    def messages(self) -> Iterator[Message]:
        """All that it has said and nobody has read yet. What cannot be read comes as `unreadable`, with the id of the
        job and the `op` that it names; 0 and empty where it names none.
        """
        while True:
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                message = decode([part.buffer for part in parts], FROM_WORKER)
            except StylebridgeError as error:
                log.error("worker pid=%d said what cannot be read: %s", self.pid, error)
                number, op = _about(parts[0].buffer)
                message = Message("unreadable", number, {"op": op})
            if message.op == "ready":
                self.fingerprint = message.fields["fingerprint"]
            yield message

    def computing(self) -> int:
        """The job that it computed last, 0 for none; also when it is dead."""
        return self._ledger.read().job

    def hung(self) -> str:
        """Why it counts as hung, empty while it does not. To be asked several times a second."""
        now = time.monotonic()
        if now - self._beat > self._patience.beat_every:
            self._beat = now
            self.send("beat", 0, {})
        return self._watch.look(self._ledger.read(), self.ready, now)

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._wait(KILLED)

    def stop(self, timeout: float = 3.0) -> None:
        """Ends it, kindly first, and clears away what it leaves."""
        with contextlib.suppress(OSError):
            self._pipe.close()
        if not self._wait(timeout):
            self.kill()
        self.socket.close()
        self._ledger.close()

    def _wait(self, timeout: float) -> bool:
        """Whether it ends in that time. One that the system itself holds (a dead network drive) may not, killed or
        not; it is left to its end."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True


def _about(envelope: Bytes) -> tuple[int, str]:
    """The job and the op of a message that is refused, so that at least somebody can be told; 0 and empty for none."""
    try:
        named = msgpack.unpackb(envelope, strict_map_key=False)
        number, op = named["id"], named["op"]
    except (ValueError, TypeError, KeyError, RecursionError, msgpack.exceptions.UnpackException):
        return 0, ""
    return (number, op) if type(number) is int and isinstance(op, str) else (0, "")
