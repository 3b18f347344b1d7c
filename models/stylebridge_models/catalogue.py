"""Networks of others that can be fetched: where their own authors put them, their size, licence and checksum.

Nothing of theirs is shipped, and nothing is fetched unless it is asked for. Addresses of torchvision's weights are
asked of torchvision itself; their file names carry the beginning of the SHA-256 sum.
"""

from __future__ import annotations

import hashlib
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stylebridge.errors import Code, StylebridgeError
from stylebridge.wording import suggestion

Report = Callable[[int, int], None]  # bytes there, bytes in all; raises to end it

_BLOCK = 1 << 20
_PATIENCE = 60  # seconds without a byte
_SUM = re.compile(r"-([0-9a-f]{8,64})\.pth$")


@dataclass(frozen=True)
class Entry:
    """One network.

    Attributes:
        name: what it is installed as.
        megabytes: about, for the list.
        licence: of the weights.
        source: the address, or what torchvision calls the weights.
        sha256: of the file, hexadecimal; "" where its name carries the beginning.
    """

    name: str
    megabytes: int
    licence: str
    source: str
    sha256: str = ""


_SAM = "https://dl.fbaipublicfiles.com/segment_anything/"
ENTRIES = {
    one.name: one
    for one in (
        Entry("maskrcnn", 177, "BSD-3-Clause", "MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1"),
        Entry("maskrcnn-v1", 170, "BSD-3-Clause", "MaskRCNN_ResNet50_FPN_Weights.COCO_V1"),
        Entry("deeplab", 42, "BSD-3-Clause", "DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1"),
        Entry("deeplab-resnet50", 161, "BSD-3-Clause", "DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1"),
        Entry(
            "deeplab-resnet101", 233, "BSD-3-Clause", "DeepLabV3_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1"
        ),
        Entry("raft-small", 4, "BSD-3-Clause", "Raft_Small_Weights.C_T_V2"),
        Entry("raft-large", 21, "BSD-3-Clause", "Raft_Large_Weights.C_T_SKHT_V2"),
        Entry(
            "sam-vit-b",
            375,
            "Apache-2.0",
            _SAM + "sam_vit_b_01ec64.pth",
            "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        ),
        Entry(
            "sam-vit-l",
            1249,
            "Apache-2.0",
            _SAM + "sam_vit_l_0b3195.pth",
            "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        ),
        Entry(
            "sam-vit-h",
            2565,
            "Apache-2.0",
            _SAM + "sam_vit_h_4b8939.pth",
            "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        ),
    )
}


def find(name: str) -> Entry:
    """The entry of that name; StylebridgeError NOT_FOUND."""
    if name not in ENTRIES:
        raise StylebridgeError(
            Code.NOT_FOUND, f"No network named '{name}' can be fetched: {suggestion(name, ENTRIES)}"
        )
    return ENTRIES[name]


def address(entry: Entry) -> tuple[str, str]:
    """Where the file lies, and its SHA-256 sum or the beginning of it."""
    if entry.source.startswith("http"):
        return entry.source, entry.sha256
    from torchvision.models import get_weight

    url = str(get_weight(entry.source).url)
    found = _SUM.search(url)
    assert found is not None
    return url, found[1]


def fetched(entry: Entry, folder: Path, report: Report, shelf: Path | None = None) -> Path:
    """The file of an entry, whole and with the right checksum.

    What an earlier attempt left is gone on with. Proxies are those of the environment (`https_proxy`, `no_proxy`).

    Args:
        entry: of the catalogue.
        folder: where the file is put; made where it is not there.
        report: told how far it is.
        shelf: a folder that holds the file already, where there is no network; it is read in place.

    Returns:
        Its path, in `folder` or on the shelf.

    Raises:
        StylebridgeError: NOT_FOUND where it cannot be had; NOT_READABLE for another checksum; NOT_WRITABLE.
    """
    url, sha256 = address(entry)
    name = url.rsplit("/", 1)[-1]
    if shelf is not None:
        path = shelf / name
        if not path.is_file():
            raise StylebridgeError(
                Code.NOT_FOUND, f"{entry.name} is not in {shelf}: put the file {name} there."
            )
        _check(path, sha256, entry)
        return path
    path, part = folder / name, folder / f"{name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            _download(url, part, entry, report)
            try:
                _check(part, sha256, entry)
            except StylebridgeError:
                part.unlink()
                raise
            part.replace(path)
        else:
            _check(path, sha256, entry)
    except urllib.error.URLError as error:
        raise _unreachable(entry, url, error) from None
    except TimeoutError as error:
        raise _unreachable(entry, url, error) from None
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"{entry.name} cannot be kept in {folder} ({error.strerror or error}): free space there, or name another "
            "folder with STYLEBRIDGE_MODELS.",
        ) from None
    return path


def _download(url: str, part: Path, entry: Entry, report: Report) -> None:
    """Fetch what the part file lacks."""
    there = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        # An opener of its own, which looks for proxies now.
        answer = urllib.request.build_opener().open(request, timeout=_PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code == 416 and there:  # nothing is left to fetch: whether it is the file its checksum tells
            return
        raise
    with answer:
        goes_on = answer.status == 206
        there = there if goes_on else 0
        total = there + int(answer.headers.get("Content-Length") or 0)
        with part.open("ab" if goes_on else "wb") as file:
            report(there, total)
            while block := answer.read(_BLOCK):
                file.write(block)
                there += len(block)
                report(there, total)
    if there < total:
        raise urllib.error.URLError("the connection ended early")


def _check(path: Path, sha256: str, entry: Entry) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    found = digest.hexdigest()
    if not found.startswith(sha256):
        raise StylebridgeError(
            Code.NOT_READABLE,
            f"The file of {entry.name} is damaged: its checksum is {found[:16]}, not {sha256[:16]}; fetch it again.",
        )


def _unreachable(entry: Entry, url: str, error: OSError) -> StylebridgeError:
    reason = getattr(error, "reason", error)
    return StylebridgeError(
        Code.NOT_FOUND,
        f"{entry.name} cannot be fetched from {url} ({reason}): run the same again to go on where it stopped, or "
        "get the file elsewhere and name its folder with --from.",
    )
