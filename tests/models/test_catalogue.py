"""Fetching networks: whole, resumed, checked, from a shelf; a server of our own stands in for the others'."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import catalogue

DATA = bytes(range(256)) * 16_000  # 4 MB, several blocks


class Store:
    """A server of one file, which tells what it was asked for.

    Attributes:
        asked: the ranges.
        ends_at: byte at which a connection breaks; None for never.
        ranges: whether it can go on in the middle.
    """

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.ends_at: int | None = None
        self.ranges = True
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = self.headers.get("Range")
                store.asked.append(said)
                begins = int(re.findall(r"\d+", said)[0]) if said and store.ranges else 0
                if begins >= len(DATA):
                    self.send_error(416)
                    return
                self.send_response(206 if begins else 200)
                self.send_header("Content-Length", str(len(DATA) - begins))
                self.end_headers()
                self.wfile.write(DATA[begins : store.ends_at])

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/finder.pth"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Store()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def entry(store: Store) -> catalogue.Entry:
    return catalogue.Entry("finder", 4, "MIT", store.url, hashlib.sha256(DATA).hexdigest())


def nothing(done: int, total: int) -> None:
    pass


def test_a_file_is_fetched_once_and_checked(store: Store, entry: catalogue.Entry, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = catalogue.fetched(entry, tmp_path / "new", lambda *step: told.append(step))
    assert path.read_bytes() == DATA and [one.name for one in path.parent.iterdir()] == ["finder.pth"]
    assert told[0] == (0, len(DATA)) and told[-1] == (len(DATA), len(DATA)) and len(told) > 3
    catalogue.fetched(entry, tmp_path / "new", nothing)
    assert store.asked == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_what_was_cut_off_is_gone_on_with(
    store: Store, entry: catalogue.Entry, tmp_path: Path, ranges: bool
) -> None:
    store.ends_at, store.ranges = 3_000_000, ranges
    with pytest.raises(StylebridgeError, match="run the same again to go on where it stopped"):
        catalogue.fetched(entry, tmp_path, nothing)
    assert (tmp_path / "finder.pth.part").stat().st_size == 3_000_000
    store.ends_at = None
    assert catalogue.fetched(entry, tmp_path, nothing).read_bytes() == DATA
    assert store.asked == [None, "bytes=3000000-"]


def test_a_part_that_was_whole_already(store: Store, entry: catalogue.Entry, tmp_path: Path) -> None:
    (tmp_path / "finder.pth.part").write_bytes(DATA)
    assert catalogue.fetched(entry, tmp_path, nothing).read_bytes() == DATA


def test_cancelling_keeps_what_is_there(store: Store, entry: catalogue.Entry, tmp_path: Path) -> None:
    def enough(done: int, total: int) -> None:
        if done > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalogue.fetched(entry, tmp_path, enough)
    assert (tmp_path / "finder.pth.part").stat().st_size > 1_000_000
    assert not (tmp_path / "finder.pth").exists()


def test_another_checksum_is_refused_and_not_kept(
    store: Store, entry: catalogue.Entry, tmp_path: Path
) -> None:
    wrong = replace(entry, sha256="0" * 64)
    with pytest.raises(StylebridgeError) as caught:
        catalogue.fetched(wrong, tmp_path, nothing)
    assert caught.value.code == Code.NOT_READABLE and list(tmp_path.iterdir()) == []
    assert hashlib.sha256(DATA).hexdigest()[:16] in caught.value.message and "0" * 16 in caught.value.message


def test_a_shelf_needs_no_network(entry: catalogue.Entry, store: Store, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with pytest.raises(StylebridgeError, match=r"put the file finder.pth there"):
        catalogue.fetched(entry, tmp_path, nothing, shelf)
    (shelf / "finder.pth").write_bytes(DATA)
    assert catalogue.fetched(entry, tmp_path, nothing, shelf) == shelf / "finder.pth"
    (shelf / "finder.pth").write_bytes(DATA[1:])
    with pytest.raises(StylebridgeError, match="is damaged"):
        catalogue.fetched(entry, tmp_path, nothing, shelf)
    assert store.asked == []


def test_the_environments_proxy_is_asked(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", store.url.rsplit("/", 1)[0])
    monkeypatch.setenv("no_proxy", "")
    elsewhere = catalogue.Entry(
        "finder", 4, "MIT", "http://weights.invalid/finder.pth", hashlib.sha256(DATA).hexdigest()
    )
    assert catalogue.fetched(elsewhere, tmp_path, nothing).read_bytes() == DATA


def test_what_cannot_be_reached_is_said(tmp_path: Path, store: Store, entry: catalogue.Entry) -> None:
    store.server.shutdown()
    store.server.server_close()
    with pytest.raises(StylebridgeError) as caught:
        catalogue.fetched(entry, tmp_path, nothing)
    assert caught.value.code == Code.NOT_FOUND and "--from" in caught.value.message
    with pytest.raises(StylebridgeError, match="did you mean 'maskrcnn'"):
        catalogue.find("maskrcn")


def test_every_entry_has_an_address_and_a_checksum() -> None:
    for one in catalogue.ENTRIES.values():
        url, sha256 = catalogue.address(one)
        assert url.startswith("https://") and url.endswith(".pth") and one.licence
        assert re.fullmatch(r"[0-9a-f]{8,64}", sha256) and one.megabytes > 1
