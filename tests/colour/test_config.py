"""OpenColorIO configs that clients name and send: found, packed, read from nothing but their own files."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stylebridge import configs
from stylebridge.configs import config_of, packed
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.colour import Config, archive, encode, encode_declared
from stylebridge_server.values import SourceInfo

CONFIG = """ocio_profile_version: 2
environment: {GRADE: half.cube}
search_path: tables
roles: {default: raw, scene_linear: plate, data: raw%s}
file_rules:
  - !<Rule> {name: Default, colorspace: default}
displays:
  none:
    - !<View> {name: plain, colorspace: raw}
colorspaces:
  - !<ColorSpace>
    name: plate
    aliases: [%s]
  - !<ColorSpace>
    name: raw
    isdata: true
  - !<ColorSpace>
    name: graded
    to_scene_reference: !<FileTransform> {src: "%s", interpolation: linear}
"""
HALF = "LUT_1D_SIZE 2\n0 0 0\n0.5 0.5 0.5\n"


def folder(path: Path, table: str = "half.cube", alias: str = "lin_rec709", roles: str = "") -> Path:
    """A config whose space "graded" is twice as bright as its linear one, by a table beside it."""
    (path / "tables").mkdir(parents=True)
    (path / "tables" / "half.cube").write_text(HALF)
    (path / "outside.cube").write_text(HALF)
    (path / "notes.mov").write_bytes(bytes(5000))
    (path / "config.ocio").write_text(CONFIG % (roles, alias, table))
    return path / "config.ocio"


def sent(tmp_path: Path, content: bytes, name: str = "show.ocio") -> Config:
    blob = tmp_path / "blob"
    blob.write_bytes(content)
    return Config.sent(blob, name)


def zipped(entries: dict[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return memory.getvalue()


def test_a_config_is_sent_with_its_tables_and_nothing_else(tmp_path: Path) -> None:
    content = packed(folder(tmp_path / "show"))
    assert sorted(zipfile.ZipFile(io.BytesIO(content)).namelist()) == [
        "config.ocio",
        "outside.cube",
        "tables/half.cube",
    ]
    assert packed(tmp_path / "show") == content
    encoding = encode("graded", config=sent(tmp_path, content))
    pixels = np.full((2, 2, 3), 0.36, np.float32)
    assert encoding.display(pixels) == pytest.approx(encode("linear").display(pixels / 2), abs=1e-5)
    seen = encoding.display(pixels)
    assert encoding.back(seen + np.float32(1e-3), seen, pixels) == pytest.approx(pixels, abs=3e-3)


def test_a_config_has_one_name_however_it_is_packed(tmp_path: Path) -> None:
    first = packed(folder(tmp_path / "show"))
    entries = {
        name: zipfile.ZipFile(io.BytesIO(first)).read(name) for name in ("tables/half.cube", "config.ocio")
    }
    entries["outside.cube"] = HALF.encode()
    again = zipped(entries, zipfile.ZIP_STORED)
    assert again != first
    assert sent(tmp_path, again).id == sent(tmp_path, first).id
    entries["tables/half.cube"] = HALF.replace("0.5", "0.4").encode()
    assert sent(tmp_path, zipped(entries)).id != sent(tmp_path, first).id


@pytest.mark.parametrize("table", ["/etc/passwd", "../half.cube", "../../../../etc/passwd", "absent.cube"])
def test_a_config_reads_nothing_but_its_own_files(tmp_path: Path, table: str) -> None:
    (tmp_path / "half.cube").write_text(HALF)
    config = sent(tmp_path, packed(folder(tmp_path / "show", table)))
    with pytest.raises(
        StylebridgeError, match=r'The space "graded" of the config show\.ocio cannot be worked in'
    ) as no:
        encode("graded", config=config)
    assert no.value.code == Code.BAD_VALUE
    assert re.search("located|loaded", no.value.message)


def test_variables_are_the_config_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADE", "absent.cube")
    config = sent(tmp_path, packed(folder(tmp_path / "show", "${GRADE}")))
    assert encode("graded", config=config).colour == "graded"


def test_a_config_without_rec_709_is_asked_by_its_primaries_or_taken_as_it_is(tmp_path: Path) -> None:
    pixels = np.full((1, 1, 3), 0.18, np.float32)
    pixels[..., 0] = 0.3
    old = sent(tmp_path, packed(folder(tmp_path / "old", alias="")))
    assert encode("plate", config=old).display(pixels) == pytest.approx(
        encode("linear").display(pixels), abs=1e-6
    )
    aces = sent(tmp_path, packed(folder(tmp_path / "aces", alias="", roles=", aces_interchange: plate")))
    assert encode("plate", config=aces).display(pixels) == pytest.approx(
        encode("aces2065-1").display(pixels), abs=1e-5
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is broken"),
        (b"roles: [", "is broken"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is broken"),
        (zipped({"show/config.ocio": "x"}), "no config.ocio at its root"),
        (zipped({"config.ocio": CONFIG})[:-40], "is broken|damaged archive"),
        (zipped({"config.ocio": "nothing"}), "is broken"),
    ],
)
def test_a_broken_config_is_told_in_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(StylebridgeError, match=words) as broken:
        sent(tmp_path, content)
    assert broken.value.code == Code.BAD_VALUE
    assert "show.ocio" in broken.value.message and "\n" not in broken.value.message


def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "TABLE_LIMIT", 1 << 20)
    bomb = zipped({"config.ocio": CONFIG, "a.cube": bytes(2 << 20)})
    with pytest.raises(StylebridgeError, match="files of together 2 MiB; at most") as refused:
        sent(tmp_path, bomb)
    assert refused.value.code == Code.TOO_LARGE
    # One that declares less than it holds ends where it said.
    small = (1000).to_bytes(4, "little")
    lying = zipped({"config.ocio": CONFIG, "a.cube": bytes(2 << 20)}).replace(
        (2 << 20).to_bytes(4, "little"), small
    )
    with pytest.raises(StylebridgeError, match="damaged archive"):
        sent(tmp_path, lying)


def test_a_list_of_millions_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = zipped({"config.ocio": CONFIG, **{f"{n:0100}.cube": b"" for n in range(100)}})
    monkeypatch.setattr(archive, "COUNT_LIMIT", 20)
    with pytest.raises(StylebridgeError, match=r"show\.ocio .* is too large") as refused:
        sent(tmp_path, many)
    assert refused.value.code == Code.TOO_LARGE
    monkeypatch.setattr(archive, "TABLE_LIMIT", 100)
    with pytest.raises(StylebridgeError, match=r"show\.ocio .* is too large"):
        sent(tmp_path, CONFIG.encode())


def test_the_config_is_the_one_named_else_the_environment_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCIO", str(tmp_path / "env.ocio"))
    assert config_of(None, "acescg") == str(tmp_path / "env.ocio")
    assert config_of("ocio://cg-config-latest", "acescg") == "ocio://cg-config-latest"
    assert config_of(tmp_path / "mine.ocio", None) == str(tmp_path / "mine.ocio")
    assert config_of(None, None) is None and config_of(None, "sRGB") is None
    monkeypatch.setenv("OCIO", "")
    assert config_of(None, "acescg") is None
    monkeypatch.chdir(tmp_path)
    assert config_of("mine.ocio", None) == str(tmp_path / "mine.ocio")


def test_a_config_that_is_not_there_or_too_large_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StylebridgeError, match=r"There is no OpenColorIO config .*absent\.ocio") as absent:
        packed(tmp_path / "absent.ocio")
    assert absent.value.code == Code.NOT_FOUND
    config = folder(tmp_path / "show")
    monkeypatch.setattr(configs, "COUNT_LIMIT", 2)
    with pytest.raises(StylebridgeError, match="folder with only the tables that it needs") as large:
        packed(config)
    assert large.value.code == Code.TOO_LARGE


@pytest.mark.parametrize("name", ["ocio://cg-config-latst", "ocio://", "ocio:///etc/passwd"])
def test_a_built_in_config_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(StylebridgeError, match=r"no built-in config .*did you mean 'ocio://"):
        Config.built_in(name)


def test_what_a_file_says_of_itself_is_known_whatever_the_config(tmp_path: Path) -> None:
    show = sent(tmp_path, packed(folder(tmp_path / "show")))
    info = SourceInfo("sequence", 4, 4, 1, 1, 4, "float16", colour="acescg", alpha="premultiplied")
    assert encode_declared(info, config=show) == encode("acescg", "premultiplied", 4)
    assert (
        encode_declared(replace(info, colour="graded"), "straight", show).id == f"{show.id} graded straight"
    )
    with pytest.raises(
        StylebridgeError, match=r"The source says that its colour space is 'odd'.*with --colour"
    ):
        encode_declared(replace(info, colour="odd"))


def test_the_config_is_part_of_the_encoding_s_name(tmp_path: Path) -> None:
    studio = Config.built_in("ocio://studio-config-latest")
    assert encode("acescg", config=studio).colour == encode("acescg").colour
    assert encode("acescg", config=studio).id != encode("acescg").id
    assert encode("srgb", config=studio).id is None
