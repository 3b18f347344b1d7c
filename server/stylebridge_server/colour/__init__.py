"""Colour: what networks see of a source's pixels, the way back, and keeping the source's colours.

encoding    how a shot's pixels are read: colour space and alpha; there and back
config      OpenColorIO's configs, and the names of their spaces
archive     a config that a client sent
shaper      scene-linear light to [0, 1] and back
fill        pixels without a colour
working     code values to floats and back
keep        the source's colours under a style
"""

from stylebridge_server.colour.config import Config
from stylebridge_server.colour.encoding import DISPLAY, Encoding, encode, encode_declared
from stylebridge_server.colour.keep import keep
from stylebridge_server.colour.working import from_working, to_working

__all__ = ["DISPLAY", "Config", "Encoding", "encode", "encode_declared", "from_working", "keep", "to_working"]
