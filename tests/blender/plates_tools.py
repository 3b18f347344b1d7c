"""Media whose frames say their number, and what Blender shows of them."""

from __future__ import annotations

import contextlib
import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bpy

WIDTH, HEIGHT = 96, 64
#: Grey of number 0, and from each number to the next: far enough apart for any codec.
DARKEST, STEP = 10, 5


class Job:
    """What `Plate.open` and `Work.make` see of a job."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, str]] = []
        self.functions: list[Any] = []

    def step(self) -> None:
        pass

    def progress(self, done: int, total: int, stage: str) -> None:
        self.seen.append((done, total, stage))

    @contextlib.contextmanager
    def on_cancel(self, function: Any) -> Iterator[None]:
        self.functions.append(function)
        yield
        self.functions.remove(function)


def write_grey(path: Path, number: int, width: int = WIDTH, height: int = HEIGHT) -> None:
    """A grey picture that says its number."""
    grey = DARKEST + STEP * number
    write_rgb(path, width, height, lambda x, y: (grey, grey, grey))


def write_rgb(path: Path, width: int, height: int, colour: Any) -> None:
    """A PNG of 8 bits; `colour` gives three values for x and y."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in colour(x, y)) for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def samples(path: str | Path) -> tuple[int, int, array[float]]:
    """Width, height and RGBA values of a picture as they are in the file, rows bottom-up."""
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"
        image.alpha_mode = "CHANNEL_PACKED"
        values = array("f", bytes(4 * len(image.pixels)))
        image.pixels.foreach_get(values)
        return image.size[0], image.size[1], values
    finally:
        bpy.data.images.remove(image)


def said(path: str | Path) -> int:
    """The number that the middle of a picture says; -1 where it is transparent."""
    width, height, values = samples(path)
    at = 4 * (width * (height // 2) + width // 2)
    if values[at + 3] < 0.5:
        return -1
    return round((values[at] * 255 - DARKEST) / STEP)


def all_strips(scene: Any) -> Any:
    editor = scene.sequence_editor
    return editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all


def render_frame(scene: Any, frame: int, path: Path, file_format: str = "PNG") -> Path:
    """What the sequencer shows at a frame, by Blender's own render, in a file."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = file_format, "RGBA", "16"
    scene.render.filepath, scene.render.use_file_extension = str(path), False
    scene.frame_set(frame)
    bpy.ops.render.render(write_still=True, scene=scene.name)
    return path


def shown(scene: Any, strip: Any, frames: Sequence[int], folder: Path) -> list[int]:
    """The numbers that Blender shows of one strip at timeline frames."""
    needed = {strip.name}
    was = {one.name: one.mute for one in all_strips(scene)}
    for one in all_strips(scene):
        one.mute = one.name not in needed
    try:
        return [said(render_frame(scene, frame, folder / "shown.png")) for frame in frames]
    finally:
        for one in all_strips(scene):
            one.mute = was[one.name]


def new_effect(scene: Any, name: str, kind: str, channel: int, start: int, length: int, *inputs: Any) -> Any:
    """An effect strip, in any version."""
    editor = scene.sequence_editor
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    accepted = strips.bl_rna.functions["new_effect"].parameters
    given: dict[str, Any] = dict(
        zip(("input1", "input2") if "input1" in accepted else ("seq1", "seq2"), inputs, strict=False)
    )
    given.update({"length": length} if "length" in accepted else {"frame_end": start + length})
    return strips.new_effect(name=name, type=kind, channel=channel, frame_start=start, **given)


def make_movie(folder: Path, count: int, rate: int) -> Path:
    """A movie whose frames say their numbers, from 0 on, written by Blender itself."""
    pictures = folder / f"pictures{rate}"
    pictures.mkdir()
    for number in range(count):
        write_grey(pictures / f"{number:04d}.png", number)
    scene = bpy.data.scenes.new("Movie")
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_image("pictures", str(pictures / "0000.png"), 1, 1)
    for number in range(1, count):
        strip.elements.append(f"{number:04d}.png")
    strip.frame_final_duration = count
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    render.fps, render.fps_base = rate, 1.0
    scene.view_settings.view_transform = "Standard"
    scene.frame_start, scene.frame_end = 1, count
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    path = folder / f"numbers{rate}.mp4"
    render.filepath, render.use_file_extension = str(path), False
    bpy.ops.render.render(animation=True, scene=scene.name)
    bpy.data.scenes.remove(scene)
    return path
