"""Codec and sound of a movie, as they are said on the command line."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from end_to_end_tools import Command

WORDS = ("--frames", "0-2", "--style", "great-wave")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("out.webm",), ("aac", "--sound encode", "--sound none")),
        (("out.mp4", "--codec", "prores422"), ("ProRes 422", ".mov", "what works is")),
        (("out.mov", "--codec", "prores444"), ("prores4444",)),
        (("out.mov", "--sound", "louder"), ("copy, encode, none",)),
        (("out.####.png", "--codec", "h264"), ("no movie",)),
    ],
)
def test_what_does_not_go_together_is_told_before_any_work(
    stylebridge: Command, movie: Path, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    done = stylebridge("render", movie, *words, *WORDS, "--server", "tcp://127.0.0.1:1?key=x", server=False)
    assert done.status == 2 and done.err.strip().count("\n") == 0
    assert all(word in done.err for word in told), done.err
    assert list(stylebridge.folder.iterdir()) == []


def test_codec_and_sound_are_as_asked_for(stylebridge: Command, movie: Path) -> None:
    done = stylebridge("render", movie, "out.mov", "--codec", "prores422hq", "--sound", "none", *WORDS)
    assert done.status == 0 and "ProRes 422 HQ, 4:2:2, 10 bit." in done.out
    done = stylebridge("render", movie, "out.webm", "--sound", "encode", *WORDS)
    assert done.status == 0 and "VP9, 4:2:0, 8 bit, 1 sound stream encoded as Opus" in done.out
    with av.open(str(stylebridge.folder / "out.mov")) as container:
        assert [one.codec_context.name for one in container.streams] == ["prores"]
    with av.open(str(stylebridge.folder / "out.webm")) as container:
        assert [one.codec_context.codec.canonical_name for one in container.streams] == ["vp9", "opus"]
    # Another codec is another result.
    refused = stylebridge("render", movie, "out.mov", "--codec", "prores422", *WORDS)
    assert refused.status == 2 and "--overwrite" in refused.err
