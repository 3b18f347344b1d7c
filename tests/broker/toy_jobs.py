"""The work of a server under test: pictures of known bytes, and ways to go wrong."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from stylebridge.errors import Code, StylebridgeError
from stylebridge.pixels import Layout, Picture
from stylebridge_server.worker.context import Context, Handler

_rendered: list[int] = []
_analysed: list[str] = []
_pushed: dict[tuple[str, int], Picture] = {}
_ended: list[str] = []


def picture(number: int, layout: Layout) -> Picture:
    """What the toy renders: every byte tells the frame."""
    return Picture(number, layout, bytes([number % 251]) * layout.nbytes)


def open_shot(context: Context, fields: dict[str, Any]) -> dict[str, Any]:
    if fields.get("path"):
        context.file(fields["path"])
    made = fields.get("pushed") or fields.get("live")
    if made is None:
        return {"shot": "toy", "info": {"first": 0, "last": 9}}
    layout = Layout(made["dtype"], made["height"], made["width"], made["channels"])
    for number, name in enumerate(made.get("frames", ()), made.get("first", 0)):
        _pushed["made", number] = Picture(number, layout, context.store.path(name).read_bytes())
    return {"shot": "made", "info": {"first": 0, "last": 9, **made}}


def put_frame(context: Context, fields: dict[str, Any]) -> None:
    _pushed[fields["shot"], fields["number"]] = fields["picture"]


def analyse(context: Context, fields: dict[str, Any]) -> dict[str, Any]:
    """Counts to 50, slowly, and says so; names of prompts go wrong on purpose, or hold it up."""
    for prompt in fields["prompts"]:
        if prompt["name"] == "unforeseen":
            raise ZeroDivisionError("a defect")
        if prompt["name"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if prompt["name"] == "deep":
            return {"analysis": functools.reduce(lambda inner, _: [inner], range(100), [])}  # type: ignore[arg-type]
        if prompt["name"] == "odd":
            context._send("progress", context.number, {"done": "some"})
        if prompt["name"] == "noise":
            context._send.__self__._link.send([b"\xc1"])  # type: ignore[attr-defined]
        if prompt["name"].startswith("/"):
            hold(context, Path(prompt["name"]))
    _analysed.append(context.session)
    for done in range(50):
        context.progress(done + 1, 50, "counting")
        time.sleep(0.01)
    return {
        "analysis": "a" * 64,
        "cuts": [3],
        "instances": [{"id": 1, "name": "thing:1"}],
        "segmenter": "toy",
    }


def hold(context: Context, until: Path) -> None:
    """Goes on when that file is there; another, beside it, says that it has begun."""
    until.with_suffix(".begun").touch()
    while not until.exists():
        context.progress(0, 1, "holding")
        time.sleep(0.01)


def render(context: Context, fields: dict[str, Any]) -> dict[str, Any]:
    """Frames of the size in the look; a number of seconds each; dies or hangs at a frame, once or always."""
    look = fields["look"]
    layout = Layout(look.get("dtype", "uint8"), *look.get("size", [4, 6]), 3)
    frames = fields["frames"]
    for done, number in enumerate(frames):
        if (fields["shot"], number) in _pushed:
            context.frame(number, _pushed[fields["shot"], number])
            continue
        marker = Path(look["die_once"]) if "die_once" in look else None
        if number == look.get("die_at") and not (marker and marker.exists()):
            if marker:
                marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number == look.get("refuse_at"):
            raise StylebridgeError(Code.NOT_FOUND, f"Frame {number} is not there.", frame=number)
        hung = Path(look["hang_once"]) if "hang_once" in look else None
        if number == look.get("hang_at") and not (hung and hung.exists()):
            if hung:
                hung.touch()
            threading.Event().wait()
        if "hold" in look:
            hold(context, Path(look["hold"]))
        for _ in range(look.get("steps", 1)):
            context.check_cancelled()
            time.sleep(look.get("seconds", 0))
        _rendered.append(number)
        for layer in range(look.get("layers", 0)):
            context.frame(number, picture(number + layer, layout), {"layer": layer}, more=True)
            if (number, layer) == (look.get("die_after"), 1) and not Path(look["die_once"]).exists():
                Path(look["die_once"]).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        context.frame(number, picture(number, layout), {"pid": os.getpid()})
        context.progress(done + 1, len(frames), "rendering")
    return {"networks": 0}


def mattes(context: Context, fields: dict[str, Any]) -> None:
    for number in fields["frames"]:
        context.frame(number, picture(fields["instance"], Layout("uint8", 2, 2, 1)))


def handlers() -> dict[str, Handler]:
    return {
        "describe": lambda context, fields: {"parameters": [], "session": context.session},
        "probe": lambda context, fields: {"files": []},
        "open_shot": open_shot,
        "put_frame": put_frame,
        "analyse": analyse,
        "render": render,
        "mattes": mattes,
        "close_shot": lambda context, fields: {},
    }


def fingerprint() -> str:
    """Of the device, which cannot be used where it is "broken", or "until:FILE" and that file is there."""
    device = os.environ.get("STYLEBRIDGE_DEVICE", "cpu")
    if device == "broken" or (device.startswith("until:") and Path(device[6:]).exists()):
        raise StylebridgeError(Code.NOT_FOUND, f"The device {device} cannot be used.")
    return "toy-2" if device == "other" else "toy-1"


def ended(session: str) -> None:
    _ended.append(session)


def status() -> dict[str, Any]:
    cache = {"bytes": 10, "limit": 20, "hits": 3, "misses": 4}
    return {
        "rendered": len(_rendered),
        "caches_mb": {name: os.environ.get(f"STYLEBRIDGE_{name}_MB") for name in ("RESULTS", "WORK")},
        "analysed": len(_analysed),
        "pid": os.getpid(),
        "ended": _ended,
        "caches": {"results": cache},
    }
