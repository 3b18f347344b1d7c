"""Drives the real Blender window by mouse and keyboard, under Xvfb: what an editor does in the first five minutes.

    python tests/blender/run.py --blender debian --window

Installs the zip, opens the panel, starts the server, styles the strip, keyframes its strength, cancels once, finishes.
Each step waits until Blender says that it happened. Screenshots go to docs/pictures with --pictures. It needs Xvfb,
xdotool and ImageMagick.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent.parent
WIDTH, HEIGHT = 1600, 900
LIMIT = 600.0

#: Where things are when the sequencer fills the window of Blender 3.4: pixels from the top left.
TIMELINE = (700, 500)
TAB = (1587, 305)
START = (1500, 100)
STYLE_THIS_STRIP = (1440, 165)
STYLE = (1440, 275)
STRENGTH = (1476, 327)
PREVIEW = (1380, 510)
RENDER = (1440, 772)
CANCEL = (1440, 798)


class Window:
    """The window, and what Blender says in it."""

    def __init__(self, display: str, says: Path) -> None:
        self._environment = {**os.environ, "DISPLAY": display}
        self._says = says

    def tool(self, *line: object) -> str:
        done = subprocess.run(
            [str(part) for part in line], env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def state(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            state: dict[str, Any] = json.loads(self._says.read_text("utf-8"))
            assert "error" not in state, state["error"]
            return state
        return {}

    def until(
        self, what: str, condition: Callable[[dict[str, Any]], bool], limit: float = LIMIT
    ) -> dict[str, Any]:
        """Waits until Blender says that something is so."""
        end = time.monotonic() + limit
        while True:
            state = self.state()
            if state and condition(state):
                print(f"  {what}", flush=True)
                return state
            if time.monotonic() > end:
                self.picture(Path("out/window-failed.png"))
                raise SystemExit(f"It never came: {what}. Blender said {state}; see out/window-failed.png.")
            time.sleep(0.1)

    def focus(self) -> None:
        """Gives the window the keyboard: there is no window manager that would."""
        window = self.tool("xdotool", "search", "--onlyvisible", "--name", "Blender").splitlines()[0]
        self.tool("xdotool", "windowfocus", window)

    def over(self, place: tuple[int, int]) -> None:
        self.tool("xdotool", "mousemove", *place)
        time.sleep(0.4)

    def click(self, place: tuple[int, int]) -> None:
        """Down and up apart, or Blender sees neither."""
        self.over(place)
        self.tool("xdotool", "mousedown", 1)
        time.sleep(0.15)
        self.tool("xdotool", "mouseup", 1)
        time.sleep(0.5)

    def press(self, place: tuple[int, int], what: str, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Clicks until something is so: a busy machine may lose a click."""
        for _ in range(6):
            self.click(place)
            end = time.monotonic() + 8
            while time.monotonic() < end:
                state = self.state()
                if state and condition(state):
                    print(f"  {what}", flush=True)
                    return
                time.sleep(0.1)
            self.over(TIMELINE)
        self.until(what, condition, 1)

    def double_click(self, place: tuple[int, int]) -> None:
        self.over(place)
        for _ in range(2):
            self.tool("xdotool", "mousedown", 1)
            time.sleep(0.06)
            self.tool("xdotool", "mouseup", 1)
            time.sleep(0.06)
        time.sleep(0.5)

    def keys(self, *names: str) -> None:
        for name in names:
            self.tool("xdotool", "key", name)
            time.sleep(0.25)

    def picture(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self.tool("import", "-window", "root", target)


def drive(window: Window, frames: int, pictures: Path | None) -> dict[str, Any]:
    """The five minutes. Returns what Blender said at the end."""
    window.until("the zip is installed, the strip is there", lambda now: not now["styled"])
    time.sleep(2)
    window.focus()
    window.over(TIMELINE)
    window.keys("ctrl+space")
    window.until("the timeline fills the window", lambda now: now["maximised"], 60)
    time.sleep(1)
    window.click(TAB)
    window.until("the panel looked for a server", lambda now: now["server"] == "stopped", 60)
    window.press(START, "Start was pressed", lambda now: now["server"] in ("starting", "running"))
    window.press(STYLE_THIS_STRIP, "the strip is one that is styled", lambda now: now["styled"])
    window.until("the server runs, and has painted the styles", lambda now: now["thumbnails"] > 5)
    window.click(STYLE)
    window.keys(*["Down"] * 7, "Return")
    window.until("a style is chosen", lambda now: bool(now["style"]), 60)
    window.double_click(STRENGTH)
    window.keys("ctrl+a", "0", "period", "2", "5", "Return")
    window.until("another strength", lambda now: abs(now["strength"] - 0.25) < 1e-6, 60)
    window.over(STRENGTH)
    window.keys("i")
    window.until("a keyframe on the first frame", lambda now: len(now["keys"]) == 1, 60)
    window.over(TIMELINE)
    window.keys("shift+Right")
    window.until("the playhead at the end", lambda now: now["frame"] == frames, 60)
    window.over(STRENGTH)
    window.double_click(STRENGTH)
    window.keys("ctrl+a", "1", "Return")
    window.until("full strength", lambda now: now["strength"] == 1.0, 60)
    window.over(STRENGTH)
    window.keys("i")
    window.until("a keyframe on the last frame", lambda now: len(now["keys"]) == 2, 60)
    window.press(RENDER, "Render was pressed", lambda now: bool(now["job"]))
    window.until(
        "frames come",
        lambda now: bool(now["job"]) and now["job"]["stage"] == "frame" and now["job"]["done"] > 2,
    )
    if pictures:
        window.picture(pictures / "blender-rendering.png")
    began = time.monotonic()
    window.press(CANCEL, "Cancel acted", lambda now: now["job"]["state"] == "cancelled")
    print(f"  after {time.monotonic() - began:.1f} s, clicking included", flush=True)
    window.over(TIMELINE)
    window.press(RENDER, "Render was pressed again", lambda now: now["job"]["state"] != "cancelled")
    state = window.until("the render is done", lambda now: now["job"]["state"] in ("done", "failed"), 1800)
    assert state["job"]["state"] == "done", state["job"]
    ((_, first, last, _, folder),) = state["made"]
    assert last - first == frames, state["made"]
    assert folder.startswith("//stylebridge/"), folder
    window.click(PREVIEW)
    window.until("the preview is shown", lambda now: now["preview"], 120)
    window.over(TIMELINE)
    if pictures:
        window.picture(pictures / "blender-panel.png")
    window.keys("ctrl+space")
    window.until("the other editors are back", lambda now: not now["maximised"], 60)
    time.sleep(3)
    if pictures:
        window.picture(pictures / "blender-styled.png")
    return window.state()


@contextlib.contextmanager
def screen(folder: Path) -> Iterator[str]:
    """An X server of our own; its display."""
    reader, writer = os.pipe()
    line = ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{WIDTH}x{HEIGHT}x24"]
    with (folder / "xvfb.log").open("wb") as log:
        server = subprocess.Popen(line, pass_fds=[writer], stdout=log, stderr=log)
    os.close(writer)
    try:
        with os.fdopen(reader) as pipe:
            yield f":{pipe.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description="Drives Blender's window.")
    parser.add_argument("--package", type=Path, required=True, help="the zip for Blender 3.x")
    parser.add_argument("--folder", type=Path, required=True, help="for the file, and what comes back")
    parser.add_argument("--pictures", type=Path, help="where screenshots go")
    parser.add_argument("--frames", type=int, default=24, help="how many are rendered, at most 96")
    parser.add_argument("--report", type=Path, help="where the longest times in the main thread are written")
    given = parser.parse_args()
    for tool in ("blender", "Xvfb", "xdotool", "import"):
        if shutil.which(tool) is None:
            raise SystemExit(f"There is no `{tool}` here: install blender, xvfb, xdotool and imagemagick.")
    says, project = given.folder / "says.json", given.folder / "project"
    project.mkdir()
    with screen(given.folder) as display, (given.folder / "blender.log").open("wb") as log:
        environment = {
            **os.environ,
            "DISPLAY": display,
            "HOME": str(project),  # what the file browser shows, and so the pictures
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "STYLEBRIDGE_WINDOW_PACKAGE": str(given.package),
            "STYLEBRIDGE_WINDOW_MOVIE": str(REPOSITORY / "examples" / "shot" / "plate.mp4"),
            "STYLEBRIDGE_WINDOW_SAYS": str(says),
            "STYLEBRIDGE_WINDOW_BLEND": str(project / "shot.blend"),
            "STYLEBRIDGE_WINDOW_FRAMES": str(given.frames),
        }
        line = ["blender", "--factory-startup", "--app-template", "Video_Editing"]
        line += ["--window-geometry", "0", "0", str(WIDTH), str(HEIGHT), "--python", str(HERE / "inside.py")]
        blender = subprocess.Popen(line, env=environment, stdout=log, stderr=log)
        try:
            state = drive(Window(display, says), given.frames, given.pictures)
        finally:
            blender.terminate()
            blender.wait(30)
    rows = [
        {
            "callback": name,
            "longest_ms": round(seconds * 1000, 1),
            "processor_ms": round(state["busiest"][name] * 1000, 1),
        }
        for name, seconds in sorted(state["longest"].items(), key=lambda one: -one[1])
    ]
    print("Longest times in the main thread, and most processor time, in ms:")
    for row in rows:
        print(f"  {row['longest_ms']:7} {row['processor_ms']:7}  {row['callback']}")
    if given.report:
        load = [round(one, 1) for one in os.getloadavg()]
        report = {"frames": given.frames, "cores": os.cpu_count(), "load": load, "callbacks": rows}
        given.report.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    problems = [
        line
        for line in (given.folder / "blender.log").read_text("utf-8", "replace").splitlines()
        if "Error" in line
    ]
    assert not problems, problems
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
