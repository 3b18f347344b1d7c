"""Counters as Prometheus reads them."""

from __future__ import annotations

import re
import socket
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stylebridge import launch
from stylebridge.client import Client
from stylebridge.errors import StylebridgeError

from .conftest import TOY, until

Samples = dict[tuple[str, ...], float]


def scraped(address: str) -> Samples:
    """Each sample by its name and the values of its labels, in the order of their names."""
    with urllib.request.urlopen(address, timeout=10) as page:
        text = page.read().decode()
    return {
        (one.name, *(text for _, text in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


@pytest.fixture
def page() -> Iterator[tuple[Client, str]]:
    server = launch.start_server(extra=(*TOY, "--metrics", "0"))
    found = re.search(r"address=(\S+)", server.log.read_text())
    assert found
    with Client.connect(server.address.url) as client:
        yield client, found.group(1)
    server.stop()


def test_what_happened_is_counted(page: tuple[Client, str]) -> None:
    client, address = page
    assert address.startswith("http://127.0.0.1:")
    shot = client.open_shot("/plates/plate.mp4")
    assert len(list(client.render(shot, {}, range(5)))) == 5
    with pytest.raises(StylebridgeError):
        list(client.render(shot, {"refuse_at": 1}, range(3)))
    until(lambda: scraped(address).get(("stylebridge_requests_total", "render", "not_found")))
    seen = scraped(address)
    assert seen["stylebridge_requests_total", "render", "ok"] == 1
    assert seen["stylebridge_frames_total",] == 6
    assert seen["stylebridge_sent_bytes_total",] == 6 * 72
    assert seen["stylebridge_request_seconds_count", "render"] == 2
    assert seen["stylebridge_request_seconds_bucket", "+Inf", "render"] == 2
    assert seen["stylebridge_requests_waiting",] == 0 and seen["stylebridge_sessions",] == 1
    assert seen["stylebridge_worker_up", "cpu", "0"] == 1
    assert seen["stylebridge_worker_restarts_total", "cpu", "0"] == 0
    until(lambda: scraped(address).get(("stylebridge_cache_bytes", "results", "cpu", "0")) == 10)
    assert scraped(address)["stylebridge_cache_hits_total", "results", "cpu", "0"] == 3
    assert not any(client.server["session"] in str(name) or "plate" in str(name) for name in seen)


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StylebridgeError, match="Metrics cannot be shown at port"):
            launch.start_server(extra=(*TOY, "--metrics", str(taken.getsockname()[1])))
