"""Mattes, strength, edges and alpha: how styled pictures are put back onto their source."""

from stylebridge_server.composite.layer import layer
from stylebridge_server.composite.mattes import resolve_mattes
from stylebridge_server.composite.mix import composite, result_channels

__all__ = ["composite", "layer", "resolve_mattes", "result_channels"]
