"""One of the soak's clients: asks at random until its input closes, and checks every answer.

    python soaking.py URL SEED PLATE...

Prints the number of requests made since the last line, now and then, and at the end one line of JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from stylebridge.client import Analysis, Client, Shot
from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Layout, Picture

STYLES = ("great-wave", "wheat-field", "fauve")
STRENGTHS = (0.0, 0.25, 1.0)
TEXT = 'schema = "look.1"\n[background]\nstyle = "fauve"\nstrength = 0.5\n'
#: Share of the renders that are cancelled from another thread, or left in the middle.
CANCELLED, LEFT = 0.1, 0.05
#: Requests between two lines.
LINE = 10


class Soaking:
    """A client with a few shots open, which does what users do.

    Attributes:
        done: how often each kind of request was made.
        results: hash of the pixels for each thing that was rendered; equal for all clients.
    """

    def __init__(self, client: Client, seed: int, plates: list[str]) -> None:
        self.done: Counter[str] = Counter()
        self.results: dict[str, str] = {}
        self.slowest = 0.0
        self._client, self._dice, self._plates = client, random.Random(seed), plates
        self._shots: dict[str, tuple[Shot, Analysis]] = {}

    def step(self) -> None:
        """One request of a random kind."""
        kinds: list[tuple[int, Callable[[], None]]] = [
            (50, self.one_frame),
            (10, self.some_frames),
            (10, self.status),
            (5, self.describe),
            (5, self.parse),
            (5, self.mattes),
            (10, self.reopen),
            (5, self.wrong),
            (5, self.push),
            (5, self.put),
        ]
        [kind] = self._dice.choices([ask for _, ask in kinds], [weight for weight, _ in kinds])
        begun = time.monotonic()
        kind()
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.done[kind.__name__] += 1

    def one_frame(self) -> None:
        self._render(1)

    def some_frames(self) -> None:
        self._render(4)

    def status(self) -> None:
        assert self._client.status()["pid"]

    def describe(self) -> None:
        assert self._client.describe()["styles"]

    def parse(self) -> None:
        assert self._client.parse_look(TEXT)["background"]["style"] == "fauve"

    def mattes(self) -> None:
        shot, analysis = self._shot()
        [matte] = self._client.mattes(shot, analysis, 0, [shot.info["first"]])
        assert set(matte.data) == {255}

    def reopen(self) -> None:
        """Closes a shot, also one that other clients have open; it is opened again when it is needed."""
        if self._shots:
            plate = self._dice.choice(sorted(self._shots))
            shot, _ = self._shots.pop(plate)
            self._client.close_shot(shot)

    def wrong(self) -> None:
        """What must be refused."""
        with contextlib.suppress(StylebridgeError):
            self._client.open_shot("/no/such/plate.mp4")
            raise AssertionError("opened what is not there")

    def push(self) -> None:
        """A shot of the client's own frames, at strength 0, which gives them back. Some others have put them too."""
        layout = Layout("uint8", 16, 24, 3)
        shade = self._dice.randrange(40)
        pictures = [Picture(number, layout, bytes([shade + number]) * layout.nbytes) for number in (0, 1)]
        declared = {"first": 0, "last": 1, "width": 24, "height": 16, "channels": 3, "dtype": "uint8"}
        shot = self._client.open_shot(pushed=declared, frames=pictures.__getitem__)
        analysis = self._client.analyse(shot, segmenter="none")
        look = {"schema": "look.1", "background": {"style": "fauve", "strength": 0.0}}
        got = list(self._client.render(shot, look, [1, 0], analysis=analysis))
        assert [bytes(one.data) for one in got] == [bytes(one.data) for one in reversed(pictures)]
        self._client.close_shot(shot)

    def put(self) -> None:
        content = self._dice.randbytes(self._dice.choice([1, 1_000, 100_000]))
        assert self._client.put(content) == hashlib.blake2b(content, digest_size=32).hexdigest()

    def _shot(self) -> tuple[Shot, Analysis]:
        plate = self._dice.choice(self._plates)
        if plate not in self._shots:
            shot = self._client.open_shot(plate)
            self._shots[plate] = shot, self._client.analyse(shot, segmenter="none")
        return self._shots[plate]

    def _render(self, count: int) -> None:
        shot, analysis = self._shot()
        frames = self._dice.sample(list(shot.frames), count)
        style, strength = self._dice.choice(STYLES), self._dice.choice(STRENGTHS)
        look = {"schema": "look.1", "background": {"style": style, "strength": strength}}
        stream = self._client.render(shot, look, frames, analysis=analysis)
        if self._dice.random() < LEFT:
            next(stream)
            stream.close()
            self.done["left"] += 1
            return
        timer = threading.Timer(self._dice.random() * 0.05, self._client.cancel)
        if self._dice.random() < CANCELLED:
            timer.start()
        got: list[Picture] = []
        try:
            for picture in stream:
                got.append(picture)
            assert [picture.number for picture in got] == frames, "frames are missing, doubled or in disorder"
        except StylebridgeError as error:
            if error.code != Code.CANCELLED:
                raise
            self.done["cancelled"] += 1
        finally:
            timer.cancel()
            if timer.ident:
                timer.join()
        for picture in got:
            name = f"{shot.id} {style} {strength} {picture.number}"
            found = hashlib.blake2b(picture.data, digest_size=16).hexdigest()
            assert self.results.setdefault(name, found) == found, f"other pixels for {name}"


def main(url: str, seed: str, *plates: str) -> None:
    going = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        going.set()

    report: dict[str, Any] = {}
    with Client.connect(url, name=f"soak {seed}") as client:
        soaking = Soaking(client, int(seed), list(plates))
        print("ready", flush=True)
        sys.stdin.readline()
        threading.Thread(target=wait, daemon=True).start()
        since = 0
        while not going.is_set():
            soaking.step()
            since += 1
            if since == LINE:
                print(since, flush=True)
                since = 0
        report = {"done": soaking.done, "results": soaking.results, "slowest": soaking.slowest}
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
