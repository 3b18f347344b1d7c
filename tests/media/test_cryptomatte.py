"""Cryptomattes: ids by the specification, and what is packed is found again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from stylebridge_server.media import cryptomatte
from stylebridge_server.media.exr_file import read_headers
from stylebridge_server.media.exr_write import NewPart, write_exr
from stylebridge_server.media.matte import Wanted, read_matte

NAMES = ["hero", "the red car", "Tänzerin 2", "舞者", "x" * 200, "a.b:c/d"]


def mattes(count: int, size: tuple[int, int] = (24, 40)) -> dict[str, np.ndarray]:
    """Soft mattes that overlap and are together at most 1."""
    random = np.random.default_rng(count)
    raw = np.maximum(random.normal(0.1, 0.6, (count + 1, *size)), 0).astype(np.float32)
    raw /= np.maximum(raw.sum(0), 1e-6)
    names = NAMES + [f"thing {place}" for place in range(count)]
    return dict(zip(names, raw[:count], strict=False))


@pytest.mark.parametrize(
    ("name", "id_"),
    [  # published vectors of MurmurHash3_x86_32 with seed 0
        ("hello", 0x248BFA47),
        ("hello, world", 0x149BBB7F),
        ("Hello, world!", 0xC0363E43),
        ("test", 0xBA6BD213),
        ("The quick brown fox jumps over the lazy dog", 0x2E4FF723),
        ("", 0x00800000),  # the hash 0 would be no ordinary float
    ],
)
def test_ids_follow_from_names(name: str, id_: int) -> None:
    assert cryptomatte.name_hash(name) == id_


def test_every_id_is_an_ordinary_float() -> None:
    ids = np.array([cryptomatte.name_hash(f"name {place}") for place in range(20_000)], np.uint32)
    exponents = ids >> 23 & 0xFF
    assert exponents.min() > 0 and exponents.max() < 255
    assert np.array_equal(ids.view(np.float32).view(np.uint32), ids)
    assert np.isfinite(ids.view(np.float32)).all()


def test_the_header_is_that_of_the_specification() -> None:
    said = cryptomatte.header("CryptoObject", NAMES)
    key = next(iter(said)).split("/")[1]
    assert len(key) == 7 and set(said) == {
        f"cryptomatte/{key}/{what}" for what in ("name", "hash", "conversion", "manifest")
    }
    assert said[f"cryptomatte/{key}/hash"] == "MurmurHash3_32"
    assert said[f"cryptomatte/{key}/conversion"] == "uint32_to_float32"
    assert json.loads(said[f"cryptomatte/{key}/manifest"]) == {
        name: f"{cryptomatte.name_hash(name):08x}" for name in NAMES
    }


@pytest.mark.parametrize("count", [0, 1, 3, 6, 11])
def test_what_is_packed_is_found_again(tmp_path: Path, count: int) -> None:
    given = mattes(count)
    packed = cryptomatte.channels("CryptoObject", given, (24, 40))
    levels = max(3, -(-count // 2))
    assert list(packed) == [
        f"CryptoObject{level:02d}.{letter}" for level in range(levels) for letter in "RGBA"
    ]
    covered = np.stack([plane for name, plane in packed.items() if name[-1] in "GA"])
    assert np.all(covered[:-1] >= covered[1:])  # from the greatest down
    path = tmp_path / "crypto.exr"
    write_exr(path, [NewPart(packed, header=cryptomatte.header("CryptoObject", list(given)))])
    [part] = read_headers(path).parts
    [found] = cryptomatte.of_part(part)
    assert found.name == "CryptoObject" and set(found.manifest or {}) == set(given)
    for name, matte in given.items():
        part_of = read_matte([path], Wanted(thing=name))(path)
        assert part_of is not None and np.array_equal(part_of.plane, matte)


def test_of_many_things_the_smallest_coverages_of_a_pixel_are_left_out() -> None:
    given = mattes(40)
    packed = cryptomatte.channels("C", given, (24, 40))
    assert len(packed) == 32
    covered = np.stack([packed[f"C{level:02d}.{letter}"] for level in range(8) for letter in "GA"])
    assert np.allclose(covered, -np.sort(-np.stack(list(given.values())), axis=0)[:16])


@pytest.fixture
def blender(repository: Path) -> Path:
    """A Python that has bpy."""
    found = Path(os.environ.get("STYLEBRIDGE_BPY", repository / ".venv-blender-4.5" / "bin" / "python"))
    if not found.is_file():
        pytest.skip("no Python with bpy is here (set STYLEBRIDGE_BPY to one, or run make test-blender once)")
    return found


def test_blenders_own_node_finds_the_same_mattes(blender: Path, tmp_path: Path) -> None:
    given, size = mattes(6), (24, 40)
    path, job = tmp_path / "layers.exr", tmp_path / "job.json"
    picture = {name: np.full(size, 0.25, np.float16) for name in ("R", "G", "B", "A", "hero.R", "hero.A")}
    channels = {**picture, **cryptomatte.channels("CryptoObject", given, size)}
    write_exr(path, [NewPart(channels, header=cryptomatte.header("CryptoObject", list(given)))])
    said = {"file": str(path), "size": [size[1], size[0]], "names": list(given), "out": str(tmp_path)}
    job.write_text(json.dumps(said), encoding="utf-8")
    script = Path(__file__).with_name("blender_cryptomatte.py")
    done = subprocess.run([blender, script, job], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads((tmp_path / "seen.json").read_text(encoding="utf-8"))
    assert seen["layer"] == "CryptoObject"
    for place, (name, matte) in enumerate(given.items()):
        picked = read_matte([tmp_path / f"{place}_0001.exr"], Wanted("R"))(tmp_path / f"{place}_0001.exr")
        assert picked is not None and np.abs(picked.plane - matte).max() <= 1 / 255, name
