"""Methods of optical flow behind one interface: what a stream follows its frames by.

A method gives flow both ways between two frames of a shot; how far it can be believed `flow.believed` says. It is a
pure function of the pictures and of what `name` names, so a pair may be kept under that and its pictures' contents.
"""

from __future__ import annotations

from typing import Protocol

from stylebridge_server.temporal.flow import LESS, dis
from stylebridge_server.values import FlowPair, Rgb

Numbers = tuple[int, int]
Pictures = tuple[Rgb, Rgb]


class Flow(Protocol):
    """A method of optical flow.

    Attributes:
        id: names the method and all that it reads, for whatever frames.
    """

    id: str

    def memory(self, pixels: int) -> int:
        """Bytes that it takes at its peak beside a pair, for a shot of so many pixels."""

    def name(self, numbers: Numbers) -> str:
        """All that the flow between two frames depends on beside their pictures: method, weights, files."""

    def pair(self, numbers: Numbers, pictures: Pictures) -> FlowPair:
        """Flow from the later of two neighbours to the earlier, and back; valid where the method knows it.

        Args:
            numbers: the later frame's number and the earlier one's.
            pictures: (h, w, 3) float32 display-referred RGB of one size.

        Raises:
            StylebridgeError: where the method needs what is not there.
        """


class Dis:
    """The embedded method; see `flow.dis`; with less effort than its preset."""

    id = "dis-3"  # raised when the same pictures would give another flow

    def memory(self, pixels: int) -> int:
        return 0

    def name(self, numbers: Numbers) -> str:
        return self.id

    def pair(self, numbers: Numbers, pictures: Pictures) -> FlowPair:
        return dis(*pictures, LESS)


DIS = Dis()
