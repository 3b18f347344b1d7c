# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the add-on: the extension (Blender 4.2 and later) and the legacy zip (3.x).

    python host_plugins/blender/package.py --out dist/blender              # both, with wheels
    python host_plugins/blender/package.py --folder build/blender          # the add-on as a folder, for tests

Wheels of pyzmq and msgpack are downloaded with pip, for all platforms, and go in as they are. Nothing of the repository
but the add-on and the bridge is in the packages.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ADDON = HERE / "stylebridge_blender"
BRIDGE = HERE.parent.parent / "bridge" / "stylebridge"
MANIFEST = HERE / "blender_manifest.toml"

PACKAGES = ("pyzmq", "msgpack")
#: Platforms by the name of the legacy zip's folders (as `dependencies.py` has them), with what pip calls them.
PLATFORMS = {
    "linux-x86_64": ("manylinux_2_28_x86_64", "manylinux2014_x86_64"),
    "windows-x86_64": ("win_amd64",),
    "macos-x86_64": ("macosx_10_15_universal2", "macosx_10_15_x86_64", "macosx_10_9_x86_64"),
    "macos-arm64": ("macosx_11_0_arm64", "macosx_10_15_universal2"),
}
#: Pythons of Blender 4.2 to 5.0 and of 5.1; of 3.1 to 4.0, and of distributions that build 3.x with their own.
EXTENSION_PYTHONS = ("3.11", "3.13")
LEGACY_PYTHONS = ("3.10", "3.11")


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds the Blender add-on.")
    parser.add_argument("--out", type=Path, help="where the extension and the legacy zip go")
    parser.add_argument("--folder", type=Path, help="where the add-on goes as a folder, without wheels")
    parser.add_argument("--wheels", type=Path, help="a folder that keeps downloaded wheels")
    parser.add_argument("--only", help="one platform, such as linux-x86_64 (a smaller package, for tests)")
    given = parser.parse_args()
    if given.folder:
        target = given.folder / ADDON.name
        shutil.rmtree(target, ignore_errors=True)
        lay_out(target)
        print(target)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        platforms = [given.only] if given.only else list(PLATFORMS)
        with tempfile.TemporaryDirectory() as temporary:
            wheels = given.wheels or Path(temporary) / "wheels"
            print(build_extension(given.out, wheels, platforms, Path(temporary)))
            print(build_legacy(given.out, wheels, platforms, Path(temporary)))
    return 0


def version() -> str:
    """The add-on's version, which the manifest says."""
    found = re.search(r'^version = "(.+)"$', MANIFEST.read_text("utf-8"), re.MULTILINE)
    assert found, "the manifest has no version"
    return found[1]


def lay_out(target: Path) -> None:
    """Copies the add-on, and the bridge under its private name, to a folder."""
    ignore = shutil.ignore_patterns(
        "__pycache__", "*.pyc", "py.typed", "__main__.py", "command.py", "_bridge"
    )
    shutil.copytree(ADDON, target, ignore=ignore)
    shutil.copytree(BRIDGE, target / "_bridge" / "stylebridge", ignore=ignore)
    (target / "_bridge" / "__init__.py").write_text(
        '"""The bridge under a private name, so that two add-ons never share one."""\n', "utf-8"
    )
    shutil.copy(HERE / "LICENSE", target / "LICENSE")
    shutil.copy(BRIDGE.parent.parent / "LICENSE", target / "_bridge" / "LICENSE")


def fetch(folder: Path, platform: str, python: str) -> list[Path]:
    """The wheels for a platform and a Python, downloaded where they are not in the folder yet."""
    place = folder / f"{platform}-{python}"
    if not all(list(place.glob(f"{package}-*.whl")) for package in PACKAGES):
        place.mkdir(parents=True, exist_ok=True)
        options = [f"--platform={name}" for name in PLATFORMS[platform]]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *options]
        subprocess.run([*command, f"--dest={place}", *PACKAGES], check=True)
    return sorted(place.glob("*.whl"))


def build_extension(out: Path, wheels: Path, platforms: list[str], temporary: Path) -> Path:
    """The extension, as one file for all platforms."""
    root = temporary / "extension"
    lay_out(root)
    (root / "wheels").mkdir()
    names = set()
    for platform in platforms:
        for python in EXTENSION_PYTHONS:
            for wheel in fetch(wheels, platform, python):
                shutil.copy(wheel, root / "wheels" / wheel.name)
                names.add(wheel.name)
    listed = "".join(f'  "./wheels/{name}",\n' for name in sorted(names))
    manifest = MANIFEST.read_text("utf-8").replace(
        "\n[permissions]", f"\nwheels = [\n{listed}]\n\n[permissions]"
    )
    (root / "blender_manifest.toml").write_text(manifest, "utf-8")
    return _zip(out / f"stylebridge-{version()}.zip", root, "")


def build_legacy(out: Path, wheels: Path, platforms: list[str], temporary: Path) -> Path:
    """The zip for 3.x, with the wheels unpacked."""
    root = temporary / "legacy"
    lay_out(root)
    for platform in platforms:
        for python in LEGACY_PYTHONS:
            place = root / "wheels" / f"{platform}-cp{python.replace('.', '')}"
            for wheel in fetch(wheels, platform, python):
                with zipfile.ZipFile(wheel) as file:
                    file.extractall(place)
            shutil.rmtree(place / "zmq" / "tests", ignore_errors=True)
    return _zip(out / f"stylebridge-{version()}-blender3.zip", root, f"{ADDON.name}/")


def _zip(target: Path, root: Path, inside: str) -> Path:
    """Zips a folder; the same bytes for the same files."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                member = zipfile.ZipInfo(inside + path.relative_to(root).as_posix(), (1980, 1, 1, 0, 0, 0))
                member.external_attr = 0o644 << 16
                stored = path.suffix == ".whl"
                archive.writestr(
                    member, path.read_bytes(), zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                )
    return target


if __name__ == "__main__":
    raise SystemExit(main())
