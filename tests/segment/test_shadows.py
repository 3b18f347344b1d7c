"""Shadows and things that move over the same ground."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from segment.scenes import flow, texture

from stylebridge_server.segment.evidence import Flows
from stylebridge_server.segment.shadows import is_shadow

H, W = 120, 200


@pytest.mark.parametrize("dark", [True, False])
def test_what_lies_under_tells_a_shadow_from_a_thing(dark: bool) -> None:
    ground, skin = texture(3, H, W, (130, 140, 120)), texture(9, H, W, (70, 75, 62))
    y, x = np.mgrid[0:H, 0:W]
    frames, masks = [], {}
    for t in range(30):
        inside = ((x - 40 - 4 * t) ** 2 + (y - 60) ** 2 <= 24**2).astype(np.float32)
        cover = cv2.GaussianBlur(inside, (0, 0), 1)[..., None]
        other = 0.55 * ground if dark else np.roll(skin, 4 * t, axis=1)
        frames.append(np.clip(ground * (1 - cover) + other * cover, 0, 255).astype(np.uint8))
        if t in (12, 16):
            masks[t] = inside > 0
    assert is_shadow(Flows(lambda n: frames[n], flow, 0, 29), masks) == dark
