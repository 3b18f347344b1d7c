"""Style networks: the embedded one, run in pieces, and installed ones, run on whole frames. Arrays are numpy."""

from .engine import Engine, Features, Preset, load
from .installed import Installed, check_picture, is_style, needs_picture
from .layout import TILE, network_size, pieces, tiles
from .method import OPTIMISE, Method
from .method import parse as parse_method
from .optimise import chain_style
from .styles import Before, ChainStyle, CodeStyle, FrameStyle, Style

__all__ = [
    "OPTIMISE",
    "TILE",
    "Before",
    "ChainStyle",
    "CodeStyle",
    "Engine",
    "Features",
    "FrameStyle",
    "Installed",
    "Method",
    "Preset",
    "Style",
    "chain_style",
    "check_picture",
    "is_style",
    "load",
    "needs_picture",
    "network_size",
    "parse_method",
    "pieces",
    "tiles",
]
