"""A camera or a stream, styled as it comes and shown on a page of this machine."""

from __future__ import annotations

import time

import numpy as np

from stylebridge.client import Client, Shot
from stylebridge.errors import Code, StylebridgeError
from stylebridge.look import Look
from stylebridge.pixels import Picture
from stylebridge_server.media.live import LivePage, open_live
from stylebridge_server.values import Frame


def run(source: str, look: Look, server: str | None) -> None:
    """Style a camera until it ends or the user interrupts.

    Args:
        source: "camera:0" or the address of a stream.
        look: only its background and shot apply.
        server: address, or None.

    Raises:
        StylebridgeError: not_found for an absent camera; bad_value for a look with instances, which only a shot with
            a range can have.
    """
    if look.instances:
        raise StylebridgeError(
            Code.BAD_VALUE,
            "A camera is styled as a whole: leave [[instance]] out of the look, or record first.",
        )
    data = look.to_data()
    with open_live(source) as camera, Client.connect(server) as client, LivePage() as page:
        print(f"Showing {source} on {page.url} (Ctrl-C ends it).", flush=True)
        shot: Shot | None = None
        started, shown = time.monotonic(), 0
        try:
            for frame in camera:
                shot = shot or _opened(client, frame)
                client.put_frame(shot, Picture.of(frame.number, frame.pixels))
                for picture in client.render(shot, data, [frame.number]):
                    page.show(np.asarray(picture))
                shown += 1
        except KeyboardInterrupt:
            pass
        seconds = max(1e-9, time.monotonic() - started)
    print(f"{source}: {shown} frames shown, {shown / seconds:.1f} frames/s.")


def _opened(client: Client, frame: Frame) -> Shot:
    height, width, channels = frame.pixels.shape
    size = {"width": width, "height": height, "channels": channels, "dtype": str(frame.pixels.dtype)}
    return client.open_shot(live=size)
