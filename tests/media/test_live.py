"""Live pictures: a file stands in for the camera; the page is read as a browser would."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media.samples import colours, make_movie
from PIL import Image

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.media import open_source
from stylebridge_server.media.live import LivePage, is_live, open_live


def test_a_file_stands_in_for_the_camera_at_its_own_rate(tmp_path: Path) -> None:
    path = make_movie(tmp_path / "a.mp4", count=11, rate=Fraction(25))
    start = time.monotonic()
    with open_live(str(path)) as live, open_source(path) as source:
        for frame in live:
            assert np.array_equal(frame.pixels, source.read(frame.number).pixels)
    assert frame.number == 10
    assert time.monotonic() - start >= 0.38


def test_closing_ends_the_iteration(tmp_path: Path) -> None:
    live = open_live(str(make_movie(tmp_path / "a.mp4", count=11, rate=Fraction(25))))
    taken = []
    for frame in live:
        taken.append(frame.number)
        if frame.number == 2:
            live.close()
    assert taken == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("camera:97", Code.NOT_FOUND),
        ("camera:", Code.BAD_VALUE),
        ("camera:front", Code.BAD_VALUE),
        ("http://127.0.0.1:9/none.mp4", Code.NOT_FOUND),
        ("absent.mp4", Code.NOT_FOUND),
    ],
)
def test_absent_is_told_in_a_sentence(name: str, code: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StylebridgeError) as caught:
        open_live(name)
    assert caught.value.code == code
    assert caught.value.message.endswith(".")
    assert capfd.readouterr() == ("", "")


def test_names_of_live_things() -> None:
    assert is_live("camera:0") and is_live("rtsp://host/a") and is_live("HTTP://host/a.ts")
    assert not is_live("plate.mp4") and not is_live("/a/camera.mov") and not is_live("plate.####.png")


def _get(page: LivePage, path: str, host: str | None = None) -> tuple[int, str, bytes]:
    address = page.url.split("/")[2]
    connection = http.client.HTTPConnection(address, timeout=5)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type") or "", answer.read()


def test_page_shows_the_newest_picture() -> None:
    frames = colours(3, 64, 48)
    with LivePage("A <look>") as page:
        status, kind, body = _get(page, "/")
        assert (status, kind) == (200, "text/html; charset=utf-8")
        assert b"/stream" in body and b"<look>" not in body
        assert _get(page, "/frame.jpg")[0] == 404
        page.show(frames[0])
        page.show(np.dstack([frames[2], frames[2][..., :1]]).astype(np.uint16) * 257)
        status, kind, body = _get(page, "/frame.jpg")
        assert (status, kind) == (200, "image/jpeg")
        shown = np.asarray(Image.open(io.BytesIO(body)))
        assert np.abs(shown.astype(int) - frames[2]).mean() < 4
        assert _get(page, "/../etc/passwd")[0] == 404
        assert _get(page, "/", host="evil.example:80")[0] == 403


def test_stream_sends_pictures_and_ends_cleanly() -> None:
    frames = colours(4, 64, 48)
    page = LivePage()
    connection = http.client.HTTPConnection(page.url.split("/")[2], timeout=10)
    page.show(frames[0])
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert answer.getheader("Content-Type", "").startswith("multipart/x-mixed-replace; boundary=")
    for number in range(4):
        head = [answer.readline() for _ in range(4)]
        size = int(head[2].split(b":")[1])
        picture = np.asarray(Image.open(io.BytesIO(answer.read(size + 2)[:-2])))
        assert np.abs(picture.astype(int) - frames[number]).mean() < 4
        if number < 3:
            page.show(frames[number + 1])
    closer = threading.Thread(target=page.close)
    closer.start()
    assert answer.read().endswith(b"--\r\n")
    closer.join(5)
    assert not closer.is_alive()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(page.url.rsplit(":", 1)[1].strip("/"))), timeout=1)


def test_page_is_bound_to_the_loopback_alone() -> None:
    with LivePage() as page:
        assert page._server.server_address[0] == "127.0.0.1"
