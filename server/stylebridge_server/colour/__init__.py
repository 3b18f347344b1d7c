"""Colour: between a source's own values and the working space, and keeping the source's colours."""

from stylebridge_server.colour.keep import keep
from stylebridge_server.colour.working import from_working, to_working

__all__ = ["from_working", "keep", "to_working"]
