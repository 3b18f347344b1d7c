"""The arrows between the rooms point one way; the thin side stays thin; the repository stays clean."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# What a room may import beside itself. The six rooms at the end of the arrows do not know one another: what passes
# between them is named in stylebridge_server.values.
LEAVES = {"segment", "style", "temporal", "composite", "colour", "media"}
COMMON = {"bridge", "models", "values", "steps", "settings", "threads"}
ARROWS: dict[str, set[str]] = {
    "host_plugins": {"bridge"},
    "bridge": set(),
    "models": {"bridge"},
    "server": set(),
    "values": set(),
    "steps": set(),
    "threads": set(),
    "settings": {"bridge"},
    **dict.fromkeys(LEAVES, COMMON),
    "shot": COMMON | LEAVES,
    "train": COMMON | LEAVES,
    "worker": COMMON | LEAVES | {"shot"},
    "broker": {"bridge", "worker"},
    "cli": COMMON | LEAVES | {"shot", "worker", "broker", "train"},
}
# Doors beside the arrows: who may pass, and the one module that they lead to.
DOORS = {
    # The command of the base install hands over to the server's command line where that is installed.
    ("stylebridge.command", "stylebridge_server.cli"),
    # The broker turns looks into text and back by itself, while the worker renders.
    ("stylebridge_server.broker.broker", "stylebridge_server.shot.looks"),
}

HEAVY = {"numpy", "torch", "cv2"}


def sources(repository: Path) -> Iterator[tuple[str, Path]]:
    """Every Python file of the product with the name of its module."""
    for folder in ("bridge", "server", "models", "host_plugins"):
        root = repository / folder
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield (f"host_plugins.{module}" if folder == "host_plugins" else module), path


def room_of(module: str) -> str | None:
    """The room of a module of ours, None of others'."""
    package, *inner = module.split(".")
    if package == "stylebridge_server":
        return inner[0] if inner else "server"
    return {"stylebridge": "bridge", "stylebridge_models": "models", "host_plugins": "host_plugins"}.get(
        package
    )


def imports(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """The modules that a file imports anywhere: at its top, inside functions, by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = module.split(".")
            around = around[: len(around) + is_package - node.level] if node.level else []
            source = ".".join([*around, *([node.module] if node.module else [])])
            # `from package import room` names a module, too.
            yield from (f"{source}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant))


def violations(tree: ast.AST, module: str, is_package: bool = False) -> set[str]:
    """The rooms that a file imports although no arrow leads there."""
    own = room_of(module)
    assert own in ARROWS, f"{module} lies in no known room; add {own!r} and its arrows to this test"
    allowed = {own, *ARROWS[own]}
    rooms = {room_of(name) for name in imports(tree, module, is_package) if not through_a_door(module, name)}
    return {room for room in rooms if room is not None and room not in allowed}


def through_a_door(module: str, imported: str) -> bool:
    return any(module == who and f"{imported}.".startswith(f"{target}.") for who, target in DOORS)


def test_arrows_point_one_way(repository: Path) -> None:
    wrong = [
        f"{path.relative_to(repository)} imports {room}"
        for module, path in sources(repository)
        for room in sorted(violations(ast.parse(path.read_text("utf-8")), module, path.name == "__init__.py"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("stylebridge_server.media.png", "import numpy\nfrom stylebridge_server.values import Frame", set()),
        ("stylebridge_server.media.png", "def f():\n    from stylebridge_server import style", {"style"}),
        ("stylebridge_server.media.png", "from ..temporal.flow import flow_pair", {"temporal"}),
        ("stylebridge_server.media.png", "from .files import readable", set()),
        ("stylebridge_server.shot.render", "import stylebridge_server.worker.jobs as jobs", {"worker"}),
        ("stylebridge_server.broker.front", "from stylebridge_models import registry", {"models"}),
        (
            "stylebridge.client",
            "import importlib\nimportlib.import_module('stylebridge_server.cli')",
            {"cli"},
        ),
        ("stylebridge.command", "from stylebridge_server.cli import main", set()),
        ("stylebridge_server.broker.broker", "from stylebridge_server.shot import looks", set()),
        ("stylebridge_server.broker.broker", "from stylebridge_server.shot import render", {"shot"}),
        ("host_plugins.nuke.node", "from stylebridge_server import values", {"values"}),
    ],
)
def test_the_check_sees_imports_of_every_kind(module: str, source: str, expected: set[str]) -> None:
    assert violations(ast.parse(source), module) == expected


@pytest.mark.parametrize(
    "part", ["stylebridge", "stylebridge_server.broker", "stylebridge_server.shot.looks"]
)
def test_the_thin_side_loads_nothing_heavy(repository: Path, part: str) -> None:
    names = [module for module, _ in sources(repository) if not module.endswith("__main__")]
    modules = [module for module in names if f"{module}.".startswith(f"{part}.")]
    if not modules:
        pytest.skip(f"there is no {part} here")
    program = f"import sys, {', '.join(modules)}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    paths = [str(repository / folder) for folder in ("bridge", "server", "models")]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {json.dumps(paths)}; {program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def tracked_files(repository: Path) -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    paths = [repository / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_python_file_is_long(repository: Path) -> None:
    lines = {
        str(path.relative_to(repository)): path.read_text("utf-8").count("\n")
        for path in tracked_files(repository)
        if path.suffix == ".py"
    }
    assert {name: count for name, count in lines.items() if count >= 500} == {}


# Put together here, so that this file does not hold them itself.
FOREIGN = [
    *(re.escape(".".join(host)) for host in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
    )),
    *(rf"(?<![\w.~-])/{folder}/" for folder in ("work", "root")),
]  # fmt: skip


def test_no_registry_and_no_path_of_one_machine(repository: Path) -> None:
    pattern = re.compile("|".join(FOREIGN))
    wrong = []
    for path in tracked_files(repository):
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture, a clip, weights
        wrong += [
            f"{path.relative_to(repository)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    assert not wrong, "\n".join(wrong)
