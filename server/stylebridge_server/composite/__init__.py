"""Mattes, strength, edges and alpha: how styled pictures are put back onto their source."""

from stylebridge_server.composite.layer import in_samples, layer
from stylebridge_server.composite.mattes import resolve_mattes
from stylebridge_server.composite.mix import composite, result_channels

__all__ = ["composite", "in_samples", "layer", "resolve_mattes", "result_channels"]
