"""Style networks: the embedded one, run in pieces. torch stays inside; arrays are numpy."""

from .engine import Engine, Features, Preset, load
from .layout import TILE, network_size, tiles

__all__ = ["TILE", "Engine", "Features", "Preset", "load", "network_size", "tiles"]
