"""The package's rooms import one way only, stay small, and are named for their job."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO

PACKAGE = "aoai_analytics"

#: From the lowest layer to the highest; a room may import only from layers below its own. A module that stands on
#: higher layers than the rest of its room has a layer of its own.
LAYERS = (
    {"schema", "format"},
    {"lake"},
    {"engines"},
    {"library"},
    {"lake.recompute"},
    {"lake.pull", "lake.accounts", "lake.metrics_pull"},
    {"charts", "prices", "prompts"},
    {"dimensions", "lake.cost_rows"},
    {"lake.costs"},
    {"reporting", "export", "doctor"},
    {"cli", "interactive"},
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
#: What every room may import, and what these may import in turn.
BASE = {"errors": set(), "config": {"errors"}, "extras": {"errors"}}
#: Stand beside the layers: they import only the base, and only the command line imports them. The sandbox makes its
#: records with the sample's.
BESIDE = {"setup", "sample", "sandbox"}
BETWEEN = {("sandbox", "sample")}

MAX_LINES = 450
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc"}


def imported_rooms(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """The rooms of the package that a module imports, with the line; also inside functions and for types only."""
    here = (PACKAGE, *path.relative_to(root).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(here[: -node.level]) if node.level else ""
            module = ".".join(part for part in (start, node.module) if part)
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            room = room_of(rest)
            if (
                package == PACKAGE
                and room
                and ((root / room.partition(".")[0]).is_dir() or (root / f"{room}.py").is_file())
            ):
                yield node.lineno, room


def room_of(module: str) -> str:
    """The room of a module named within the package, or the module itself where it has a layer of its own."""
    first_two = ".".join(module.split(".")[:2])
    return first_two if first_two in RANK else module.partition(".")[0]


def may_import(room: str, other: str) -> bool:
    """Whether a module of ``room`` may import from ``other``; the package's own ``__init__`` is the room ``''``."""
    if room == other:
        return True
    if room in BASE:
        return other in BASE[room]
    if other in BASE:
        return True
    if other in BESIDE:
        return room == "cli" or (room, other) in BETWEEN
    if room in BESIDE or other not in RANK:
        return False
    if room in ("", "__main__"):
        return True
    return RANK[other] < RANK[room]


def violations(root: Path) -> list[str]:
    """Every import under the package folder ``root`` that goes up, sideways or to a room of no layer."""
    found = []
    for path in sorted(root.rglob("*.py")):
        where = path.relative_to(root)
        module = ".".join(where.with_suffix("").parts).removesuffix("__init__").removesuffix(".")
        room = room_of(module)
        if room not in {"", "__main__", *BESIDE, *BASE, *RANK}:
            found.append(f"{where}: the room {room!r} has no layer; give it one in {Path(__file__).name}")
        found += [
            f"{where}:{line}: {room or PACKAGE} must not import {other}"
            for line, other in imported_rooms(path, root)
            if not may_import(room, other)
        ]
    return found


