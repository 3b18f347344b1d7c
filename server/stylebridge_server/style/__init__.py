"""Style networks: the embedded one, run in pieces, and installed ones, run on whole frames. Arrays are numpy."""

from .engine import Engine, Features, Preset, load
from .installed import Installed, check_picture, is_style, needs_picture
from .layout import TILE, network_size, tiles
from .styles import CodeStyle, FrameStyle, Style

__all__ = [
    "TILE",
    "CodeStyle",
    "Engine",
    "Features",
    "FrameStyle",
    "Installed",
    "Preset",
    "Style",
    "check_picture",
    "is_style",
    "load",
    "needs_picture",
    "network_size",
    "tiles",
]
