"""The pictures that a child Blender renders: started, watched, cancelled. Plain data and no bpy: for worker threads."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._bridge.stylebridge.errors import Code, StylebridgeError
from .._bridge.stylebridge.pattern import Pattern
from .child import MARK
from .gather import gather, sequence

#: Lines of the child's chatter that are kept for the console, where it fails.
KEPT_LINES = 40

_locks: dict[str, threading.Lock] = {}
_locks_lock = threading.Lock()


@dataclass
class Work:
    """What has to be rendered, and where it goes.

    Attributes:
        command: what starts the child; the path of its job follows.
        blend: the copy of the user's file that the child opens; goes when the pictures are made. Empty where they
            were all there already.
        scene, strip: names.
        origin: timeline frame of number 0.
        first, last: the numbers that are wanted.
        folder: of all plates.
        key: the name of the settings that make the pictures.
        pixel_format: "exr" or "png".
        scripts: whether the file's own scripts and drivers may run.
        reuse: whether pictures of the same key are as good as new ones.
    """

    command: list[str]
    blend: str
    scene: str
    strip: str
    origin: int
    first: int
    last: int
    folder: str
    key: str
    pixel_format: str
    scripts: bool
    reuse: bool

    @property
    def made(self) -> Pattern:
        """All pictures of this key that there are, of whatever range."""
        return sequence(Path(self.folder) / self.key / "made", self.pixel_format)

    @property
    def wanted(self) -> Pattern:
        """The pictures of the range that is wanted, and no others: what the server is given."""
        return sequence(Path(self.folder) / self.key / f"{self.first}_{self.last}", self.pixel_format)

    def lacking(self) -> list[int]:
        """The numbers that have to be rendered."""
        there = set(self.made.numbers()) if self.reuse else set()
        return [number for number in range(self.first, self.last + 1) if number not in there]

    def make(self, job: Any) -> None:
        """Renders what is lacking and puts together what is wanted.

        Raises:
            StylebridgeError: cancelled; `NOT_READABLE` where Blender cannot render it, `NOT_WRITABLE`.
        """
        with _lock(str(self.made)):
            try:
                lacking = self.lacking()
                if lacking:
                    self._render(lacking, job)
            finally:
                self.discard_copy()
            self.reuse = True  # what this work made is as good as new when the same plate is opened once more
            numbers = range(self.first, self.last + 1)
            gather({number: str(self.made.path(number)) for number in numbers}, self.wanted, job.step)

    @property
    def transparent(self) -> bool:
        """Whether a picture that was made has pixels that are not opaque."""
        return self._note.exists()

    @property
    def _note(self) -> Path:
        return self.made.folder.with_name("transparent")

    def take_copy(self, path: str) -> None:
        """Has a copy of the user's file, which goes with this work at the latest."""
        self.blend = path
        weakref.finalize(self, _remove, path)

    def discard_copy(self) -> None:
        """Lets go of the copy of the user's file."""
        if self.blend:
            _remove(self.blend)
            self.blend = ""

    def _render(self, numbers: list[int], job: Any) -> None:
        if not self.blend:
            raise StylebridgeError(
                Code.NOT_FOUND,
                f'The rendered pictures of "{self.strip}" are no longer there: render once more.',
            )
        parts = Path(tempfile.mkdtemp(prefix="making-", dir=self._ready()))
        try:
            self._run(numbers, parts, job)
        finally:
            shutil.rmtree(parts, ignore_errors=True)

    def _ready(self) -> Path:
        folder = self.made.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StylebridgeError(
                Code.NOT_WRITABLE,
                f"Plates cannot be written to {folder} ({error.strerror}): set another folder for temporary files in "
                "Blender's preferences.",
            ) from None
        return folder.parent

    def _run(self, numbers: list[int], parts: Path, job: Any) -> None:
        order = {
            "blend": self.blend,
            "scene": self.scene,
            "strip": self.strip,
            "origin": self.origin,
            "format": self.pixel_format,
            "scripts": self.scripts,
            "frames": [
                [number, str(parts / f"{number}.{self.pixel_format}"), str(self.made.path(number))]
                for number in numbers
            ],
        }
        path = parts / "job.json"
        path.write_text(json.dumps(order), encoding="utf-8")
        process = subprocess.Popen(
            [*self.command, str(path)],
            env={
                **os.environ,
                **{name: str(parts) for name in ("TMPDIR", "TEMP", "TMP")},
            },  # it may be killed
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        try:
            job.progress(0, len(numbers), "rendering the strip")
            with job.on_cancel(process.kill):
                complaint, chatter, done = self._listen(process, len(numbers), job)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        job.step()
        if complaint or done < len(numbers):
            print(f"Stylebridge: what Blender said while it rendered the strip {self.strip}:\n{chatter}")
            why = f" ({complaint.rstrip('.')})" if complaint else ""
            raise StylebridgeError(
                Code.NOT_READABLE,
                f'Blender could not render the strip "{self.strip}"{why}: try to render it in Blender, the console '
                "says more.",
            )

    def _listen(self, process: subprocess.Popen[bytes], total: int, job: Any) -> tuple[str, str, int]:
        """Reads what the child says; its complaint, the last of its chatter, how many pictures are there."""
        chatter: deque[str] = deque(maxlen=KEPT_LINES)
        complaint, done = "", 0
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            if not line.startswith(MARK):
                chatter.append(line)
                continue
            said = json.loads(line[len(MARK) :])
            if "error" in said:
                complaint = said["error"]
            else:
                done += 1
                if not said["opaque"]:
                    self._note.touch()
                job.progress(done, total, "rendering the strip")
            if done == total:
                break  # its end may take a while, or crash where Blender is a module
        return complaint, "\n".join(chatter), done


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()


def _lock(name: str) -> threading.Lock:
    with _locks_lock:
        return _locks.setdefault(name, threading.Lock())


def empty(folder: str | os.PathLike[str]) -> None:
    """Removes all plates."""
    shutil.rmtree(folder, ignore_errors=True)
