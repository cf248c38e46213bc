"""What GitHub reads of the repository is well formed, pinned, and says what the project declares."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPO

GITHUB = REPO / ".github"
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("file", "schema"), [("workflows/ci.yml", "github-workflows"), ("dependabot.yml", "dependabot")]
)
def test_a_file_follows_githubs_schema(file: str, schema: str) -> None:
    if importlib.util.find_spec("check_jsonschema") is None:
        pytest.skip("needs check-jsonschema")
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", GITHUB / file],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_every_action_is_pinned_to_a_commit_and_names_its_version() -> None:
    used = [line for path in (GITHUB / "workflows").glob("*.yml") for line in path.read_text("utf-8").splitlines()]
    used = [line.strip() for line in used if "uses:" in line]
    assert used
    assert [line for line in used if not re.fullmatch(r"- uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_every_declared_python_is_tested_on_every_system() -> None:
    declared = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r":: Python :: 3\.\d+$", text)]
    jobs = read(GITHUB / "workflows/ci.yml")["jobs"]
    for name in ("linux", "elsewhere"):
        assert jobs[name]["strategy"]["matrix"]["python"] == declared
    systems = {jobs["linux"]["runs-on"], *jobs["elsewhere"]["strategy"]["matrix"]["os"]}
    assert {system.partition("-")[0] for system in systems} == {"ubuntu", "macos", "windows"}


def test_dependabot_looks_at_every_npm_lock() -> None:
    (npm,) = [entry for entry in read(GITHUB / "dependabot.yml")["updates"] if entry["package-ecosystem"] == "npm"]
    locks = [path for path in (REPO / "tests").rglob("package-lock.json") if "node_modules" not in path.parts]
    assert npm["directories"] == sorted(f"/{path.parent.relative_to(REPO).as_posix()}" for path in locks)


@pytest.mark.parametrize("path", sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem)
def test_an_issue_form_has_what_github_asks_of_one(path: Path) -> None:
    """As in "Syntax for issue forms": name, description and body; an id once; a label for each field."""
    form = read(path)
    assert form["name"] and form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert fields and {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
    ids = [field["id"] for field in fields]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[\w-]+", name) for name in ids)
    assert all(field["attributes"]["label"] for field in fields)
    assert all(field["attributes"]["options"] for field in fields if field["type"] == "dropdown")


def test_every_form_for_logs_asks_for_no_prompts() -> None:
    for name in ("bug", "wrong-number"):
        assert "do not paste prompts" in (GITHUB / f"ISSUE_TEMPLATE/{name}.yml").read_text("utf-8")


def test_generated_files_are_marked_as_such() -> None:
    files = [
        *sorted(path.relative_to(REPO).as_posix() for path in (REPO / "setup_scripts/exports").rglob("*.*")),
        *("setup_scripts/infra/alert-rules.bicep", "setup_scripts/infra/main.json", "kql/functions/AoaiPrices.kql"),
        *("tests/setup/recorded.json", "aoai_analytics/sandbox/azure/recorded.json"),
        *("docs/queries.md", "docs/cli.md", "constraints.txt"),
    ]
    assert all((REPO / file).is_file() for file in files)
    asked = subprocess.run(
        ["git", "check-attr", "linguist-generated", *files], cwd=REPO, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        pytest.skip("needs a git checkout")
    assert [line for line in asked.stdout.splitlines() if not line.endswith(": true")] == []
