"""Networks that break between a client and its server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_tools import Proxy, Rendering, Server, render

from stylebridge import link, memory
from stylebridge.client import Client

from .conftest import Undisturbed


@pytest.fixture
def network(served: Server) -> Iterator[Proxy]:
    """A network before the shared server."""
    with Proxy(served.address) as proxy:
        yield proxy


@pytest.fixture
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes after which the network breaks: some frames, by either way in which pixels travel."""
    if request.param == "messages":
        monkeypatch.setattr(memory, "POSSIBLE", False)
        return 500_000
    return 5_000


#: More than the window holds, so that the server must be heard and answered in the middle.
TIMES = 5


@pytest.mark.parametrize("size", ["shared memory", "messages"], indirect=True)
def test_a_network_that_is_cut_and_comes_back(
    network: Proxy, plate: Path, undisturbed: Undisturbed, size: int
) -> None:
    with Client.connect(network.url) as client:
        rendering = Rendering(client, plate, times=TIMES).take(3)
        network.after(size, network.cut)
        threading.Timer(1.0, network.mend).start()
        assert rendering.take().hashes == undisturbed.frames * TIMES
        assert len(network.sent) == 2, "it was not cut"


@pytest.mark.parametrize(
    "size", ["messages", pytest.param("shared memory", marks=pytest.mark.long)], indirect=True
)
def test_a_network_that_swallows_what_is_sent(
    network: Proxy, plate: Path, undisturbed: Undisturbed, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection is reset: that nothing comes any more is all that the client has to go by."""
    monkeypatch.setattr(link, "HEARTBEAT", 1)
    monkeypatch.setattr(link, "HEARTBEAT_LIMIT", 2)
    with Client.connect(network.url) as client:
        rendering = Rendering(client, plate, times=TIMES).take(3)
        network.after(size, network.swallow)
        threading.Timer(1.0, network.mend).start()
        assert rendering.take().hashes == undisturbed.frames * TIMES
        assert len(network.sent) >= 2, "nothing was swallowed"


@pytest.mark.long
@pytest.mark.parametrize("every", [1_000, 3_000, 20_000, 150_000])
def test_a_network_that_is_cut_again_and_again(
    network: Proxy, plate: Path, undisturbed: Undisturbed, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever in a handshake, a request or a picture it breaks."""
    monkeypatch.setattr(memory, "POSSIBLE", False)
    cuts = []

    def cut() -> None:
        cuts.append(time.monotonic())
        network.cut()
        network.mend()
        if len(cuts) < 3:
            network.after(every * (len(cuts) + 1), cut)

    with Client.connect(network.url) as client:
        network.after(every, cut)
        assert render(client, plate) == undisturbed.frames
        assert len(cuts) == 3
