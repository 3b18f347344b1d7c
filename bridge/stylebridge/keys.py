"""Who may talk to whom: CURVE keys in a folder that only its user can read.

    HOME/keys/server.secret     the server's key; clients of the same user read it and so know their server
    HOME/keys/client.secret     this user's key as a client; the same user's server lets it in
    HOME/allowed/NAME.public    keys of other users or machines that the server lets in, one in each file
    HOME/run/                   what the running server says of itself

HOME is `STYLEBRIDGE_HOME`, or the user's folder for settings. Keys are made when they are first asked for.
A key is written as 64 hexadecimal digits, which need no quoting in a shell or a URL.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from .errors import Code, StylebridgeError
from .wording import suggestion

log = logging.getLogger("stylebridge.keys")

#: Damaged files that the log has named.
_named: set[Path] = set()
#: What a key in HOME/allowed may be called: it becomes the name of a file.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key, each half 32 raw bytes."""

    public: bytes
    secret: bytes

    @classmethod
    def make(cls) -> KeyPair:
        """A new key, never seen before."""
        public, secret = zmq.curve_keypair()
        return cls(z85.decode(public), z85.decode(secret))

    @classmethod
    def of_secret(cls, secret: bytes) -> KeyPair:
        return cls(z85.decode(zmq.curve_public(z85.encode(secret))), secret)

    def __repr__(self) -> str:
        return f"KeyPair({self.public.hex()})"


def home() -> Path:
    """The user's folder for keys and the running server."""
    named = os.environ.get("STYLEBRIDGE_HOME")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming")) / "Stylebridge"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Stylebridge"
    return Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "stylebridge"


