"""What SECURITY.md promises and can be read off the sources: limits, and no code in weights."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def rows(repository: Path) -> list[tuple[str, int, str]]:
    """What, the limit in bytes or as a count, and the name of the constant."""
    text = (repository / "SECURITY.md").read_text("utf-8").split("## Limits")[1]
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[3].startswith("`"):
            number, _, unit = cells[1].partition(" ")
            found.append((cells[0], int(number) * UNITS.get(unit, 1), cells[3].strip("`")))
    return found


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def constant(name: str) -> object:
    """The value of a dotted name, of a module or of a class in one."""
    parts = name.split(".")
    place = next(n for n in range(len(parts) - 1, 0, -1) if is_module(".".join(parts[:n])))
    found: object = importlib.import_module(".".join(parts[:place]))
    for attribute in parts[place:]:
        found = getattr(found, attribute)
    return found


def test_the_table_of_limits_is_what_the_program_has(repository: Path) -> None:
    table = rows(repository)
    assert len(table) > 25
    wrong = [(what, limit, constant(name)) for what, limit, name in table if constant(name) != limit]
    assert not wrong


def test_every_limit_of_the_broker_is_in_the_table(repository: Path) -> None:
    named = {name for _, _, name in rows(repository)}
    missing = []
    for path in sorted((repository / "server/stylebridge_server/broker").glob("*.py")):
        for found in re.findall(r"^(\w*_LIMIT)\b", path.read_text("utf-8"), re.MULTILINE):
            if f"stylebridge_server.broker.{path.stem}.{found}" not in named:
                missing.append(f"{path.stem}.{found}")
    assert not missing


def calls(repository: Path) -> Iterator[tuple[str, ast.AST]]:
    for folder in ("bridge", "server", "models", "host_plugins", "benchmarks", "docs", "examples"):
        for path in sorted((repository / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                yield f"{path.relative_to(repository)}:{getattr(node, 'lineno', 0)}", node


def unsafe(node: ast.AST) -> str:
    """Why a piece of source could run what a file holds; empty where it cannot."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [alias.name for alias in node.names]
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"} & set(names)
        return f"imports {found.pop()}" if found - {"pickle"} else ""
    if isinstance(node, ast.Attribute) and ast.unparse(node) in (
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
    ):
        return "unpickles"
    if not isinstance(node, ast.Call):
        return ""
    named = ast.unparse(node.func)
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if named in ("torch.load", "torch.jit.load") and given.get("weights_only") != "True":
        return f"{named} without weights_only=True"
    if given.get("allow_pickle", "False") != "False":
        return "allow_pickle"
    return "evaluates text" if named in ("eval", "exec", "yaml.load", "yaml.unsafe_load") else ""


def test_nothing_that_is_read_is_executed(repository: Path) -> None:
    wrong = [f"{place} {why}" for place, node in calls(repository) if (why := unsafe(node))]
    assert not wrong


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("torch.load(path)", True),
        ("torch.load(path, weights_only=False)", True),
        ("torch.load(path, map_location='cpu', weights_only=True)", False),
        ("import dill", True),
        ("from joblib import load", True),
        ("pickle.loads(data)", True),
        ("isinstance(error, pickle.UnpicklingError)", False),
        ("numpy.load(path, allow_pickle=True)", True),
        ("eval(text)", True),
        ("network.eval()", False),
    ],
)
def test_the_check_sees_what_it_is_for(source: str, expected: bool) -> None:
    assert any(unsafe(node) for node in ast.walk(ast.parse(source))) == expected
