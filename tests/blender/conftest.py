"""Fixtures of the tests that run inside Blender."""

from __future__ import annotations

import array
import importlib
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import addon_utils
import bpy
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
ADDON = "stylebridge_blender"
WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="session", autouse=True)
def switched_on() -> Iterator[None]:
    """The add-on, on for the whole run."""
    assert addon_utils.enable(ADDON, default_set=True) is not None, "the add-on cannot be switched on"
    yield
    addon_utils.disable(ADDON, default_set=True)


@pytest.fixture(scope="session")
def sb(switched_on: None) -> SimpleNamespace:
    """The add-on's modules: `sb.compat`, those of packages as `sb.engine_lanes`, the bridge's as `sb.bridge_errors`."""

    class Modules(SimpleNamespace):
        def __getattr__(self, name: str) -> Any:
            name = (
                name.replace("bridge_", "_bridge.stylebridge.")
                if name.startswith("bridge_")
                else name.replace("_", ".", 1)
            )
            return importlib.import_module(f"{ADDON}.{name}")

    return Modules()


@pytest.fixture
def scene(sb: SimpleNamespace, tmp_path: Path) -> Any:
    """A new file, saved in `tmp_path`, with an empty sequencer at 24 fps, small, in the Standard view."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    if ADDON not in bpy.context.preferences.addons:
        addon_utils.enable(ADDON, default_set=True)
    sb.engine_lanes.stop_all()
    made = bpy.context.scene
    made.sequence_editor_create()
    made.render.resolution_x, made.render.resolution_y = WIDTH, HEIGHT
    made.render.resolution_percentage = 100
    made.render.fps, made.render.fps_base = 24, 1.0
    made.view_settings.view_transform = "Standard"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    return bpy.context.scene


def write_png(path: Path, pixel: Callable[[int, int], tuple[int, int, int]]) -> None:
    """A picture of `WIDTH` x `HEIGHT`, RGB in 8 bits.

    Args:
        pixel: the values at (x, y), from the top left.
    """
    rows = (b"\0" + bytes(value for x in range(WIDTH) for value in pixel(x, y)) for y in range(HEIGHT))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    body = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(b"".join(rows))), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))


@pytest.fixture(scope="session")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve numbered pictures, from 1001 on: a red square that moves to the right over waves."""
    folder = tmp_path_factory.mktemp("plate")
    files = [folder / f"plate.{number}.png" for number in range(1001, 1013)]
    for number, file in enumerate(files):

        def pixel(x: int, y: int, left: int = 20 + number) -> tuple[int, int, int]:
            if left <= x < left + 30 and 16 <= y < 48:
                return (220, 30 + y % 8, 20)
            return ((x * 3 + y) % 64 + 60, (x + y * 5) % 48 + 110, (y * 2) % 90 + 90)

        write_png(file, pixel)
    return files


@pytest.fixture(scope="session")
def movie() -> Path:
    """The example shot: 96 frames at 24 fps."""
    return REPOSITORY / "examples" / "shot" / "plate.mp4"


@pytest.fixture
def image_strip(scene: Any, sequence: list[Path], sb: SimpleNamespace) -> Any:
    """The pictures as a strip that begins at frame 1."""
    strip = sb.compat.new_image(scene.sequence_editor, "plate", str(sequence[0]), 1, 1)
    for file in sequence[1:]:
        strip.elements.append(file.name)
    strip.frame_final_duration = len(sequence)
    scene.sequence_editor.active_strip = strip
    scene.frame_start, scene.frame_end = 1, len(sequence)
    return strip


@pytest.fixture
def styled(image_strip: Any, sb: SimpleNamespace) -> Any:
    """That strip with a style, rendered to one strip."""
    settings = sb.strips.begin(image_strip)
    settings.layers[0].style, settings.output = "great-wave", "flat"
    return image_strip


@pytest.fixture
def server(sb: SimpleNamespace) -> Any:
    """A running server, started by the add-on."""
    sb.engine_server.start_server()
    return sb.engine_server


@pytest.fixture
def pixels_of() -> Any:
    """The samples of a picture's file, by Blender's own reading: RGBA in 8 bits, rows from the bottom up."""

    def read(path: Path) -> bytes:
        image = bpy.data.images.load(str(path))
        try:
            image.colorspace_settings.name = "Non-Color"
            values = array.array("f", bytes(image.size[0] * image.size[1] * 16))
            image.pixels.foreach_get(values)
            return bytes(round(value * 255) for value in values)
        finally:
            bpy.data.images.remove(image)

    return read
