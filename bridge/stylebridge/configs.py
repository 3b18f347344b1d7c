"""OpenColorIO configs that a client names: found, and packed for a server that does not see its disk.

Nothing of OpenColorIO is needed here: a config is a file with folders of lookup tables beside it, and what goes to the
server is one archive of them, as OpenColorIO's own `ocioarchive` makes it (.ocioz).
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path
from typing import Union

from .errors import Code, StylebridgeError

#: What OpenColorIO's own archiver packs beside the config: the kinds of files that it can read.
KINDS = re.compile(
    r".*\.(spi1d|spi3d|spimtx|3dl|ccc?|cdl|clf|ctf|csp|cube?|hdl|itx|look|m3d|mga|lut|vf|icc|icm|icp)",
    re.IGNORECASE,
)
#: Most bytes of a config's tables, and most of them.
SIZE_LIMIT, COUNT_LIMIT = 256 << 20, 10_000

BUILT_IN = "ocio://"

Named = Union[str, "os.PathLike[str]"]


def config_of(named: Named | None, colour: str | None) -> str | None:
    """The config that a shot is read by: the one named, else $OCIO where a colour space is asked for by name.

    Args:
        named: "ocio://NAME", or the path of a config.ocio or of an archive (.ocioz); None for none.
        colour: the colour space that was asked for. "srgb" needs no config.

    Returns:
        A path, absolute; or "ocio://NAME"; or None for the server's own, the ACES configs of OpenColorIO.
    """
    if named is None and colour is not None and colour.lower() != "srgb":
        named = os.environ.get("OCIO") or None
    if named is None:
        return None
    text = os.fspath(named)
    return text if text.startswith(BUILT_IN) else str(Path(text).absolute())


def packed(path: Named) -> bytes:
    """A config as one archive, the same bytes for the same files.

    Args:
        path: of a config.ocio, whose folder's tables go with it, of that folder, or of an archive.

    Raises:
        StylebridgeError: `NOT_FOUND`, `NOT_READABLE`, `TOO_LARGE`.
    """
    config = Path(path)
    if config.is_dir():
        config /= "config.ocio"
    if not config.is_file():
        raise StylebridgeError(
            Code.NOT_FOUND,
            f"There is no OpenColorIO config {config}: name a config.ocio, an .ocioz archive or a built-in one "
            '("ocio://cg-config-latest") with --config or in $OCIO.',
        )
    try:
        with config.open("rb") as file:
            archive = file.read(4) == b"PK\3\4"
        files = [config] if archive else [config, *_tables(config.parent)]
        _check(config, files)
        return config.read_bytes() if archive else _archive(config, files)
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"The OpenColorIO config {config} cannot be read ({error.strerror}): check its permissions and those of "
            "the files beside it.",
        ) from None


def _tables(folder: Path) -> list[Path]:
    found: list[Path] = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(where) / name for name in sorted(names) if KINDS.fullmatch(name)]
        if len(found) > COUNT_LIMIT:
            break
    return found


def _check(config: Path, files: list[Path]) -> None:
    size = sum(file.stat().st_size for file in files)
    if size > SIZE_LIMIT or len(files) > COUNT_LIMIT:
        raise StylebridgeError(
            Code.TOO_LARGE,
            f"The OpenColorIO config {config} and the tables in its folder hold {size >> 20} MiB in {len(files)} "
            f"files, over {SIZE_LIMIT >> 20} MiB or {COUNT_LIMIT} files: put the config into a folder with only the "
            "tables that it needs, or name an .ocioz archive of them.",
        )


def _archive(config: Path, files: list[Path]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in files:
            name = "config.ocio" if file == config else file.relative_to(config.parent).as_posix()
            entry = zipfile.ZipInfo(name)  # of the year 1980: an archive of the same files has the same hash
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return memory.getvalue()
