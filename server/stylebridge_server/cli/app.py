"""The commands of `stylebridge` and their options; every option of the effect comes from the effect's table."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import stylebridge
from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge_models import registry
from stylebridge_server.cli import keys, models

REFUSED, PARTIAL = 2, 3

app = typer.Typer(
    help="Neural style transfer as an effect on the timeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")

Server = Annotated[
    str | None,
    typer.Option("--server", help="Address of a running server; else the user's own.", metavar="URL"),
]


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


def with_effect_options(scopes: tuple[str, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command an option for every parameter of these scopes; those given arrive in `values`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = [
            one
            for one in inspect.signature(command, eval_str=True).parameters.values()
            if one.name != "values"
        ]
        options = []
        for parameter in effect.scoped(*scopes).values():
            flags = [parameter.option]
            if parameter.kind == "bool":
                flags = [f"{parameter.option}/--no-{parameter.name.replace('_', '-')}"]
            about = typer.Option(*flags, help=_help_of(parameter), show_default=False)
            kind: Any = Annotated[parameter.python_type | None, about]
            options.append(
                inspect.Parameter(
                    parameter.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind
                )
            )
        names = [option.name for option in options]

        def wrapped(**given: Any) -> Any:
            values = {name: given.pop(name) for name in names}
            return command(
                **given, values={name: value for name, value in values.items() if value is not None}
            )

        wrapped.__signature__ = inspect.Signature(own + options)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {one.name: one.annotation for one in own + options}
        wrapped.__doc__ = command.__doc__
        wrapped.__name__ = command.__name__
        return wrapped

    return decorate


def _help_of(parameter: effect.Parameter) -> str:
    """Its hint, what it may be, and what it is where nothing is said. (Words in brackets would be read as markup.)"""
    facts = []
    if parameter.kind in ("float", "int", "choice"):
        facts.append(parameter.allowed)
    if parameter.kind == "style":
        facts.append("presets: " + ", ".join(registry.load_json("embedded-style-presets")))
    if parameter.default is not None:
        facts.append(f"default: {parameter.default}")
    return f"{parameter.hint} ({'; '.join(facts)})" if facts else parameter.hint


@app.command()
@with_effect_options((effect.LAYER, effect.SHOT))
def render(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A movie, a picture, plate.####.png, or camera:0.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="A movie, a picture, or styled.####.png.")
    ] = "",
    look: Annotated[Path | None, typer.Option("--look", help="A look file.", metavar="LOOK.toml")] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", help="Write only these frames.", metavar="A-B")
    ] = None,
    contact_sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", help="Also write a contact sheet.", metavar="PNG")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", help="network, or optimise: slow, finest; needs a loss network.", metavar="NAME"
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
    server: Server = None,
    values: dict[str, Any] = {},  # noqa: B006 - filled by the decorator
) -> None:
    """Style a clip: a movie, a picture, an image sequence, or a camera shown live."""
    from stylebridge_server.cli import live
    from stylebridge_server.cli import render as rendering
    from stylebridge_server.media.live import is_live

    chosen = rendering.look_from_options(look, rendering.by_method(method, values))
    if is_live(source):
        live.run(source, chosen, server)
        return
    if not target:
        raise StylebridgeError(Code.BAD_VALUE, "No output was named: say where the result is to be written.")
    outcome = rendering.run(
        rendering.Job(source, target, chosen, rendering.frame_range(frames), server, contact_sheet, quiet)
    )
    print(outcome.message)
    raise typer.Exit(outcome.status)


@app.command()
def segment(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A movie, a picture or plate.####.png.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write mattes as PNG into this folder.")] = None,
    look: Annotated[
        Path | None, typer.Option("--look", help="A look whose prompts point at the things.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
    server: Server = None,
) -> None:
    """Find the instances of a clip; write a contact sheet and their mattes."""
    from stylebridge_server.cli import segment as segmenting

    print(segmenting.run(source, out, look, server, quiet))


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
        str, typer.Option("--flow", help="dis, or farneback, which our own filter does not use.")
    ] = "dis",
    noise: Annotated[bool, typer.Option("--noise", help="Run the style's network on noisy frames.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the error over the frames.", metavar="PNG")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Measure a styled clip: error over time, sharpness, distance to content and style."""
    # Threads that wait for work by spinning cost others theirs; this is read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from stylebridge_server.cli import metrics as measuring
    from stylebridge_server.cli.render import frame_range

    report = measuring.measure(
        measuring.Job(source, styled, style, frame_range(frames), flow, noise, quiet or json)
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
