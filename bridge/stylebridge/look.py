"""A look: which instance gets which style, how strongly, over time; and the prompts that find the instances.

A look travels as plain data (dicts, lists, text, numbers, true and false: what MessagePack holds):

    {
        "schema": "look.1",
        "background": {"style": "wheat-field", "strength": 0.4},
        "instance": [{"select": "dancer", "style": "my.jpg", "strength": [[1001, 0.0], [1024.5, 1.0]]}],
        "prompt": [{"name": "dancer", "frame": 1010, "box": [0.31, 0.12, 0.55, 0.96]}],
        "shot": {"window": 8},
        "models": {"style": "arbitrary-1"},
    }

`Look.from_data` checks it against the effect's table, `to_data` gives it back number for number (tables that
are empty are left out). What no [[instance]] selects belongs to the background. A background without a style
stays as the source has it. On the server the same data is read from and written to a TOML file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from . import effect
from .errors import Code, StylebridgeError
from .keyframes import Curve
from .problems import text_problem
from .targets import Matte, Prompt
from .wording import shown, suggestion

SCHEMA = "look.1"
TABLES = ("schema", "models", "shot", "background", "instance", "prompt", "matte")
BACKGROUND = (effect.LAYER,)  # scopes of the parameters of [background]
INSTANCE = (effect.INSTANCE, effect.LAYER)  # and of [[instance]]
#: What a host plays by itself over layers at full strength.
PLAYED = ("strength", "visibility")

# Where a look writes the parameters of a scope.
_HOMES = {
    effect.LAYER: "[background] and [[instance]]",
    effect.INSTANCE: "[[instance]]",
    effect.SHOT: "[shot]",
    effect.PROMPT: "[[prompt]]",
    effect.MATTE: "[[matte]]",
}


class Described(Protocol):
    """What a look needs to know about an instance of a shot to select it."""

    @property
    def id(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str | None: ...


_D = TypeVar("_D", bound=Described)


@dataclass(frozen=True)
class Layer:
    """What happens to one instance, or to the background.

    Attributes:
        select: which instance: a label, "label:2", the name of a prompt, or an id; None for the background.
        curves: the parameters that the look sets; all others are at their defaults.
    """

    select: str | int | None = None
    curves: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, effect.Parameter]:
        """The rows of the effect's table that apply to this layer."""
        rows = effect.scoped(*(BACKGROUND if self.select is None else INSTANCE))
        rows.pop("select", None)
        return rows

    def curve(self, name: str) -> Curve:
        """The named parameter over time, set or default."""
        if name in self.curves:
            return self.curves[name]
        parameter = effect.find(name)
        return Curve(constant=parameter.default, hold=not parameter.mixes)

    def at(self, frame: float) -> dict[str, Any]:
        """Every parameter's value at a frame, in its Python type. "style" is None where there is none."""
        values: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            value = self.curve(name).evaluate(frame)
            values[name] = None if value is None else parameter.check(value)
        return values

    @property
    def has_style(self) -> bool:
        """Whether it names a style, however strong."""
        return "style" in self.curves

    def amount(self, frame: float) -> float:
        """The s of the composite's formula: strength, or 0 where the layer is off or has no style."""
        if not self.has_style or not self.curve("visibility").evaluate(frame):
            return 0.0
        return float(self.curve("strength").evaluate(frame))

    @property
    def is_off(self) -> bool:
        """Whether strength or visibility leaves the source untouched at all times."""
        return any(not any(self.curve(name).values) for name in ("strength", "visibility"))

    def is_idle(self, first: float, last: float) -> bool:
        """Whether the source stays untouched at every time from `first` to `last`: no network has to run."""
        switches = (self.curve("strength"), self.curve("visibility"))
        return not self.has_style or any(curve.is_zero(first, last) for curve in switches)

    def full_strength(self) -> Layer:
        """The same layer without what a host can play by itself, strength and visibility."""
        scopes = effect.SCOPES if self.has_style else (effect.INSTANCE,)
        kept = {name: curve for name, curve in self.curves.items() if effect.find(name).scope in scopes}
        for name in PLAYED:
            kept.pop(name, None)
        if not self.has_style and self.select is not None:
            kept["strength"] = effect.find("strength").curve(0.0)  # its matte only covers others
        return Layer(self.select, kept)

    def to_data(self) -> dict[str, Any]:
        """The table that this layer was read from."""
        data: dict[str, Any] = {} if self.select is None else {"select": self.select}
        data.update((name, curve.to_data()) for name, curve in self.curves.items())
        return data


