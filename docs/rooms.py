"""The page docs/rooms.md: which rooms of the package import which, as its code has it. `make docs` writes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "aoai_analytics"
#: Modules on higher layers than the rest of their room; a test compares them with tests/test_layers.py.
APART = ("lake.recompute", "lake.pull", "lake.accounts", "lake.metrics_pull", "lake.cost_rows", "lake.costs")
#: What every room may import, and the command line, which may import every room.
LEFT_OUT = {"", "errors", "config", "extras", "cli"}
_TOP = """# Rooms of the package

The package's folders are layers, and a lower one never imports a higher one (`tests/test_layers.py`). An arrow goes
from a room to what it imports. An import is left out where the arrows lead there anyway; so are `errors`, `config` and
`extras`, which every room may import, and `cli`, which may import them all. Rooms without an arrow stand beside the
layers.

Made from the code by `make docs`; a test keeps it current.
"""


def rooms_page(root: Path) -> str:
    """The page for the package in the folder *root*."""
    arrows = reduced(imports(root))
    lines = [f"    {_node(room)} --> {_node(other)}" for room, other in sorted(arrows)]
    alone = sorted(rooms(root) - {room for arrow in arrows for room in arrow})
    return (
        f"{_TOP}\n```mermaid\ngraph TD\n" + "\n".join([*lines, *(f"    {_node(room)}" for room in alone)]) + "\n```\n"
    )


def rooms(root: Path) -> set[str]:
    """The rooms, but for those left out."""
    return {path.name for path in root.iterdir() if (path / "__init__.py").exists()} - LEFT_OUT | set(APART)


def imports(root: Path) -> set[tuple[str, str]]:
    """Each room with a room that it imports, also inside functions and for types."""
    known = rooms(root)
    found = set()
    for path in root.rglob("*.py"):
        here = (PACKAGE, *path.relative_to(root).with_suffix("").parts)
        room = _room(".".join(here[1:]))
        found |= {(room, other) for other in map(_room, _imported(path, here)) if other != room}
    return {(room, other) for room, other in found if {room, other} <= known}


def reduced(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """*arrows* without those that others make a way for."""

    def reached(start: str, without: tuple[str, str]) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            at = waiting.pop()
            fresh = {other for room, other in arrows if room == at and (room, other) != without} - seen
            seen |= fresh
            waiting += fresh
        return seen

    return {arrow for arrow in arrows if arrow[1] not in reached(arrow[0], arrow)}


def _imported(path: Path, here: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(here[: -node.level]) if node.level else ""
            module = ".".join(part for part in (start, node.module) if part)
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix(f"{PACKAGE}.") for name in names if name.startswith(f"{PACKAGE}."))


def _room(module: str) -> str:
    first_two = ".".join(module.split(".")[:2])
    return first_two if first_two in APART else module.partition(".")[0]


def _node(room: str) -> str:
    return f'{room.replace(".", "_")}["{room}"]'
