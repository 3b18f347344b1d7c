"""A moving picture on a local page: multipart JPEG over HTTP, on the loopback interface alone."""

from __future__ import annotations

import contextlib
import html
import io
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import numpy as np
from PIL import Image

from stylebridge_server.values import Pixels

_BOUNDARY = "stylebridge-frame"
_HTML = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>html,body{{margin:0;height:100%;background:#181818}}
img{{width:100%;height:100%;object-fit:contain}}</style>
<img src="/stream" alt="{title}">
"""


class LivePage:
    """Shows the newest frame to every browser that looks; slow viewers miss frames, and never hold up `show`.

    Attributes:
        url: what to open in a browser on this machine.
    """

    def __init__(self, title: str = "Stylebridge", port: int = 0, quality: int = 85) -> None:
        """Start serving. Port 0 takes a free one.

        Raises:
            OSError: the port is taken.
        """
        self._title = title
        self._quality = quality
        self._changed = threading.Condition()
        self._jpeg = b""
        self._shown = 0
        self._closed = False
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        self._server.daemon_threads = True
        self._port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self._port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def show(self, pixels: Pixels) -> None:
        """Make (H, W, 1 to 4) uint8 or uint16 pixels the current picture; alpha is not shown."""
        eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
        shown = eight[..., :3] if eight.shape[2] >= 3 else eight[..., 0]
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(shown)).save(buffer, "JPEG", quality=self._quality)
        with self._changed:
            self._jpeg = buffer.getvalue()
            self._shown += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Stop serving and end all streams."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _next(self, seen: int) -> tuple[int, bytes] | None:
        """The first picture after number `seen`, waiting for it; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._shown > seen)
            return None if self._closed else (self._shown, self._jpeg)

    def __enter__(self) -> LivePage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _handler_of(page: LivePage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
            if host not in ("127.0.0.1", "localhost"):  # a foreign page that points its name here
                self.send_error(HTTPStatus.FORBIDDEN)
            elif self.path == "/":
                self._send("text/html; charset=utf-8", _HTML.format(title=html.escape(page._title)).encode())
            elif self.path == "/frame.jpg" and page._jpeg:
                self._send("image/jpeg", page._jpeg)
            elif self.path == "/stream":
                with contextlib.suppress(OSError):  # the viewer left
                    self._stream()
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _send(self, kind: str, body: bytes) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            seen = 0
            while (following := page._next(seen)) is not None:
                seen, jpeg = following
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            self.wfile.write(f"--{_BOUNDARY}--\r\n".encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on the terminal."""

    return Handler