def private_folder(name: str) -> Path:
    """A folder under `home`, made where absent, that only its user can enter.

    Raises:
        StylebridgeError: `NOT_WRITABLE` where it cannot be made, `DENIED` where others can enter it.
    """
    folder = home() / name
    try:
        home().mkdir(parents=True, mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StylebridgeError(
            Code.NOT_WRITABLE,
            f"The folder {folder} cannot be made ({error.strerror}): set STYLEBRIDGE_HOME to a folder that "
            "you can write.",
        ) from None
    _refuse_shared(folder)
    return folder


def server_key() -> KeyPair:
    """This user's key as a server; see `client_key`."""
    return _key("server.secret")


def client_key() -> KeyPair:
    """This user's key as a client, made when it is absent.

    Raises:
        StylebridgeError: `DENIED` where others can read it, `NOT_READABLE` where it is no key,
            `NOT_WRITABLE` where it cannot be made.
    """
    return _key("client.secret")


def allowed_keys() -> set[bytes]:
    """The public keys that the server of this user lets in: the user's own, and those in HOME/allowed. A file
    there that holds no key lets nobody in, and is named in the log.

    Raises:
        StylebridgeError: as `client_key`; `NOT_READABLE` where it cannot be known now, as with too many open files:
            then nobody's key was taken back.
    """
    allowed = {client_key().public}
    folder = private_folder("allowed")
    try:
        paths = list(folder.glob("*.public"))
    except OSError as error:
        raise _unreadable(folder, error) from None
    for path in paths:
        try:
            allowed.add(read_key(path))
        except StylebridgeError as error:
            if error.details.get("now"):
                raise
            if path not in _named:  # once: this is asked at every handshake
                _named.add(path)
                log.warning("%s", error)
    return allowed


def allow(name: str, public: bytes) -> None:
    """Lets the holder of a key use this user's server, at once.

    Args:
        name: what the key is called here, such as "anna" or "render-7".

    Raises:
        StylebridgeError: `BAD_VALUE` for a name that cannot be a file's or is another key's already; as
            `client_key`.
    """
    path = _allowed_file(name)
    if not write_private(path, public.hex() + "\n", replace=False) and read_key(path) != public:
        raise StylebridgeError(
            Code.BAD_VALUE,
            f'"{name}" is another key already: choose another name, or run `stylebridge keys revoke {name}` first.',
        )


def revoke(name: str) -> bytes:
    """Takes back what `allow` gave; returns the key. A running server ends its sessions within seconds.

    Raises:
        StylebridgeError: `NOT_FOUND` where no key has that name; as `allow`.
    """
    path = _allowed_file(name)
    known = allowed_names()
    if not path.exists():
        raise StylebridgeError(Code.NOT_FOUND, f'No key is called "{name}": {suggestion(name, known)}')
    path.unlink()
    return known.get(name, b"")


def allowed_names() -> dict[str, bytes]:
    """The keys in HOME/allowed by their names; b"" for a file that holds no key.

    Raises:
        StylebridgeError: as `client_key`.
    """
    named = {}
    for path in sorted(private_folder("allowed").glob("*.public"), key=lambda one: one.stem):
        try:
            named[path.stem] = read_key(path)
        except StylebridgeError:
            named[path.stem] = b""
    return named


def renew(kind: str) -> KeyPair:
    """A new key in the place of this user's "client" or "server" key. A server that runs keeps the old one.

    Raises:
        StylebridgeError: as `client_key`.
    """
    pair = KeyPair.make()
    write_private(private_folder("keys") / f"{kind}.secret", pair.secret.hex() + "\n")
    return pair


def fingerprint(public: bytes) -> str:
    """A key as people compare it, aloud or by eye: its BLAKE2b-128 in groups of four hexadecimal digits."""
    digest = hashlib.blake2b(public, digest_size=16).hexdigest()
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def parse_key(text: str, origin: str) -> bytes:
    """The 32 bytes of a key written in hexadecimal.

    Raises:
        StylebridgeError: `NOT_READABLE`, naming where the text came from.
    """
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise StylebridgeError(Code.NOT_READABLE, f"{origin} holds no key: 64 hexadecimal digits are needed.")
    return key


def read_key(path: Path) -> bytes:
    """The key in a file; raises as `parse_key`, with the detail `now` where that says nothing of the file itself."""
    try:
        text = path.read_text("ascii")
    except (FileNotFoundError, PermissionError, IsADirectoryError, UnicodeDecodeError):
        text = ""
    except OSError as error:
        raise _unreadable(path, error) from None
    return parse_key(text, f"The file {path}")


def _unreadable(path: Path, error: OSError) -> StylebridgeError:
    return StylebridgeError(
        Code.NOT_READABLE, f"{path} cannot be read now ({error.strerror}): try again.", now=True
    )


def write_private(path: Path, text: str, replace: bool = True) -> bool:
    """Writes a file that only its user can read, whole or not at all. Returns False, with the file as it was,
    where it existed and is not to be replaced.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if replace:
            Path(name).replace(path)
            return True
        try:
            os.link(name, path)  # fails where another process was first
        except FileExistsError:
            return False
        return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _allowed_file(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f'"{name[:80]}" cannot be the name of a key: letters, digits and ._@- are possible, 64 at most.',
        )
    return private_folder("allowed") / f"{name}.public"


def _key(name: str) -> KeyPair:
    path = private_folder("keys") / name
    if not path.exists():
        write_private(path, KeyPair.make().secret.hex() + "\n", replace=False)
    _refuse_shared(path)
    return KeyPair.of_secret(read_key(path))


def _refuse_shared(path: Path) -> None:
    """Refuses a file or folder that others can read. Windows has no such bits; there the user's own folder
    for settings is closed to others.
    """
    if sys.platform == "win32":
        return
    state = path.stat()
    if state.st_uid != os.geteuid():
        raise StylebridgeError(
            Code.DENIED,
            f"{path} belongs to another user: set STYLEBRIDGE_HOME to a folder of your own.",
        )
    if stat.S_IMODE(state.st_mode) & 0o077:
        kind = "700" if path.is_dir() else "600"
        raise StylebridgeError(Code.DENIED, f"Others can read {path}: run `chmod {kind} '{path}'`.")
