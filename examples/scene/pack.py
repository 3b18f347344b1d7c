"""Pack the frames that render.py wrote beside truth.py: the plate, with the first shot's sound, and the truth.

    python examples/scene/pack.py FOLDER [--shot playroom] [--only plate|truth]

Needs av, numpy and OpenImageIO (`openimageio`), which reads the multi-layer EXR files.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

import av
import numpy as np
import OpenImageIO
from truth import DEPTH_STEP, DEPTH_STRIDE, FLOW_STEP, FLOW_STRIDE, SHOTS, VALLEY, ZERO, Shot
from tune import RATE as SOUND_RATE
from tune import tune

EXAMPLES = Path(__file__).parent.parent
RATE = 24


def layers(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The channels of an EXR file by name without the layer's, (H, W) float32, and its text attributes."""
    source = OpenImageIO.ImageInput.open(str(path))
    spec = source.spec()
    values = np.asarray(source.read_image(0, 0, 0, spec.nchannels, "float")).reshape(
        spec.height, spec.width, -1
    )
    source.close()
    names = [name.partition(".")[2] for name in spec.channelnames]
    return dict(zip(names, np.moveaxis(values, -1, 0), strict=True)), {
        a.name: str(a.value) for a in spec.extra_attribs
    }


def mattes(path: Path, names: tuple[str, ...]) -> np.ndarray:
    """Coverage of each instance, as stored: one above the other, (3 H, W) uint8, from a Cryptomatte."""
    planes, notes = layers(path)
    manifest = next(json.loads(v) for k, v in notes.items() if k.endswith("/manifest"))
    out = []
    for name in names:
        number = np.array([int(manifest[name], 16)], np.uint32).view(np.float32)[0]
        cover = np.zeros(planes["CryptoAsset00.r"].shape, np.float32)
        for level in range(3):
            for rank, weight in ("rg", "ba"):
                found = planes[f"CryptoAsset{level:02d}.{rank}"] == number
                cover += np.where(found, planes[f"CryptoAsset{level:02d}.{weight}"], 0)
        out.append(cover)
    # Rounded down, so that the sum of three never passes 255.
    return np.floor(np.concatenate(out).clip(0, 1) * 255 + 1e-3).astype(np.uint8)


def flow(planes: dict[str, np.ndarray], forward: bool) -> np.ndarray:
    """Flow as stored: x above y, (2 h, w) uint16.

    Cycles gives (where it was - where it is) in X, Y and (where it is - where it will be) in Z, W, y upwards.
    """
    x, y = (-planes["Vector.Z"], planes["Vector.W"]) if forward else (planes["Vector.X"], -planes["Vector.Y"])
    both = np.concatenate([x[::FLOW_STRIDE, ::FLOW_STRIDE], y[::FLOW_STRIDE, ::FLOW_STRIDE]])
    return np.clip(np.round(both / FLOW_STEP) + ZERO, 0, 65535).astype(np.uint16)


def depth(planes: dict[str, np.ndarray]) -> np.ndarray:
    """Depth as stored: steps of its binary logarithm, (h, w) uint16."""
    return np.round(np.log2(planes["Depth.Z"][::DEPTH_STRIDE, ::DEPTH_STRIDE]) / DEPTH_STEP).astype(np.uint16)


def lossless(path: Path, pictures: Iterator[np.ndarray], form: str) -> None:
    """Write an FFV1 movie; every frame stands alone."""
    with av.open(str(path), "w") as movie:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = movie.add_stream("ffv1", rate=RATE)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = form
                stream.options = {
                    "level": "3",
                    "coder": "1",
                    "context": "1",
                    "slices": "4",
                    "g": "1",
                    "slicecrc": "1",
                }
            movie.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=form)))
        if stream is not None:
            movie.mux(stream.encode())


def grade(rgb: np.ndarray) -> np.ndarray:
    """A colourist's touch on (H, W, 3) uint8: a wider range, a soft S-curve, a little more colour."""
    level = (rgb.astype(np.float32) / 255 - 0.03) / 0.87
    level = level.clip(0, 1)
    level = 0.72 * level + 0.28 * level * level * (3 - 2 * level)
    grey = level @ np.float32((0.2126, 0.7152, 0.0722))
    level = grey[..., None] + 1.10 * (level - grey[..., None])
    return np.rint(level.clip(0, 1) * 255).astype(np.uint8)


def plate(shot: Shot, folder: Path, quality: int) -> None:
    target = EXAMPLES / shot.folder / "plate.mp4"
    with av.open(str(target), "w", options={"movflags": "+faststart"}) as movie:
        video = movie.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        video.options = {
            "crf": str(quality), "preset": "veryslow", "g": "48",
            "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709:fullrange=off",
        }  # fmt: skip
        # Streams are made before the first packet is written.
        sound = movie.add_stream("aac", rate=SOUND_RATE, layout="stereo") if shot is VALLEY else None
        for number in range(shot.frames):
            with av.open(str(folder / f"picture.{number:04d}.png")) as still:
                rgb = next(still.decode(video=0)).to_ndarray(format="rgb24")
            frame = av.VideoFrame.from_ndarray(grade(rgb), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            movie.mux(video.encode(frame))
        movie.mux(video.encode())
        if sound is not None:
            sing(movie, sound, shot.frames / RATE)


def sing(movie: av.container.OutputContainer, sound: av.AudioStream, seconds: float) -> None:
    """Write the tune."""
    sound.bit_rate = 112000
    samples = np.ascontiguousarray(tune(seconds).T)
    for start in range(0, samples.shape[1], 1024):
        block = np.ascontiguousarray(samples[:, start : start + 1024])
        piece = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        piece.sample_rate, piece.pts, piece.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
        movie.mux(sound.encode(piece))
    movie.mux(sound.encode())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--shot", choices=[shot.folder for shot in SHOTS], default=VALLEY.folder)
    options.add_argument("--only", choices=("plate", "truth"))
    options.add_argument("--quality", type=int, default=18, help="constant rate factor of the plate")
    asked = options.parse_args()
    shot = next(shot for shot in SHOTS if shot.folder == asked.shot)
    target = EXAMPLES / shot.folder
    target.mkdir(exist_ok=True)
    if asked.only != "truth":
        plate(shot, asked.folder, asked.quality)
    if asked.only != "plate":
        numbers = range(shot.frames)
        covers = (mattes(asked.folder / f"matte.{n:04d}.exr", shot.names) for n in numbers)
        lossless(target / "mattes.mkv", covers, "gray")
        if shot is VALLEY:
            seen = [layers(asked.folder / f"truth.{n:04d}.exr")[0] for n in numbers]
            lossless(target / "forward.mkv", (flow(p, True) for p in seen), "gray16le")
            lossless(target / "backward.mkv", (flow(p, False) for p in seen), "gray16le")
            lossless(target / "depth.mkv", (depth(p) for p in seen), "gray16le")
    for path in sorted(target.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
