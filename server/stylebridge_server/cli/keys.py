"""`stylebridge keys`: who this user is, and whose clients this user's server lets in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stylebridge import keys, launch
from stylebridge.errors import Code, StylebridgeError

app = typer.Typer(
    help="Show this user's key; let others use this user's server, or no longer.",
    invoke_without_command=True,
    add_completion=False,
)

KINDS = ("client", "server", "both")


@app.callback()
def _show(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(show())


@app.command("allow")
def _allow(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is called here.")],
    key: Annotated[str, typer.Argument(metavar="KEY|FILE", help="64 hexadecimal digits, or a file of them.")],
) -> None:
    """Let the holder of a key use this user's server."""
    print(allow(name, key))


@app.command("revoke")
def _revoke(name: Annotated[str, typer.Argument(metavar="NAME", help="As `allow` called it.")]) -> None:
    """Take that back; what the key's holder has open ends within seconds."""
    print(revoke(name))


@app.command("list")
def _list() -> None:
    """Show whose keys are let in."""
    print(listed())


@app.command("renew")
def _renew(
    kind: Annotated[
        str, typer.Argument(metavar="[client|server|both]", help="Which of this user's keys.")
    ] = "both",
) -> None:
    """Replace this user's keys, and say who has to be told."""
    print(renew(kind))


def show() -> str:
    """This user's public key as a client, with its fingerprint."""
    public = keys.client_key().public
    return (
        "This user's key, for the owners of servers that are to let this user in:\n"
        f"  {public.hex()}\n"
        f"  fingerprint {keys.fingerprint(public)}"
    )


def allow(name: str, key: str) -> str:
    """Lets a key in.

    Args:
        key: 64 hexadecimal digits, or the path of a file that holds them.

    Raises:
        StylebridgeError: as `keys.allow`; not_readable for what is no key.
    """
    path = Path(key)
    try:
        public = keys.parse_key(key, "The word")
    except StylebridgeError:
        if not path.is_file():
            raise StylebridgeError(
                Code.NOT_READABLE,
                f'"{key[:80]}" is neither a key (64 hexadecimal digits, as `stylebridge keys` shows it) nor a file '
                "that holds one.",
            ) from None
        public = keys.read_key(path)
    if public == keys.client_key().public:
        return "That is this user's own key, which this user's server lets in anyway."
    keys.allow(name, public)
    return (
        f"{name} may use this user's server now (fingerprint {keys.fingerprint(public)}); compare it with what "
        f"`stylebridge keys` shows there. {name} sees only the folders given by `stylebridge serve --root`."
    )


def revoke(name: str) -> str:
    """Lets a key in no longer. Raises as `keys.revoke`."""
    public = keys.revoke(name)
    text = f"{name} is let in no longer"
    others = [other for other, key in keys.allowed_names().items() if key == public and public]
    if others:
        return (
            f"{text} under this name, but the same key is also called {', '.join(others)}: revoke that too."
        )
    return f"{text}; what {name} has open at a running server ends within seconds."


def listed() -> str:
    """One line for each key that is let in."""
    named = keys.allowed_names()
    if not named:
        return "Nobody but this user is let in: `stylebridge keys allow NAME KEY` lets somebody in."
    width = max(map(len, named))
    return "\n".join(
        f"{name:{width}}  {keys.fingerprint(key) if key else 'no key: the file is damaged and lets nobody in'}"
        for name, key in named.items()
    )


def renew(kind: str) -> str:
    """Replaces the user's keys.

    Args:
        kind: "client", "server" or "both".

    Raises:
        StylebridgeError: bad_value for another kind; denied while this user's server runs.
    """
    if kind not in KINDS:
        raise StylebridgeError(Code.BAD_VALUE, f'"{kind}" is no key: name one of {", ".join(KINDS)}.')
    running = launch.find_server()
    if running:
        raise StylebridgeError(
            Code.DENIED,
            f"This user's server runs (process {running.pid}) with the keys that are to be replaced: stop it first.",
        )
    lines = []
    if kind != "server":
        pair = keys.renew("client")
        lines += [
            "This user's key as a client is new. Tell the owners of other servers that let this user in;",
            "they run `stylebridge keys revoke NAME`, then `stylebridge keys allow NAME KEY` with",
            f"  {pair.public.hex()}",
            f"  fingerprint {keys.fingerprint(pair.public)}",
        ]
    if kind != "client":
        keys.renew("server")
        named = ", ".join(keys.allowed_names())
        lines += [
            "This user's key as a server is new. "
            + (f"Tell {named}:" if named else "Nobody else is let in."),
        ]
        if named:
            lines.append("clients elsewhere need the new URL, which `stylebridge serve` prints.")
    return "\n".join(lines)
