"""The commands of `stylebridge`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

import stylebridge
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.cli import keys, models
from stylebridge_server.cli.options import Alpha, Colour, Config, Deinterlace, Gaps, Layer, Server, View
from stylebridge_server.cli.render import command

REFUSED, PARTIAL = 2, 3

app = typer.Typer(
    help="Neural style transfer as an effect on the timeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")


def run() -> int:
    """Run the command line; what goes wrong is one sentence on standard error and an exit status."""
    # Whoever ends the command kindly (a farm's manager) leaves no more behind than Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        app()
    except SystemExit as end:
        return int(end.code or 0)
    except StylebridgeError as error:
        print(f"stylebridge: {error.message}", file=sys.stderr)
        return PARTIAL if error.code == Code.PARTIAL else REFUSED
    return 0


app.command("render")(command.render)


@app.command()
def segment(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A movie, a picture or plate.####.exr.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write mattes into this folder.")] = None,
    look: Annotated[
        Path | None, typer.Option("--look", help="A look whose prompts point at the things.")
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            "--segmenter",
            help="auto, embedded, a kind of network (maskrcnn, sam, ...) or an installed one's name.",
            metavar="NAME",
        ),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option("--export", help="How mattes are written into --out: png, exr or coco.", metavar="FORM"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    colour: Colour = None,
    alpha: Alpha = None,
    config: Config = None,
    layer: Layer = None,
    view: View = None,
    gaps: Gaps = None,
    deinterlace: Deinterlace = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
    server: Server = None,
) -> None:
    """Find the instances of a clip: list them, draw a contact sheet, write their mattes."""
    from stylebridge_server.cli import segment as segmenting
    from stylebridge_server.cli.reading import Reading

    wanted = segmenting.Wanted(out, look, segmenter, export, as_json)
    read_as = Reading(colour, alpha, config, layer, view, gaps, deinterlace)
    print(segmenting.run(source, wanted, server, quiet, read_as))


@app.command()
def serve(
    bind: Annotated[
        str, typer.Option("--bind", help="Address to listen on.", metavar="URL")
    ] = "tcp://127.0.0.1:*",
    root: Annotated[
        list[Path] | None, typer.Option("--root", help="A folder that other users' clients may have read.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Keep finished tiles in this folder.", metavar="DIR")
    ] = None,
    log: Annotated[
        str, typer.Option("--log", help="How log lines look: text or json.", metavar="FORM")
    ] = "text",
    metrics: Annotated[
        int | None,
        typer.Option("--metrics", help="Show counters for Prometheus on this machine.", metavar="PORT"),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option("--device", help="What computes: cpu, cuda:0; may be repeated.", metavar="NAME"),
    ] = None,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a systemd user unit that does the same, and end.")
    ] = False,
) -> None:
    """Run the server in the foreground until it is stopped."""
    from stylebridge_server.cli.service import Service

    service = Service(bind, tuple(root or ()), cache, log, metrics, tuple(device or ()))
    if print_unit:
        print(service.unit(), end="")
    else:
        service.run()


@app.command()
def status(
    server: Server = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every second, until Ctrl-C.")] = False,
) -> None:
    """Show what a running server is doing."""
    from stylebridge_server.cli import status as showing

    showing.run(server, json, watch)


@app.command()
def metrics(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The clip that was styled.")],
    styled: Annotated[str, typer.Argument(metavar="STYLED", help="What was made of it, by whatever means.")],
    style: Annotated[
        str | None, typer.Option("--style", help="The style: its picture, or a name for --noise.")
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", help="Which of the source's were styled.", metavar="A-B")
    ] = None,
    flow: Annotated[
        str,
        typer.Option(
            "--flow",
            help="dis; farneback, which our own filter does not use; raft-small, raft-large.",
            metavar="NAME",
        ),
    ] = "dis",
    noise: Annotated[bool, typer.Option("--noise", help="Run the style's network on noisy frames.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the error over the frames.", metavar="PNG")
    ] = None,
    per_frame: Annotated[
        str | None,
        typer.Option(
            "--per-frame", help="The same style frame by frame, to stand beside: a clip.", metavar="CLIP"
        ),
    ] = None,
    difference: Annotated[
        Path | None,
        typer.Option(
            "--difference", help="Write a video of how each frame differs from the next.", metavar="MOVIE"
        ),
    ] = None,
    deinterlace: Deinterlace = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Measure a styled clip: error over time, sharpness, distance to content and style."""
    # Threads that wait for work by spinning cost others theirs; this is read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from stylebridge_server.cli import metrics as measuring
    from stylebridge_server.cli.render.job import frame_range

    report = measuring.measure(
        measuring.Job(
            source,
            styled,
            style,
            frame_range(frames),
            flow,
            noise,
            quiet or json,
            per_frame,
            difference,
            deinterlace or "refuse",
        )
    )
    print(measuring.as_json(report) if json else measuring.as_table(report))
    if plot is not None:
        measuring.plot(report, plot)


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="Checkpoints, curve, sheets and the weights made.")],
    scenes: Annotated[
        list[Path] | None, typer.Option("--scenes", help="A folder of photographs; may be repeated.")
    ] = None,
    styles: Annotated[
        Path | None, typer.Option("--styles", help="A folder of paintings; for one style, a picture.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", help="A recipe, or the name of one that ships: embedded, johnson."),
    ] = None,
    teacher: Annotated[Path | None, typer.Option("--teacher", help="Folder of MicroAST's weights.")] = None,
    vgg: Annotated[
        Path | None,
        typer.Option("--vgg", help="Weights of the loss network: a file, or VGG-19's first layers."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="Weights of an earlier network to begin with.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override a value of the recipe.", metavar="NAME=VALUE")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="Where to compute: cpu, cuda, cuda:1.")] = "cpu",
    workers: Annotated[int, typer.Option("--workers", help="Processes that share each step.", min=1)] = 1,
) -> None:
    """Train a style network; resumes what lies in the output folder."""
    from stylebridge_server.cli import train as training

    job = training.Job(
        recipe, scenes or [], styles, out, teacher, vgg, start, settings or [], device, workers
    )
    made = training.run(job)
    if made:
        print(made)


@app.command()
def bench(
    part: Annotated[str, typer.Argument(metavar="[PART]", help="What to measure: bridge.")] = "bridge",
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Measure what the product costs beside the least that it could cost."""
    from stylebridge_server.cli import bench as benches

    print(benches.run(part, json))


def _version(asked: bool) -> None:
    if asked:
        print(f"stylebridge {stylebridge.__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    pass
