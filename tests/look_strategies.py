"""Looks for property tests: made from the effect's table, so that new parameters are tested at once.

`LOOKS` are right, `NEARLY` have the right names and odd values, `ODD` is any plain data at all.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from stylebridge import effect

# One line of any letters, as titles, paths and versions are.
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(str.strip)


def value_of(parameter: effect.Parameter) -> st.SearchStrategy[Any]:
    """Values that the row of the table allows."""
    if parameter.kind == "float":
        return st.floats(parameter.minimum, parameter.maximum) | st.just(int(parameter.maximum or 0))
    if parameter.kind == "int":
        return st.integers(int(parameter.minimum or 0), int(parameter.maximum or 0))
    if parameter.kind == "choice":
        return st.sampled_from(parameter.choices)
    return {"bool": st.booleans(), "selector": TEXT | st.integers(1, 99)}.get(parameter.kind, TEXT)


def data_of(parameter: effect.Parameter) -> st.SearchStrategy[Any]:
    """A value, or keys where the parameter animates."""
    values = value_of(parameter)
    if parameter.animation == effect.CONSTANT:
        return values
    kinds = st.sampled_from(["linear", "smooth", "hold"] if parameter.mixes else ["hold"])
    frames = st.integers(-99, 2000) | st.floats(-99, 2000)
    keys = st.tuples(frames, values).map(list) | st.tuples(frames, values, kinds).map(list)
    return values | st.lists(keys, min_size=1, max_size=3, unique_by=lambda key: float(key[0]))


def table_of(scopes: tuple[str, ...], required: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    rows = {name: data_of(row) for name, row in effect.scoped(*scopes).items()}
    return st.fixed_dictionaries({name: rows.pop(name) for name in required}, optional=rows)


UNIT = st.integers(0, 1) | st.floats(0, 1)
POINTS = st.lists(st.tuples(UNIT, UNIT).map(list), min_size=1, max_size=3)
STROKES = st.lists(POINTS, min_size=1, max_size=2)
PROMPTS = st.fixed_dictionaries(
    {
        "name": st.text("abc", min_size=1, max_size=2),
        "frame": st.integers(-5, 2000),
        "box": st.tuples(st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0.5, 1), st.floats(0.5, 1)).map(
            list
        ),
    },
    optional={"points": POINTS, "not_points": POINTS, "scribbles": STROKES, "not_scribbles": STROKES},
)
LOOKS = st.fixed_dictionaries(
    {"schema": st.just("look.1")},
    optional={
        "models": st.dictionaries(TEXT, TEXT, min_size=1, max_size=2),
        "shot": table_of((effect.SHOT,), ("window",)),
        "background": table_of((effect.LAYER,), ("style",)),
        "instance": st.lists(
            table_of((effect.INSTANCE, effect.LAYER), ("select", "style")),
            min_size=1,
            max_size=3,
            unique_by=lambda table: str(table["select"]),
        ),
        "matte": st.lists(
            st.fixed_dictionaries(
                {"name": st.text("abc", min_size=1, max_size=3), "path": TEXT},
                optional={"channel": TEXT, "cryptomatte": TEXT, "z": st.integers(-1000, 1000)},
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda table: str(table["name"]),
        ),
        "prompt": st.lists(
            PROMPTS, min_size=1, max_size=3, unique_by=lambda table: (table["name"], table["frame"])
        ),
    },
)


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=6)
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [*effect.scoped(*effect.SCOPES), "schema", "background", "instance", "prompt", "matte", "shot", "models"]
)
TABLES = st.dictionaries(NAMES, ODD, max_size=3)
NEARLY = st.dictionaries(NAMES, ODD | TABLES | st.lists(TABLES, max_size=2), max_size=4).map(
    lambda data: {**data, "schema": "look.1"}
)
