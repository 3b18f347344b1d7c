"""`stylebridge render` as it is written on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stylebridge import effect
from stylebridge.errors import Code, StylebridgeError
from stylebridge_server.cli.options import (
    Alpha,
    Colour,
    Config,
    Deinterlace,
    Gaps,
    Layer,
    Layers,
    Scale,
    Server,
    View,
    with_effect_options,
)

# The names of media.CODECS, which takes a second to load.
CODECS = ("h264", "h265", "av1", "vp9", "prores422", "prores422hq", "prores4444", "dnxhr", "ffv1")


@with_effect_options((effect.LAYER, effect.SHOT))
def render(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A movie, a picture, plate.####.exr, or camera:0.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="A movie, a picture, or styled.####.exr.")
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
    codec: Annotated[
        str | None,
        typer.Option(
            "--codec", help=f"Of a movie: {', '.join(CODECS)}; else the source's own.", metavar="NAME"
        ),
    ] = None,
    sound: Annotated[
        str,
        typer.Option(
            "--sound",
            help="copy, encode (where the movie cannot hold it as it is), or none.",
            metavar="WHAT",
        ),
    ] = "copy",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results of other requests that are there.")
    ] = False,
    next_version: Annotated[
        bool, typer.Option("--next-version", help="Write the next version: out_v001.mp4, out_v002.mp4.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; say which frames of OUTPUT are stale, and end with 4."),
    ] = False,
    layers: Layers = False,
    scale: Scale = 1,
    colour: Colour = None,
    alpha: Alpha = None,
    config: Config = None,
    layer: Layer = None,
    view: View = None,
    gaps: Gaps = None,
    deinterlace: Deinterlace = None,
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
    read_as = Reading(colour, alpha, config)
    if is_live(source):
        if read_as != Reading():
            raise StylebridgeError(
                Code.BAD_VALUE,
                "A camera is read as sRGB without alpha: leave out --colour, --alpha and --config.",
            )
        live.run(source, chosen, server)
        return
    if not target:
        raise StylebridgeError(Code.BAD_VALUE, "No output was named: say where the result is to be written.")
    if check and next_version:
        raise StylebridgeError(
            Code.BAD_VALUE,
            "--check looks at what is there, --next-version at what is to be: give one of them.",
        )
    job = Job(
        source=source,
        target=target,
        look=chosen,
        frames=frame_range(frames),
        server=server,
        contact_sheet=contact_sheet,
        quiet=quiet,
        overwrite=overwrite,
        next_version=next_version,
        check=check,
        codec=codec,
        sound=sound,
        scale=scale,
        read_as=Reading(colour, alpha, config, layer, view, gaps, deinterlace),
    )
    if layers:
        from stylebridge_server.cli import layers as layering

        outcome = layering.run(job)
    else:
        outcome = run(job)
    print(outcome.message)
    raise typer.Exit(outcome.status)
