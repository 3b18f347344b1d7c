"""Reads the truth beside the plate of an example shot: mattes, and of the first shot optical flow and depth too.

Needs numpy and av. Any frame in any order; nothing is decoded before it is asked for.

    from truth import Truth
    truth = Truth()
    truth.matte(40, "car")      # (360, 640) uint8, 0 to 255, anti-aliased
    truth.forward(40)           # (180, 320, 2) float32, pixels of the 640x360 picture
    Truth(PLAYROOM).matte(40, "ball")

Positions are pixels, x to the right, y down, the centre of the top left pixel at (0, 0). Flow and depth are
point samples at pixel centres, rendered with one ray each, so none of them is a mix of two things.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 360, 640
FLOW_STRIDE, DEPTH_STRIDE = 2, 4  # every second, every fourth pixel, from (0, 0) on
FLOW_STEP = 1 / 32  # pixels
DEPTH_STEP = 1 / 256  # of the binary logarithm of metres
ZERO = 32768  # the stored number that means no motion


@dataclass(frozen=True)
class Shot:
    """One of the example shots.

    Attributes:
        folder: beside this file.
        frames: how many; they are numbered from 0.
        names: its instances, from top to bottom in mattes.mkv.
    """

    folder: str
    frames: int
    names: tuple[str, ...]


VALLEY = Shot("shot", 96, ("balloon", "car", "bird"))
PLAYROOM = Shot("playroom", 60, ("robot", "ball", "drone"))  # has no flow and no depth: the shutter is open
SHOTS = (VALLEY, PLAYROOM)


class Truth:
    """The truth of a shot, read from a folder (by default the shot's own).

    Attributes:
        frames, names: the shot's.
        plate: its movie.
    """

    size = (HEIGHT, WIDTH)

    def __init__(self, shot: Shot = VALLEY, folder: Path | str | None = None) -> None:
        self.frames, self.names = shot.frames, shot.names
        self.folder = Path(folder) if folder else Path(__file__).parent / shot.folder
        self.plate = self.folder / "plate.mp4"
        self._open = cache(self._packets)

    def mattes(self, frame: int) -> NDArray[np.uint8]:
        """Coverage of each instance, (360, 640, 3) uint8 in the order of `names`; occluded parts are not in
        it, and the sum is at most 255: what is left is the background. From 32 rays a pixel."""
        return np.stack(np.split(self._decode("mattes", frame), 3), -1)

    def matte(self, frame: int, name: str) -> NDArray[np.uint8]:
        """Coverage of one instance, (360, 640) uint8."""
        return np.ascontiguousarray(self.mattes(frame)[..., self.names.index(name)])

    def forward(self, frame: int) -> NDArray[np.float32]:
        """Flow from a frame to the next, (180, 320, 2) float32, (x, y) in pixels of the full picture:
        what `frame` shows at (2 j, 2 i) moves to (2 j, 2 i) + flow[i, j] in `frame + 1`, hidden there or not.
        Rounded to 1/32 pixel. For the last frame too, towards a frame that is not in the shot."""
        return self._flow("forward", frame)

    def backward(self, frame: int) -> NDArray[np.float32]:
        """Flow from a frame to the one before, as `forward`. For the first frame too."""
        return self._flow("backward", frame)

    def depth(self, frame: int) -> NDArray[np.float32]:
        """Metres from the camera along its axis at the pixels (4 j, 4 i), (90, 160) float32, to 0.14 %.
        The sky is a dome, about 300 m away."""
        return np.exp2(self._decode("depth", frame).astype(np.float32) * DEPTH_STEP)

    def visible(self, frame: int, tolerance: float = 0.5) -> NDArray[np.bool_]:
        """Which samples of `forward(frame)` are seen in the next frame too, (180, 320): those that land
        inside the picture on a sample whose backward flow leads home within the tolerance, in pixels."""
        flow, back = self.forward(frame), self.backward(frame + 1)
        at = np.stack(np.meshgrid(np.arange(flow.shape[1]), np.arange(flow.shape[0])), -1) * FLOW_STRIDE
        there = (at + flow) / FLOW_STRIDE
        column, row = (np.rint(there[..., k]).astype(int) for k in (0, 1))
        inside = (column >= 0) & (column < flow.shape[1]) & (row >= 0) & (row < flow.shape[0])
        home = back[row.clip(0, flow.shape[0] - 1), column.clip(0, flow.shape[1] - 1)]
        return inside & (np.abs(flow + home).max(-1) < tolerance)

    def _flow(self, kind: str, frame: int) -> NDArray[np.float32]:
        both = self._decode(kind, frame).astype(np.float32)
        return np.stack(np.split((both - ZERO) * np.float32(FLOW_STEP), 2), -1)

    def _decode(self, kind: str, frame: int) -> NDArray:
        if not 0 <= frame < self.frames:
            raise IndexError(f"The shot has frames 0 to {self.frames - 1}; {frame} was asked for.")
        decoder, packets = self._open(kind)
        picture = decoder.decode(av.Packet(packets[frame]))[0]
        return picture.to_ndarray(format=picture.format.name)

    def _packets(self, kind: str) -> tuple[av.VideoCodecContext, list[bytes]]:
        """A decoder and the packets of one FFV1 movie, each of which is a whole frame by itself."""
        with av.open(str(self.folder / f"{kind}.mkv")) as movie:
            stream = movie.streams.video[0]
            packets = [bytes(packet) for packet in movie.demux(stream) if packet.size]
            decoder = av.CodecContext.create("ffv1", "r")
            decoder.extradata = stream.codec_context.extradata
            decoder.width, decoder.height = stream.width, stream.height
            decoder.thread_count = 1  # threads would hold frames back
        return decoder, packets
