"""The least that a frame's way to another process and back can cost, each way measured with a peer process.

Both sides keep what can be kept: the memory shared, the connection. The client's result is fresh memory each time,
as it is for a client of the bridge, who keeps the frames that it gets.
"""

from __future__ import annotations

import hashlib
import mmap
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import zmq

CONTEXT = multiprocessing.get_context("spawn")


class SharedEcho:
    """Three copies: the client writes the frame into mapped memory, the peer copies it to another place there, the
    client copies that out. They tell each other by single bytes through a pipe.
    """

    def __init__(self, frame: bytes, file: int, pipe: Connection) -> None:
        self._frame, self._pipe = frame, pipe
        self._memory = memoryview(mmap.mmap(file, 2 * len(frame)))

    def __call__(self) -> bytearray:
        size = len(self._frame)
        self._memory[:size] = self._frame
        self._pipe.send_bytes(b"x")
        self._pipe.recv_bytes()
        result = bytearray(size)
        memoryview(result)[:] = self._memory[size:]
        return result


def _shared_peer(path: str, size: int, pipe: Connection) -> None:
    with Path(path).open("r+b") as file:
        memory = memoryview(mmap.mmap(file.fileno(), 2 * size))
    while pipe.recv_bytes():
        memory[size:] = memory[:size]
        pipe.send_bytes(b"x")


@contextmanager
def shared_echo(frame: bytes) -> Iterator[SharedEcho]:
    """The three-copy echo, with its peer running."""
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.NamedTemporaryFile(dir=folder, prefix="stylebridge-bench-") as file:
        os.truncate(file.fileno(), 2 * len(frame))
        ours, theirs = CONTEXT.Pipe()
        peer = CONTEXT.Process(target=_shared_peer, args=(file.name, len(frame), theirs), daemon=True)
        peer.start()
        try:
            yield SharedEcho(frame, file.fileno(), ours)
        finally:
            peer.kill()
            peer.join()


class MessageEcho:
    """One message with the whole frame over loopback, encrypted with CURVE, and back; pyzmq copies nothing."""

    def __init__(self, frame: bytes, socket: zmq.Socket[Any]) -> None:
        self._frame, self._socket = frame, socket

    def __call__(self) -> memoryview:
        self._socket.send(self._frame, copy=False)
        return self._socket.recv(copy=False).buffer


def _message_peer(secret: bytes, pipe: Connection) -> None:
    socket = zmq.Context().socket(zmq.DEALER)
    socket.curve_server = True
    socket.curve_secretkey = secret
    pipe.send(socket.bind_to_random_port("tcp://127.0.0.1"))
    while True:
        socket.send(socket.recv(copy=False), copy=False)


@contextmanager
def message_echo(frame: bytes) -> Iterator[MessageEcho]:
    """The encrypted echo, with its peer running."""
    public, secret = zmq.curve_keypair()
    ours, theirs = CONTEXT.Pipe()
    peer = CONTEXT.Process(target=_message_peer, args=(secret, theirs), daemon=True)
    peer.start()
    context: zmq.Context[Any] = zmq.Context()
    try:
        socket = context.socket(zmq.DEALER)
        socket.linger = 0
        socket.curve_serverkey = public
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.connect(f"tcp://127.0.0.1:{ours.recv()}")
        yield MessageEcho(frame, socket)
    finally:
        context.destroy()
        peer.kill()
        peer.join()


def hashed(frame: bytes) -> str:
    """BLAKE2b-256 of a frame."""
    return hashlib.blake2b(frame, digest_size=32).hexdigest()
