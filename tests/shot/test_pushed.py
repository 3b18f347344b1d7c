"""Shots of a camera: what is kept of them."""

from __future__ import annotations

import pytest

from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.shot.pushed import LIVE_LAST, LiveShot
from stylebridge_server.values import SourceInfo


def test_a_camera_whose_frames_are_too_large_to_keep_is_refused() -> None:
    LiveShot(SourceInfo("frames", 3840, 2160, 0, LIVE_LAST, 4, "float16"), "4k").close()
    with pytest.raises(StylebridgeError, match="Live frames of 16000x16000 in float32 hold") as caught:
        LiveShot(SourceInfo("frames", 16_000, 16_000, 0, LIVE_LAST, 1, "float32"), "huge")
    assert caught.value.code == Code.TOO_LARGE
