"""What is declared, pinned, explained and shipped agrees; a wheel holds everything that the package needs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from aoai_analytics import extras
from tests.conftest import REPO

PYPROJECT = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
#: Extra -> its packages; ``all`` names those of RUN_EXTRAS.
EXTRAS = {
    extra: [Requirement(text) for text in texts]
    for extra, texts in PROJECT["optional-dependencies"].items()
    if extra != "all"
}
RUN_EXTRAS = ("notebooks", "prompts", "sandbox", "setup")
RUN = sorted([*CORE, *(item for extra in RUN_EXTRAS for item in EXTRAS[extra])], key=lambda item: item.name)
CLIENTS, TEST = EXTRAS["clients"], EXTRAS["test"]

#: conda-forge's name of a package, where it is not PyPI's.
CONDA_NAMES = {"duckdb": "python-duckdb"}
#: Of what tests need, what a user of the conda environment needs too: it checks notebooks.
CONDA_ALSO = {"nbval"}
#: What conda-forge does not have, and pip installs.
PIP_ONLY = {"bpe-openai", "duckdb-kql"}

#: The package that an import comes from, where the import's own words do not say it.
PACKAGE_OF_IMPORT = {
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}

#: jupyterlab is where the notebooks are opened; DuckDB asks for pytz when a result has
#: times; python-stdnum's modules are imported by the names of the numbers they know.
NOT_IMPORTED = {"jupyterlab", "python-stdnum", "pytz"}


def pins() -> dict[str, list[Requirement]]:
    """``constraints.txt``: package -> its pins, more than one where they differ by platform."""
    found: dict[str, list[Requirement]] = {}
    for line in (REPO / "constraints.txt").read_text("utf-8").splitlines():
        pin = Requirement(line)
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def conda() -> tuple[set[str], set[str]]:
    """``environment.yml``: what conda installs and what pip does, as it stands there."""
    dependencies = yaml.safe_load((REPO / "environment.yml").read_text("utf-8"))["dependencies"]
    (by_pip,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    return {entry for entry in dependencies if isinstance(entry, str)}, set(by_pip)


def imports(folder: Path) -> dict[str, str]:
    """Every module from outside that Python files under a folder import -> one place where."""
    found = {}
    # A program of benchmarks/ imports what lies beside it, and so do its tests.
    beside = {path.stem for base in (folder, REPO / "benchmarks") for path in base.iterdir()}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                start = name.partition(".")[0]
                ours = start in ("aoai_analytics", "tests", "benchmarks") or start in beside
                if not ours and start not in sys.stdlib_module_names:
                    found.setdefault(name, f"{path.relative_to(REPO)}:{node.lineno}")
    return found


def package_of(module: str, declared: set[str]) -> str | None:
    """The declared package that an import comes from: azure.identity.aio -> azure-identity."""
    parts = module.replace("_", "-").lower().split(".")
    names = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    names += [package for start, package in PACKAGE_OF_IMPORT.items() if f"{module}.".startswith(f"{start}.")]
    return next((name for name in names if name in declared), None)


@pytest.mark.parametrize(
    ("folder", "requirements"), [("aoai_analytics", RUN), ("tests", RUN + CLIENTS + TEST), ("benchmarks", RUN + TEST)]
)
def test_every_import_is_of_a_declared_package(folder: str, requirements: list[Requirement]) -> None:
    declared = {canonicalize_name(requirement.name) for requirement in requirements}
    unknown = {module: where for module, where in imports(REPO / folder).items() if not package_of(module, declared)}
    assert unknown == {}


def test_every_package_to_run_is_imported_or_named_as_one_that_others_use() -> None:
    declared = {canonicalize_name(requirement.name) for requirement in RUN}
    imported = {package_of(module, declared) for module in imports(REPO / "aoai_analytics")}
    assert declared - imported == NOT_IMPORTED


def test_every_dependency_has_its_reason() -> None:
    text = (REPO / "docs/dependencies.md").read_text("utf-8")
    sections = re.findall(r"^## [^\n]+\n(.*?)(?=^## )", text, re.M | re.S)
    explained = [re.findall(r"^\| ([a-z0-9-]+) \|", section, re.M)[1:] for section in sections]
    groups = [CORE, *(EXTRAS[extra] for extra in (*RUN_EXTRAS, "clients", "test"))]
    assert explained == [[requirement.name for requirement in group] for group in groups]


def test_the_extras_are_what_their_errors_name() -> None:
    assert PROJECT["optional-dependencies"]["all"] == [f"{PROJECT['name']}[{','.join(RUN_EXTRAS)}]"]
    assert tuple(extras.EXTRAS) == RUN_EXTRAS
    known = {
        "sklearn": {"scikit-learn"},
        "stdnum": {"python-stdnum"},
        "azure.mgmt": {"azure-mgmt-core", "azure-mgmt-resource-deployments"},
    }
    for extra, modules in extras.EXTRAS.items():
        named = set().union(*(known.get(module, {canonicalize_name(module)}) for module in modules))
        assert named == {item.name for item in EXTRAS[extra]} - {"jupyterlab"}


def test_conda_installs_the_same_packages_with_the_same_bounds() -> None:
    by_conda, by_pip = conda()
    wanted = RUN + [item for item in TEST if item.name in CONDA_ALSO]
    by_name = [item for item in wanted if item.name not in PIP_ONLY]
    expected = {f"{CONDA_NAMES.get(item.name, item.name)}{item.specifier}" for item in by_name}
    assert by_conda - {"pip"} == {*expected, f"python{PROJECT['requires-python']}"}
    assert by_pip == {*(str(item) for item in RUN if item.name in PIP_ONLY), "--editable .[all]"}


def test_the_readme_is_the_project_s_page_in_an_index() -> None:
    assert PROJECT.get("readme") == ("README.md" if (REPO / "README.md").exists() else None)


def test_constraints_are_names_and_exact_versions_and_nothing_else() -> None:
    for line in (REPO / "constraints.txt").read_text("utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*==([0-9]+!)?[0-9][0-9a-z.]*( ; [a-z_ ]+.*)?", line), line
        assert "://" not in line
        assert "@" not in line


@pytest.mark.parametrize("requirement", RUN + CLIENTS + TEST, ids=str)
def test_constraints_pin_every_dependency_within_its_bounds(requirement: Requirement) -> None:
    found = pins()[canonicalize_name(requirement.name)]
    for pin in found:
        (version,) = [specifier.version for specifier in pin.specifier]
        assert requirement.specifier.contains(version), f"{pin} is outside {requirement}"


@pytest.mark.parametrize("python", ["3.11.9", "3.12.4", "3.13.1"])
def test_constraints_pin_each_package_once_on_each_python(python: str) -> None:
    environment = {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_system": "Linux",
    }
    for name, found in pins().items():
        active = [pin for pin in found if pin.marker is None or pin.marker.evaluate(environment)]
        assert len(active) <= 1, f"{name} has several versions on Python {python}: {active}"


def test_the_hooks_run_the_versions_that_are_pinned() -> None:
    repos = yaml.safe_load((REPO / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    revisions = {entry["repo"].rpartition("/")[2]: entry["rev"].removeprefix("v") for entry in repos}
    for package, hook in {"ruff": "ruff-pre-commit", "nbstripout": "nbstripout"}.items():
        (pin,) = pins()[package]
        assert pin.specifier.contains(Version(revisions[hook])), f"{hook} is at {revisions[hook]}, not at {pin}"


def test_npm_locks_name_versions_and_checksums_but_no_address() -> None:
    locks = [path for path in (REPO / "tests").rglob("package-lock.json") if "node_modules" not in path.parts]
    assert locks
    for lock in locks:
        packages = json.loads(lock.read_text("utf-8"))["packages"]
        for name, package in packages.items():
            assert "resolved" not in package, f"{lock.relative_to(REPO)}: {name}"
            assert not name or package["integrity"], f"{lock.relative_to(REPO)}: {name}"


def build(target: str, source: Path, out: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    )
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made as from PyPI: the repository's source distribution, unpacked elsewhere, and built there.

    Somebody opened a notebook before: Jupyter left a checkpoint beside it.
    """
    folder = tmp_path_factory.mktemp("packaging")
    with tarfile.open(build("sdist", REPO, folder / "sdist")) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    checkpoints = source / "notebooks/analysis/.ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "tokens-checkpoint.ipynb").write_text("{}")
    return build("wheel", source, folder / "wheel")


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [("kql", "*.kql"), ("notebooks", "*.ipynb"), ("setup_scripts", "*.json"), ("setup_scripts", "*.xml")],
)
def test_a_wheel_carries_the_queries_the_notebooks_and_the_templates(wheel: Path, folder: str, pattern: str) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(f"aoai_analytics/{folder}/")}
    here = {
        f"aoai_analytics/{path.relative_to(REPO).as_posix()}"
        for path in (REPO / folder).rglob(pattern)
        if ".ipynb_checkpoints" not in path.parts
    }
    assert here
    assert {name for name in shipped if Path(name).match(pattern)} == here


def test_a_wheel_carries_every_module_and_the_command(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    names = set(archive.namelist())
    modules = {path.relative_to(REPO).as_posix() for path in (REPO / "aoai_analytics").rglob("*.py")}
    assert modules | {"aoai_analytics/py.typed"} <= names
    assert not [name for name in names if ".ipynb_checkpoints" in name]
    (entry_points,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
    assert "aoai = aoai_analytics.cli:main" in archive.read(entry_points).decode()
    editor = [name for name in names if name.endswith("/share/jupyter/labextensions/aoai-analytics-kql/static/kql.js")]
    assert len(editor) == 1
    (licence,) = [name for name in names if ".dist-info/" in name and name.endswith("/LICENSE")]
    assert archive.read(licence) == (REPO / "LICENSE").read_bytes()


def test_the_command_of_an_unpacked_wheel_lists_its_own_queries(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import sys; sys.path.insert(0, 'site'); sys.argv = ['aoai', 'queries']\n"
    code += "from aoai_analytics.cli import main\nmain()"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for path in (tmp_path / "site/aoai_analytics/kql/tokens").glob("*.kql"):
        assert path.stem in run.stdout