def imports_at_load(path: Path, root: Path) -> set[str]:
    """The package's modules that a module imports as it is loaded: not inside functions, and not for types only."""
    where = path.relative_to(root).with_suffix("").parts
    package = (PACKAGE, *where[:-1])
    found: set[str] = set()
    waiting: list[ast.AST] = list(ast.parse(path.read_text("utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *filter(None, [node.module])])
            found |= {
                name if module_file(name, root) else module
                for alias in node.names
                if (name := f"{module}.{alias.name}")
            }
        else:
            waiting += ast.iter_child_nodes(node)
    return {name for name in found if module_file(name, root)}


def module_file(name: str, root: Path) -> Path | None:
    """The file of a module of the package; None for what is none."""
    package, *parts = name.split(".")
    if package != PACKAGE:
        return None
    files = (root.joinpath(*parts).with_suffix(".py") if parts else root, root.joinpath(*parts, "__init__.py"))
    return next((file for file in files if file.is_file()), None)


def cycles(root: Path) -> list[str]:
    """Circles of modules that import each other as they are loaded, each as ``a -> b -> a``."""
    graph: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.py")):
        parts = [PACKAGE, *path.relative_to(root).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        graph[name] = sorted(imports_at_load(path, root) - {name})
    found: list[str] = []
    done: set[str] = set()

    def visit(name: str, above: list[str]) -> None:
        if name in above:
            found.append(" -> ".join([*above[above.index(name) :], name]))
        elif name not in done:
            for other in graph.get(name, []):
                visit(other, [*above, name])
            done.add(name)

    for name in graph:
        visit(name, [])
    return found


def python_files() -> list[Path]:
    skipped = {".venv", "node_modules", "build", "dist"}
    folders = [PACKAGE, "tests", "benchmarks", "setup_scripts", "notebooks"]
    return [
        path.relative_to(REPO)
        for folder in folders
        for path in sorted((REPO / folder).rglob("*.py"))
        if not skipped & set(path.relative_to(REPO).parts)
    ]


def test_a_lower_layer_never_imports_a_higher_one() -> None:
    assert violations(REPO / PACKAGE) == []


@pytest.mark.parametrize(
    ("path", "source", "why"),
    [
        ("lake/read.py", "from aoai_analytics.engines import connect", "lake must not import engines"),
        ("lake/read.py", "def f():\n    import aoai_analytics.reporting.html", "lake must not import reporting"),
        ("lake/read.py", "from ..cli import main", "lake must not import cli"),
        ("engines/local.py", "from aoai_analytics import library", "engines must not import library"),
        ("charts/bar.py", "from ..prices import book", "charts must not import prices"),
        ("setup/deploy.py", "from ..engines import connect", "setup must not import engines"),
        ("sample/draw.py", "from ..sandbox import model", "sample must not import sandbox"),
        ("reporting/html.py", "from ..setup import deploy", "reporting must not import setup"),
        ("errors.py", "from . import config", "errors must not import config"),
        ("attic/box.py", "import json", "the room 'attic' has no layer"),
    ],
)
def test_an_import_that_goes_the_wrong_way_is_found(tmp_path: Path, path: str, source: str, why: str) -> None:
    for room in [*(room for room in RANK if "." not in room), *BESIDE]:
        (tmp_path / room).mkdir()
    for room in BASE:
        (tmp_path / f"{room}.py").touch()
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(source)
    (found,) = violations(tmp_path)
    assert why in found


def test_imports_that_go_down_are_allowed(tmp_path: Path) -> None:
    for room in [*(room for room in RANK if "." not in room), *BESIDE]:
        (tmp_path / room).mkdir()
    (tmp_path / "errors.py").touch()
    (tmp_path / "__init__.py").write_text("from .reporting import show\n")
    (tmp_path / "cli/main.py").write_text("from ..setup import deploy\nfrom ..errors import AoaiError\n")
    (tmp_path / "reporting/html.py").write_text("from aoai_analytics.charts import bar\nimport aoai_analytics\n")
    assert violations(tmp_path) == []


def test_no_modules_import_each_other() -> None:
    assert cycles(REPO / PACKAGE) == []


def test_a_circle_of_imports_is_found_and_one_within_functions_or_for_types_is_none(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "errors.py").touch()
    (tmp_path / "lake/read.py").write_text("from .write import write\nfrom ..errors import AoaiError\n")
    (tmp_path / "lake/write.py").write_text("def write():\n    from . import read\n")
    (tmp_path / "lake/both.py").write_text("if TYPE_CHECKING:\n    from .read import Reader\n")
    assert cycles(tmp_path) == []
    (tmp_path / "lake/write.py").write_text("try:\n    from . import read\nexcept ImportError:\n    pass\n")
    assert cycles(tmp_path) == [f"{PACKAGE}.lake.read -> {PACKAGE}.lake.write -> {PACKAGE}.lake.read"]


def test_the_picture_of_the_rooms_has_the_same_layers() -> None:
    spec = importlib.util.spec_from_file_location("rooms", REPO / "docs/rooms.py")
    assert spec and spec.loader
    picture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(picture)
    assert set(picture.APART) == {room for room in RANK if "." in room}
    arrows = picture.imports(REPO / PACKAGE)
    assert {room for arrow in arrows - BETWEEN for room in arrow} == RANK.keys() - {"cli"}
    assert arrows >= BETWEEN
    assert all(may_import(*arrow) for arrow in arrows)
    assert picture.reduced({("a", "b"), ("b", "c"), ("a", "c")}) == {("a", "b"), ("b", "c")}


def test_every_module_is_small_enough_to_read() -> None:
    lines = {str(path): len((REPO / path).read_text("utf-8").splitlines()) for path in python_files()}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}, "split these modules"


def test_every_module_is_named_for_its_job() -> None:
    named = [str(path) for path in python_files() if NAMES_THAT_SAY_NOTHING & {*path.parts, path.stem}]
    assert named == []
