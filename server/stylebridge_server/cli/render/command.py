"""`stylebridge render` as it is written on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.cli.options import Alpha, Colour, Config, Layers, Scale, Server, with_effect_options


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
    layers: Layers = False,
    scale: Scale = 1,
    colour: Colour = None,
    alpha: Alpha = None,
    config: Config = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
    server: Server = None,
    values: dict[str, Any] = {},  # noqa: B006 - filled by the decorator
) -> None:
    """Style a clip: a movie, a picture, an image sequence, or a camera shown live."""
    from stylebridge_server.cli import live
    from stylebridge_server.cli.reading import Reading
    from stylebridge_server.cli.render.job import Job, by_method, frame_range, look_from_options
    from stylebridge_server.cli.render.run import run
    from stylebridge_server.media.live import is_live

    chosen = look_from_options(look, by_method(method, values))
    if is_live(source):
        live.run(source, chosen, server)
        return
    if not target:
        raise StylebridgeError(Code.BAD_VALUE, "No output was named: say where the result is to be written.")
    read_as = Reading(colour, alpha, config)
    job = Job(source, target, chosen, frame_range(frames), server, contact_sheet, quiet, scale, read_as)
    if layers:
        from stylebridge_server.cli import layers as layering

        layering.refuse_others(job)
        outcome = layering.run(job)
    else:
        outcome = run(job)
    print(outcome.message)
    raise typer.Exit(outcome.status)
