"""Keys, URLs, and the file of the running server."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from stylebridge import command, keys, launch
from stylebridge.client import Client
from stylebridge.errors import Code, StylebridgeError
from stylebridge.launch import Address, ServerLock, parse_url

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@posix
def test_keys_are_made_once_and_only_for_their_user(home: Path) -> None:
    client, server = keys.client_key(), keys.server_key()
    assert client == keys.client_key() and client != server
    assert client.secret.hex() not in repr(client)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in (home / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize(("name", "mode"), [("keys/client.secret", 0o644), ("keys", 0o755)])
def test_keys_that_others_can_read_are_refused(home: Path, name: str, mode: int) -> None:
    keys.client_key()
    (home / name).chmod(mode)
    with pytest.raises(StylebridgeError, match=r"Others can read .*chmod [67]00") as caught:
        keys.client_key()
    assert caught.value.code == Code.DENIED


def test_a_damaged_key_is_named(home: Path) -> None:
    keys.client_key()
    (home / "keys" / "client.secret").write_text("short")
    with pytest.raises(StylebridgeError, match=r"client\.secret holds no key") as caught:
        keys.client_key()
    assert caught.value.code == Code.NOT_READABLE


@posix
def test_a_home_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(StylebridgeError, match="set STYLEBRIDGE_HOME") as caught:
        keys.client_key()
    assert caught.value.code == Code.NOT_WRITABLE


def test_two_that_make_a_key_at_once_get_the_same() -> None:
    made: list[keys.KeyPair] = []
    threads = [threading.Thread(target=lambda: made.append(keys.client_key())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({pair.secret for pair in made}) == 1 and len(made) == 8


def test_the_allow_list(home: Path) -> None:
    friend = keys.KeyPair.make()
    assert keys.allowed_keys() == {keys.client_key().public}
    (home / "allowed" / "friend.public").write_text(friend.public.hex() + "\n")
    (home / "allowed" / "damaged.public").write_text("not a key")
    assert keys.allowed_keys() == {keys.client_key().public, friend.public}
    assert keys.KeyPair.of_secret(friend.secret) == friend


@pytest.mark.parametrize("name", ["read_text", "glob"])
def test_too_many_open_files_take_nobodys_key_back(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Strangers can bring a server there; who is connected is to stay."""
    keys.allow("anna", b"a" * 32)
    real = getattr(Path, name)

    def full(path: Path, *words: str) -> object:
        if path.parent.name == "allowed" or path.name == "allowed":
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path, *words)

    monkeypatch.setattr(Path, name, full)
    with pytest.raises(StylebridgeError, match="cannot be read now") as caught:
        keys.allowed_keys()
    assert caught.value.code == Code.NOT_READABLE


def test_letting_a_key_in_and_out(home: Path) -> None:
    friend, other = keys.KeyPair.make().public, keys.KeyPair.make().public
    keys.allow("render-7", friend)
    keys.allow("render-7", friend)
    assert keys.allowed_names() == {"render-7": friend}
    assert keys.allowed_keys() == {keys.client_key().public, friend}
    with pytest.raises(StylebridgeError, match=r'"render-7" is another key already.*keys revoke') as caught:
        keys.allow("render-7", other)
    assert caught.value.code == Code.BAD_VALUE
    with pytest.raises(StylebridgeError, match='No key is called "render-8": did you mean') as caught:
        keys.revoke("render-8")
    assert caught.value.code == Code.NOT_FOUND
    assert keys.revoke("render-7") == friend
    assert keys.allowed_keys() == {keys.client_key().public}
    (home / "allowed" / "damaged.public").write_text("not a key")
    assert keys.allowed_names() == {"damaged": b""}
    assert keys.revoke("damaged") == b""


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "a\n", "x" * 65])
def test_a_name_that_could_be_another_file_is_refused(home: Path, name: str) -> None:
    for act in (lambda: keys.allow(name, b"k" * 32), lambda: keys.revoke(name)):
        with pytest.raises(StylebridgeError, match="cannot be the name of a key") as caught:
            act()
        assert caught.value.code == Code.BAD_VALUE


def test_a_renewed_key_is_another() -> None:
    client, server = keys.client_key(), keys.server_key()
    renewed = keys.renew("client")
    assert renewed == keys.client_key() != client
    assert keys.server_key() == server
    assert keys.fingerprint(client.public) != keys.fingerprint(renewed.public)
    assert len(keys.fingerprint(client.public).split()) == 8


def test_urls() -> None:
    key = keys.KeyPair.make().public.hex()
    address = parse_url(f"tcp://render-7.example:5571?key={key}")
    assert address == Address("tcp://render-7.example:5571", key)
    assert parse_url(address.url) == address
    assert parse_url("tcp://[::1]:80").endpoint == "tcp://[::1]:80"
    assert parse_url("tcp://127.0.0.1:80").key == keys.server_key().public


@pytest.mark.parametrize(
    "url", ["", "here", "http://a:1", "tcp://a", "tcp://a:b", "tcp://:1", "tcp://a:1?token=2", "tcp://[a:1"]
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(StylebridgeError, match="is no server: give tcp://HOST:PORT") as caught:
        parse_url(url)
    assert caught.value.code == Code.BAD_VALUE


def test_a_wrong_key_in_a_url() -> None:
    with pytest.raises(StylebridgeError, match="holds no key"):
        parse_url("tcp://a:1?key=12")


def test_a_server_is_found_while_it_holds_the_lock(home: Path) -> None:
    address = Address("tcp://127.0.0.1:1", keys.server_key().public.hex(), os.getpid(), "f")
    launch.announce(address)
    assert launch.find_server() is None, "nobody holds the lock: the file is stale"
    with ServerLock(home / "run") as lock:
        assert lock.held
        assert launch.find_server() == address
        with ServerLock(home / "run", look=True) as other:
            assert not other.held
        (home / "run" / "server.json").write_text("{")
        assert launch.find_server() is None
    launch.withdraw()
    launch.withdraw()


def test_without_a_server_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv("STYLEBRIDGE_PYTHON", raising=False)
    assert command.main() == 2
    assert 'pip install "stylebridge[server]"' in capsys.readouterr().err
    with pytest.raises(StylebridgeError, match=r'pip install "stylebridge\[server\]"') as caught:
        Client.connect()
    assert caught.value.code == Code.MISSING_EXTRA


@posix
def test_a_python_that_cannot_run_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEBRIDGE_PYTHON", "/bin/false")
    with pytest.raises(StylebridgeError, match=r"did not start \(/bin/false\)") as caught:
        Client.connect()
    assert caught.value.code == Code.UNREACHABLE
    monkeypatch.setenv("STYLEBRIDGE_PYTHON", "/no/such/python")
    with pytest.raises(StylebridgeError, match=r"/no/such/python.*STYLEBRIDGE_PYTHON"):
        Client.connect()
