"""`stylebridge models`: which models are here, and taking in those that people already have."""

from __future__ import annotations

import json as json_text
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from stylebridge.errors import Code, StylebridgeError
from stylebridge.requests import Progress
from stylebridge_models import (
    catalogue,
    checkpoints,
    installed,
    kinds,
    optical_flow,
    registry,
    segmentation,
)
from stylebridge_server.cli.progress import progress

app = typer.Typer(
    help="Show the models that are here; fetch others; import those that you have.",
    no_args_is_help=True,
    add_completion=False,
)

# What looks and `describe` call the network that ships, and the method that is no network.
_RESERVED = {"style", "embedded", "optimise", "auto", "none", "host"}
_MOST_LABELS = 10_000


@app.command("list")
def _list(json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Show every model: name, kind, version, size, licence."""
    print(listed(json))


@app.command("pull")
def _pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One that `models list` shows.")],
    shelf: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Take the file from this folder, without a network.",
            metavar="DIR",
            envvar="STYLEBRIDGE_SHELF",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Fetch a network from where its authors put it, check it and install it."""
    print(pull(name, shelf, quiet))


@app.command("import")
def _import(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A checkpoint, an .onnx, or MicroAST's folder.")
    ],
    name: Annotated[str | None, typer.Option("--name", help="What looks will call it.")] = None,
    licence: Annotated[
        str, typer.Option("--licence", help="Its licence, for the list.", metavar="TEXT")
    ] = "unknown",
    input: Annotated[
        str | None,
        typer.Option(
            "--input",
            help="What it is fed: 0-1, 0-255, -1-1 or imagenet (ONNX); caffe or torchvision (loss networks).",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", help="Names of the classes that the network finds, one a line.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Take in a network that styles, one that finds instances, RAFT, or a loss network."""
    print(take_in(file, name, licence, input, labels))


@app.command("path")
def _path(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A model; else the folder.")] = None,
) -> None:
    """Print where models lie."""
    print(where(name))


def listed(as_json: bool) -> str:
    """The models that ship, those that are installed, and those that can be fetched."""
    shipped = [asdict(one) for one in registry.index().values()]
    cards = list(installed.models().values())
    there = {card.name for card in cards}
    others = [one for one in catalogue.ENTRIES.values() if one.name not in there]
    if as_json:
        found = {
            "folder": str(installed.folder()),
            "shipped": shipped,
            "installed": [{**asdict(card), "versions": installed.versions(card.name)} for card in cards],
            "to_fetch": [asdict(one) for one in others],
        }
        return json_text.dumps(found, indent=2)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("name", "kind", "version", "size", "licence"):
        table.add_column(title, justify="right" if title == "size" else "left")
    for one in shipped:
        table.add_row(
            one["name"], "ships with Stylebridge", one["sha256"][:16], _size(one["bytes"]), one["licence"]
        )
    for card in cards:
        earlier = len(installed.versions(card.name)) - 1
        version = card.version + (f" (and {earlier} earlier)" if earlier else "")
        table.add_row(
            card.name, kinds.WHAT.get(card.kind, card.kind), version, _size(card.bytes), card.licence
        )
    for entry in others:
        note = f"not installed: models pull {entry.name}"
        table.add_row(entry.name, note, "", f"{entry.megabytes} MB", entry.licence)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    if not cards:
        lines.append("None is installed: `stylebridge models import FILE --name NAME` takes one in.")
    return "\n".join(lines)


def pull(name: str, shelf: Path | None, quiet: bool) -> str:
    """Fetch a network of the catalogue and install it.

    Args:
        name: in the catalogue.
        shelf: a folder that has its file; None fetches it.
        quiet: whether no progress is drawn.

    Returns:
        What was taken in, for people.

    Raises:
        StylebridgeError: as `catalogue.fetched` and `take_in` do.
    """
    entry = catalogue.find(name)
    with progress(quiet) as report:

        def told(done: int, total: int) -> None:
            report(Progress(done >> 20, max(total >> 20, 1), "fetching", 0.0))

        path = catalogue.fetched(entry, installed.folder() / ".fetched", told, shelf)
    said = take_in(path, name, entry.licence, None)
    if shelf is None:
        path.unlink()  # what is installed is its own file
    return said


def take_in(path: Path, name: str | None, licence: str, said: str | None, labels: Path | None = None) -> str:
    """Convert a file and keep it.

    Args:
        path: a checkpoint, an ONNX file, or a folder as `kinds.convert` takes it.
        name: what it will be called; None is the file's name.
        licence: words for the list.
        said: what an ONNX or a loss network is fed; None recognises it.
        labels: a file with the names of the classes that a network finds; None for COCO's or Pascal VOC's.

    Returns:
        What was taken in, for people.

    Raises:
        StylebridgeError: BAD_VALUE for the name; as reading and recognising the file do.
    """
    name = name if name is not None else _named_after(path)
    installed.check_name(name)
    if name in _RESERVED or name in registry.load_json("embedded-style-presets"):
        raise StylebridgeError(
            Code.BAD_VALUE,
            f"The name '{name}' is taken by what ships with Stylebridge: choose another with --name.",
        )
    if path.suffix.lower() == ".onnx":
        return _take_in_onnx(path, name, licence, said, labels)
    found = kinds.convert(path, said, None if labels is None else read_labels(labels))
    source = installed.source_of(path)
    return _told(installed.install(name, found.kind, found.tensors, source, licence, found.settings))


def read_labels(path: Path) -> list[str]:
    """The names in a list of labels, one a line.

    Raises:
        StylebridgeError: NOT_READABLE.
    """
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise StylebridgeError(
            Code.NOT_READABLE, f"The list of labels {path} cannot be read: {reason}."
        ) from None
    labels = [line for line in lines if line]
    if not 0 < len(labels) <= _MOST_LABELS:
        raise StylebridgeError(
            Code.NOT_READABLE, f"The list of labels {path} has {len(labels)} names: write one a line."
        )
    return labels


def where(name: str | None) -> str:
    """The folder of models, or the file of one."""
    return str(installed.folder() if name is None else installed.path_of(installed.find(name)))


def _take_in_onnx(path: Path, name: str, licence: str, said: str | None, labels: Path | None) -> str:
    from stylebridge_server.segment import onnx as finding
    from stylebridge_server.style import onnx

    checkpoints.check_file(path)
    data = path.read_bytes()
    if finding.is_instances(data, str(path)):
        named = None if labels is None else read_labels(labels)
        settings = finding.recognise(data, str(path), named, said)
        source = installed.source_of(path)
        return _told(installed.install(name, segmentation.INSTANCES, data, source, licence, settings))
    if labels is not None:
        raise StylebridgeError(
            Code.BAD_VALUE, f"{path} is a style network, which tells no classes apart: leave --labels out."
        )
    settings = onnx.recognise(data, str(path), said)
    card = installed.install(name, kinds.ONNX, data, installed.source_of(path), licence, settings)
    size = "any size" if settings["size"] is None else "{}x{} pixels".format(*reversed(settings["size"]))
    how = "as you say" if said else "as its answers show; where that is wrong, say it with --input"
    return f"{_told(card)}\nIt takes pictures of {size}, in {settings['range']} ({how})."


def _told(card: installed.Card) -> str:
    from stylebridge_models import loss_networks

    told = f"{card.name}: {kinds.WHAT[card.kind]}, {_size(card.bytes)}, licence {card.licence}, version {card.version}."
    if card.kind in segmentation.WHAT:
        return f"{told}\nFind with it: stylebridge segment CLIP --segmenter {card.name}"
    if card.kind in optical_flow.WHAT:
        return f"{told}\nFollow with it: stylebridge render CLIP OUT --style NAME --flow {card.kind}"
    if card.kind in loss_networks.NAMES:
        return f"{told}\nIt has the layers up to {card.settings['layers'][-1]}, fed as {card.settings['inputs']} does."
    use = f"{card.name}:PICTURE" if card.kind == kinds.MICROAST else card.name
    return f"{told}\nStyle with it: --style {use}"


def _named_after(path: Path) -> str:
    """A name from the file's, such as rain-princess from "Rain Princess.model"."""
    return re.sub(r"[^a-z0-9_-]+", "-", path.name.split(".")[0].lower()).strip("-_")


def _size(count: Any) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"