@dataclass(frozen=True)
class Look:
    """A whole look. Immutable; `dataclasses.replace` makes a changed one.

    Attributes:
        background: what happens to everything that no instance covers.
        instances: in the order in which they were written.
        prompts: what the analysis is to find; rendering does not read them.
        mattes: instances that are given to the analysis; rendering does not read them.
        shot_values: the parameters of the shot that the look sets.
        models: name to version of the models that the look was made with.
        schema: version of the look's own form.
    """

    background: Layer = field(default_factory=Layer)
    instances: tuple[Layer, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    mattes: tuple[Matte, ...] = ()
    shot_values: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    schema: str = SCHEMA

    @classmethod
    def from_data(cls, data: object) -> Look:
        """Reads and checks a look.

        Raises:
            StylebridgeError: `BAD_LOOK`, a sentence that names table, key and what is wrong. Its detail
                `path` is the way to it (["instance", 1, "strength", 2], indices from 0), `key` the same as
                text ("instance[1].strength[2]").
        """
        table = _table(data, "The look", [])
        _known(table, TABLES, "", [])
        if "schema" not in table:
            raise _bad(f'The look has no schema; add schema = "{SCHEMA}".', [])
        if table["schema"] != SCHEMA:
            raise _bad(f'schema is {shown(table["schema"])}; this version reads "{SCHEMA}".', ["schema"])
        instances = tuple(
            _layer(entry, f"[[instance]] {index + 1}", ["instance", index], INSTANCE)
            for index, entry in enumerate(_list(table, "instance"))
        )
        prompts = tuple(
            _prompt(entry, f"[[prompt]] {index + 1}", ["prompt", index])
            for index, entry in enumerate(_list(table, "prompt"))
        )
        mattes = tuple(
            _matte(entry, f"[[matte]] {index + 1}", ["matte", index])
            for index, entry in enumerate(_list(table, "matte"))
        )
        _refuse_twins("instance", "select", [(layer.select,) for layer in instances])
        _refuse_twins("prompt", "frame", [(prompt.name, prompt.frame) for prompt in prompts])
        _refuse_twins("matte", "name", [(matte.name,) for matte in mattes])
        return cls(
            _layer(table.get("background", {}), "[background]", ["background"], BACKGROUND),
            instances,
            prompts,
            mattes,
            _shot(table.get("shot", {})),
            _models(table.get("models", {})),
        )

    @classmethod
    def simple(cls, style: str, strength: object = 1.0, **parameters: object) -> Look:
        """One style over the whole picture, with any further parameters of background and shot by name.

        Raises:
            StylebridgeError: `BAD_VALUE` with the sentence of the parameter.
        """
        curves: dict[str, Curve] = {}
        shot: dict[str, Any] = {}
        for name, value in {"style": style, "strength": strength, **parameters}.items():
            parameter = effect.find(name)
            if parameter.scope == effect.LAYER:
                curves[name] = parameter.curve(value)
            elif parameter.scope == effect.SHOT:
                parameter.check(value)
                shot[name] = value
            else:
                raise StylebridgeError(
                    Code.BAD_VALUE, f"{name} belongs to one {parameter.scope} and needs a look."
                )
        return cls(background=Layer(curves=curves), shot_values=shot)

    def to_data(self) -> dict[str, Any]:
        """The plain data that this look was read from, without tables that are empty."""
        tables: dict[str, Any] = {
            "models": dict(self.models),
            "shot": dict(self.shot_values),
            "background": self.background.to_data(),
            "instance": [layer.to_data() for layer in self.instances],
            "prompt": [prompt.to_data() for prompt in self.prompts],
            "matte": [matte.to_data() for matte in self.mattes],
        }
        return {"schema": self.schema, **{name: table for name, table in tables.items() if table}}

    def full_strength(self) -> Look:
        """The look as far as its layers at full strength depend on it: without strength, visibility, prompts and
        mattes. Looks that differ in nothing else are equal here.
        """
        return replace(
            self,
            background=self.background.full_strength(),
            instances=tuple(layer.full_strength() for layer in self.instances),
            prompts=(),
            mattes=(),
        )

    def unstyled(self) -> Look:
        """The look as far as its mattes depend on it."""
        bare = [
            replace(one, curves={n: c for n, c in one.curves.items() if n != "style"})
            for one in self.instances
        ]
        return Look(instances=tuple(layer.full_strength() for layer in bare))

    def for_output(self, output: str) -> Look:
        """The look as far as that output of a render depends on it: "flat", "layers" or "mattes"."""
        return {"layers": self.full_strength, "mattes": self.unstyled}.get(output, lambda: self)()

    @property
    def shot(self) -> dict[str, Any]:
        """Every parameter of the shot, set or default, in its Python type."""
        rows = effect.scoped(effect.SHOT)
        return {name: row.check(self.shot_values.get(name, row.default)) for name, row in rows.items()}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The background and then the instances."""
        return (self.background, *self.instances)

    @property
    def styles(self) -> tuple[str, ...]:
        """Every style that the look names, each once: names of presets and paths of pictures."""
        named = [style for layer in self.layers if layer.has_style for style in layer.curve("style").values]
        return tuple(dict.fromkeys(named))

    def parameters_at(self, frame: float) -> dict[str, Any]:
        """The whole look evaluated at a frame, as plain data: background, instance (a list) and shot."""
        instances = [{"select": layer.select, **layer.at(frame)} for layer in self.instances]
        return {"background": self.background.at(frame), "instance": instances, "shot": self.shot}

    def resolve(self, instances: Iterable[_D]) -> dict[int, Layer]:
        """Which layer applies to which instance of a shot, by id. Those left out belong to the background.

        A selector that names one instance (by id or name) goes before one that selects all of a label.

        Raises:
            StylebridgeError: `UNKNOWN_INSTANCE` for a selector without an instance, with the nearest name;
                `BAD_LOOK` for two that name the same one.
        """
        found = list(instances)
        by_label: dict[int, Layer] = {}
        by_name: dict[int, Layer] = {}
        for index, layer in enumerate(self.instances):
            named = [one for one in found if _is_name_of(layer.select, one)]
            labelled = [one for one in found if _is_label_of(layer.select, one)]
            path: list[str | int] = ["instance", index, "select"]
            if not named and not labelled:
                names = dict.fromkeys(name for one in found for name in (one.name, one.label) if name)
                known = suggestion(layer.select, names)
                raise _bad(
                    f"[[instance]] {index + 1}, select is {shown(layer.select)}, which is not in the shot; {known}",
                    path,
                    Code.UNKNOWN_INSTANCE,
                )
            for one in named:
                if one.id in by_name:
                    raise _bad(
                        f"[[instance]] {index + 1} selects {one.name!r} a second time; keep one.", path
                    )
            by_label.update((one.id, layer) for one in labelled)
            by_name.update((one.id, layer) for one in named)
        return {**by_label, **by_name}


def _is_name_of(select: str | int | None, instance: Described) -> bool:
    return str(select) == str(instance.id) or select == instance.name


def _is_label_of(select: str | int | None, instance: Described) -> bool:
    return select in (instance.label, instance.name.partition(":")[0])


def _bad(message: str, path: list[str | int], code: str = Code.BAD_LOOK) -> StylebridgeError:
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return StylebridgeError(code, message, key=key.lstrip("."), path=path)


@contextmanager
def _within(place: str, path: list[str | int]) -> Iterator[None]:
    """Puts the place in the look before the sentence of an error about one value."""
    try:
        yield
    except StylebridgeError as error:
        inner = error.details.get("path")
        raise _bad(f"{place}, {error.message}", path + (inner if isinstance(inner, list) else [])) from None


def _table(data: object, place: str, path: list[str | int]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise _bad(f"{place} is {shown(data)}; it must be a table.", path)
    return data


def _list(table: dict[str, Any], name: str) -> list[Any]:
    entries = table.get(name, [])
    if not isinstance(entries, (list, tuple)):
        raise _bad(f"{name} is {shown(entries)}; write each {name} as a table [[{name}]].", [name])
    return list(entries)


def _known(table: dict[str, Any], names: Iterable[str], place: str, path: list[str | int]) -> None:
    names = list(names)
    elsewhere = {name: row.scope for name, row in effect.scoped(*effect.SCOPES).items()}
    for key in table:
        if key in names:
            continue
        where = f"{place}, " if place else ""
        if key in elsewhere:
            raise _bad(
                f"{where}{shown(key)} does not belong here but in {_HOMES[elsewhere[key]]}.", [*path, key]
            )
        step = key if isinstance(key, str) else shown(key)
        raise _bad(f"{where}{shown(key)} is unknown; {suggestion(key, names)}", [*path, step])


def _layer(data: object, place: str, path: list[str | int], scopes: tuple[str, ...]) -> Layer:
    table = _table(data, place, path)
    parameters = effect.scoped(*scopes)
    _known(table, parameters, place, path)
    curves: dict[str, Curve] = {}
    for name, value in table.items():
        with _within(place, [*path, name]):
            curves[name] = parameters[name].curve(value)
    select = curves.pop("select").constant if "select" in curves else None
    if "select" in parameters and select is None:
        raise _bad(f'{place} has no select; say which instance it is for, such as select = "person".', path)
    layer = Layer(select, curves)
    if table and "style" not in curves and not layer.is_off:
        raise _bad(f"{place} has no style; name one, or set strength = 0 to leave the source as it is.", path)
    return layer


def _prompt(data: object, place: str, path: list[str | int]) -> Prompt:
    table = _table(data, place, path)
    parameters = effect.scoped(effect.PROMPT)
    _known(table, parameters, place, path)
    for name, value in table.items():
        with _within(place, [*path, name]):
            parameters[name].check(value)
    for name in ("name", "frame"):
        if name not in table:
            raise _bad(f"{place} has no {name}; a prompt needs a name and a frame.", path)
    _refuse_id(table["name"], place, path)
    if "matte" in table and len(table) > 3:
        raise _bad(
            f"{place} has a matte beside other ways of pointing; a matte replaces them.", [*path, "matte"]
        )
    if not {"box", "points", "scribbles", "matte"} & set(table):
        raise _bad(f"{place} points at nothing; give it a box, points, scribbles or a matte.", path)
    return Prompt(
        table["name"],
        int(table["frame"]),
        tuple(table["box"]) if "box" in table else None,
        tuple(tuple(point) for point in table.get("points", ())),
        tuple(tuple(point) for point in table.get("not_points", ())),
        table.get("matte"),
        *(
            tuple(tuple(tuple(point) for point in stroke) for stroke in table.get(name, ()))
            for name in ("scribbles", "not_scribbles")
        ),
    )


def _matte(data: object, place: str, path: list[str | int]) -> Matte:
    table = _table(data, place, path)
    parameters = {"name": effect.find("name"), **effect.scoped(effect.MATTE)}
    _known(table, parameters, place, path)
    for name, value in table.items():
        with _within(place, [*path, name]):
            parameters[name].check(value)
    for name in ("name", "path"):
        if name not in table:
            raise _bad(f"{place} has no {name}; a matte needs a name and the path of its files.", path)
    _refuse_id(table["name"], place, path)
    return Matte(**{name: parameters[name].check(value) for name, value in table.items()})


def _refuse_id(name: str, place: str, path: list[str | int]) -> None:
    """Names of prompts and mattes are none that analyses give."""
    if ":" in name or name.isdigit():
        raise _bad(
            f"{place}, name is {shown(name)}; numbers and colons are kept for ids and labels.",
            [*path, "name"],
        )


def _shot(data: object) -> dict[str, Any]:
    table = _table(data, "[shot]", ["shot"])
    parameters = effect.scoped(effect.SHOT)
    _known(table, parameters, "[shot]", ["shot"])
    for name, value in table.items():
        with _within("[shot]", ["shot", name]):
            parameters[name].check(value)
    return dict(table)


def _models(data: object) -> dict[str, str]:
    table = _table(data, "[models]", ["models"])
    for name, version in table.items():
        for text in (name, version):
            problem = text_problem(text)
            if problem:
                raise _bad(f"[models], {shown(name)} is {shown(version)}; {problem}.", ["models", str(name)])
    return dict(table)


def _refuse_twins(kind: str, key: str, keys: list[tuple[Any, ...]]) -> None:
    for index, entry in enumerate(keys):
        first = keys.index(entry)
        if first != index:
            named = " on frame ".join(shown(part) for part in entry)
            raise _bad(
                f"[[{kind}]] {index + 1} repeats [[{kind}]] {first + 1}: both are for {named}; keep one.",
                [kind, index, key],
            )
