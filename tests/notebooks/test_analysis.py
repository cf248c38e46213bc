"""The analysis notebooks: prose and one call a cell, running from top to bottom in a fresh kernel."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest

from aoai_analytics.library import library
from tests.conftest import REPO

NOTEBOOKS = sorted((REPO / "notebooks/analysis").glob("*.ipynb"))
PARAMETERS = ["source", "start", "end", "time_zone", "show_prompts"]
OWN = {
    "cost": ["budgets", "commitments", "from_model", "to_model", "to_tier", "to_scope"],
    "overview": ["budgets"],
    "user": ["user"],
    "prompts": ["words", "correlation_id"],
    "teams": ["dimension"],
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_a_notebook_begins_with_prose_and_explains_before_it_shows(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    for before, cell in pairwise(cells):
        if "report.show" in cell.source:
            assert before.cell_type == "markdown" or "report.show" in before.source, cell.source


def test_a_cell_is_one_call_and_no_logic(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code" or "parameters" in cell.metadata.get("tags", []):
            continue
        body = ast.parse(cell.source).body
        calls = [line for line in body if not isinstance(line, ast.ImportFrom)]
        assert len(calls) == 1 and isinstance(calls[0], ast.Expr | ast.Assign), cell.source
        assert isinstance(calls[0].value, ast.Call), cell.source


def test_the_parameters_are_those_a_report_sets_and_then_the_notebook_s_own(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    (cell,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    names = [line.targets[0].id for line in ast.parse(cell.source).body]  # type: ignore[attr-defined]
    assert names[: len(PARAMETERS)] == PARAMETERS
    assert names[len(PARAMETERS) :] == OWN.get(path.stem, [])


def test_every_question_is_in_the_library_with_its_parameters(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    given: dict[str, Any] = {}
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            exec(cell.source, given)
        if "report.show(" in cell.source or "report.first(" in cell.source:
            call = ast.parse(cell.source).body[0].value  # type: ignore[attr-defined]
            query = library().get(ast.literal_eval(call.args[0]))
            # What a cell takes from the data, not from the notebook's parameters, is a text.
            values = {str(word.arg): word.value for word in call.keywords if word.arg != "given"}
            query.bind(
                **{
                    name: (given.get(value.id) or "") if isinstance(value, ast.Name) else ast.literal_eval(value)
                    for name, value in values.items()
                }
            )


def test_the_notebooks_of_the_sections_show_every_question_of_theirs() -> None:
    shown = {name for path in NOTEBOOKS for name in re.findall(r'"([a-z]+/[a-z0-9-]+)\\\\?"', path.read_text("utf-8"))}
    asked = {query.name for query in library() if query.section in ("models", "users", "prompts", "reliability")}
    assert asked - shown <= {"prompts/completions"}, "the search without words shows the same"
