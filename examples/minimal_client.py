"""A Stylebridge client with nothing but pyzmq and msgpack, written from docs/protocol.md.

    stylebridge serve                                                  # in another terminal
    python minimal_client.py plate.mp4 great-wave out 0 12 24          # writes out.0.ppm, out.12.ppm, out.24.ppm

It sends the movie or picture to the server, so the two need share no disk.
"""

import hashlib
import itertools
import json
import os
import sys
from pathlib import Path

import msgpack
import zmq
from zmq.utils import z85

PART, WINDOW = 2 << 20, 8 << 20
HOME = Path(os.environ.get("STYLEBRIDGE_HOME") or Path.home() / ".config" / "stylebridge")


class Server:
    """One session with the server that runs for this user."""

    def __init__(self):
        where = json.loads((HOME / "run" / "server.json").read_text())
        secret = z85.encode(bytes.fromhex((HOME / "keys" / "client.secret").read_text().strip()))
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.set(zmq.CURVE_SERVERKEY, z85.encode(bytes.fromhex(where["public"])))
        self.socket.set(zmq.CURVE_SECRETKEY, secret)
        self.socket.set(zmq.CURVE_PUBLICKEY, zmq.curve_public(secret))
        self.socket.set(zmq.HEARTBEAT_IVL, 2000)
        self.socket.set(zmq.HEARTBEAT_TIMEOUT, 10_000)
        self.socket.set(zmq.RCVTIMEO, 30_000)  # the server pings every 3 seconds
        self.socket.connect(where["endpoint"])
        self.numbers = itertools.count(1)
        self.ask("hello", version="minimal", protocol=2, client="minimal client")

    def send(self, number, op, *payload, **fields):
        envelope = msgpack.packb({"v": 2, "id": number, "op": op, **fields})
        self.socket.send_multipart([envelope, *payload])

    def events(self, number):
        """The events of a request and their second parts, up to its result; hands credit back for frames."""
        event = {"op": "ping"}
        while event["op"] != "result":
            envelope, *payload = self.socket.recv_multipart()
            event = msgpack.unpackb(envelope)
            if event["op"] == "ping" or event["id"] not in (number, 0):
                continue
            if event["op"] == "error" and event["code"] != "need":
                sys.exit(event["message"])
            yield event, b"".join(payload)
            if event["op"] == "error":
                return
            if event["op"] == "frame":
                cost = max(len(payload[0]), 16384)
                self.send(next(self.numbers), "credit", of=number, attempt=event["attempt"], bytes=cost)

    def ask(self, op, **fields):
        """The value of the result; None where the server lacks something."""
        number = next(self.numbers)
        self.send(number, op, **fields)
        return [event for event, _ in self.events(number)][-1].get("value")

    def put(self, data, name):
        number, taken = next(self.numbers), 0
        events = self.events(number)
        for offset in range(0, len(data), PART):
            while offset - taken >= WINDOW:
                taken += next(events, ({"bytes": len(data)},))[0].get("bytes", 0)
            self.send(number, "put", data[offset : offset + PART], hash=name, size=len(data), offset=offset)
        for _ in events:
            pass


def main(path, style, out, *frames):
    data, server = Path(path).read_bytes(), Server()
    name = hashlib.blake2b(data, digest_size=32).hexdigest()
    source = {"path": path, "files": {path: {"hash": name, "size": len(data)}}}
    opened = server.ask("open_shot", **source)
    if opened is None:
        server.put(data, name)
        opened = server.ask("open_shot", **source)
    analysis = server.ask("analyse", shot=opened["shot"], prompts=[], segmenter="none")["analysis"]
    look, number, pixels = {"schema": "look.1", "background": {"style": style}}, next(server.numbers), b""
    asked = {"analysis": analysis, "look": look, "frames": [int(frame) for frame in frames]}
    server.send(number, "render", shot=opened["shot"], **asked)
    for event, part in server.events(number):
        if event["op"] == "frame":
            pixels = part if event["offset"] == 0 else pixels + part
            if len(pixels) == event["height"] * event["width"] * 3:  # 8-bit RGB, as most movies are
                header = b"P6 %d %d 255\n" % (event["width"], event["height"])
                Path(f"{out}.{event['number']}.ppm").write_bytes(header + pixels)


main(*sys.argv[1:]) if len(sys.argv) > 4 else sys.exit(__doc__)
