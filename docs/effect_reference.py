"""Writes docs/effect-reference.md from the effect's table: `python docs/effect_reference.py`.

A test fails while the page and the table differ.
"""

from __future__ import annotations

from pathlib import Path

from stylebridge import effect
from stylebridge.effect import Parameter
from stylebridge.wording import shown

PAGE = Path(__file__).with_name("effect-reference.md")

HEAD = """\
<!-- Written by docs/effect_reference.py from the effect's table; change the table, not this page. -->

# The effect's parameters

Every parameter of the effect, as looks, the command line, programs and the hosts' interfaces know it. What
*animates* takes keys in place of a value: `strength = [[1001, 0.0], [1024.5, 1.0, "smooth"], [1048, 0.25]]`.
A key is a frame (the source's own number, fractions allowed), a value, and how the value goes on to the next
key: `"linear"` (also where nothing is written), `"smooth"` or `"hold"`. Before the first key and after the last
the value stays. No two keys share a frame.

- **freely**: a change costs a composite, no network runs.
- **holds**: keys hold their value until the next one; each value is computed as if it had always been there.
- **constant**: one value, no keys.

Lengths are in thousandths of the picture's height, so that a look means the same at every resolution.
"""

SECTIONS = {
    effect.LAYER: (
        "Of each instance and of the background",
        """\
Written in `[[instance]]` and `[background]`. What no `[[instance]]` selects belongs to the background. A
background without a style stays as the source has it; an instance without one needs `strength = 0`. Paths are
taken from the folder of the look.""",
    ),
    effect.INSTANCE: (
        "Of each instance",
        """\
Written in `[[instance]]`. The background has none of these: it is what the instances leave over.""",
    ),
    effect.SHOT: ("Of the shot", "Written in `[shot]`."),
    effect.PROMPT: (
        "Of each prompt",
        """\
Written in `[[prompt]]`: points at one thing on one frame, for the analysis to find it. Every prompt has a name,
a frame, and points, a box or a matte. Coordinates go from 0 to 1 over the picture, origin top left.""",
    ),
    effect.MATTE: (
        "Of each matte that is given",
        """\
Written in `[[matte]]`: an instance whose matte is there already, for every frame of the shot. Every matte has a name,
as prompts have, and a path. [layers.md](layers.md#mattes-in) says more.""",
    ),
}

TAIL = """\
## Around them

A look begins with `schema = "look.1"`. A table `[models]` may name the models that it was made with and their
versions, as text. Nothing else is allowed: a key that is not on this page is refused, and the nearest one named.
"""

ANIMATIONS = {effect.FREELY: "freely", effect.HOLD: "holds", effect.CONSTANT: "constant"}


def reference_page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD]
    for scope, (title, introduction) in SECTIONS.items():
        rows = [_row(parameter) for parameter in effect.scoped(scope).values()]
        table = ["| name | value | default | animates | |", "|---|---|---|---|---|", *rows]
        parts.append("\n".join([f"## {title}", "", introduction, "", *table, ""]))
    return "\n".join([*parts, TAIL])


def _row(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f"`{shown(parameter.default)}`".replace("'", '"')
    cells = (
        f"`{parameter.name}`",
        parameter.allowed,
        default,
        ANIMATIONS[parameter.animation],
        parameter.hint,
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(reference_page(), encoding="utf-8")
