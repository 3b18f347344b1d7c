"""`stylebridge keys` as a person uses it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from stylebridge import keys, launch
from stylebridge.command import main
from stylebridge.launch import Address, ServerLock


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLEBRIDGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["stylebridge", "keys", *words])
        status = main()
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def test_from_one_machine_to_another(run, home: Path, tmp_path: Path) -> None:
    """What docs/operations.md says: the key is shown there, allowed here, listed, and revoked."""
    friend = keys.KeyPair.make().public
    (tmp_path / "friend.public").write_text(friend.hex() + "\n")
    assert f"fingerprint {keys.fingerprint(keys.client_key().public)}" in run()[1]
    assert "Nobody but this user" in run("list")[1]
    status, said = run("allow", "anna", friend.hex())
    assert status == 0 and keys.fingerprint(friend) in said
    assert run("allow", "anna-again", str(tmp_path / "friend.public"))[0] == 0
    assert keys.allowed_keys() == {keys.client_key().public, friend}
    assert [line.split()[0] for line in run("list")[1].splitlines()] == ["anna", "anna-again"]
    assert "also called anna-again" in run("revoke", "anna")[1]
    assert "ends within seconds" in run("revoke", "anna-again")[1]
    assert keys.allowed_keys() == {keys.client_key().public}


def test_what_is_no_key_is_refused(run) -> None:
    status, said = run("allow", "anna", "deadbeef")
    assert status == 2 and "neither a key" in said and "Traceback" not in said
    assert "own key" in run("allow", "me", keys.client_key().public.hex())[1]
    assert keys.allowed_names() == {}


def test_renewing_says_who_has_to_be_told(run, home: Path) -> None:
    client, server = keys.client_key(), keys.server_key()
    keys.allow("anna", keys.KeyPair.make().public)
    said = run("renew")[1]
    assert keys.client_key().public.hex() in said and "Tell anna" in said
    assert keys.client_key() != client and keys.server_key() != server
    client = keys.client_key()
    assert "Tell anna" in run("renew", "server")[1] and keys.client_key() == client
    assert run("renew", "house")[0] == 2


def test_keys_are_not_renewed_under_a_running_server(run, home: Path) -> None:
    before = keys.server_key()
    with ServerLock(keys.private_folder("run")) as lock:
        assert lock.held
        launch.announce(Address("tcp://127.0.0.1:1", before.public.hex(), os.getpid()))
        status, said = run("renew")
        assert status == 2 and f"process {os.getpid()}" in said and "stop it first" in said
    assert keys.server_key() == before
