"""The setup notebooks: prose and one call a cell, and what a failed run says. ``test_sandbox`` runs them all."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest

from aoai_analytics.cli import main
from aoai_analytics.setup.guide import Guide
from aoai_analytics.setup.steps import STEPS, Step, modules_of
from tests.conftest import REPO
from tests.setup.arm_service import GROUP, ArmService, Fault

FOLDER = REPO / "notebooks/setup"
#: The page of clients calls their libraries instead; tests/clients holds it.
OWN = [step for step in STEPS if step.name != "08-clients"]


def cells(step: Step) -> list[nbformat.NotebookNode]:
    found: list[nbformat.NotebookNode] = nbformat.read(FOLDER / f"{step.name}.ipynb", as_version=4).cells
    return found


def test_there_is_a_notebook_for_each_step_and_no_other() -> None:
    assert [path.stem for path in sorted(FOLDER.glob("*.ipynb"))] == [step.name for step in STEPS]


@pytest.mark.parametrize("step", OWN, ids=lambda step: step.name)
def test_a_notebook_says_what_why_cost_failures_and_the_portal_s_way(step: Step) -> None:
    prose = "\n".join(cell.source for cell in cells(step) if cell.cell_type == "markdown")
    assert prose.startswith("# ")
    for part in ("**What and why.**", "**Cost and time.**", "## Troubleshooting", "## In the portal", "## Verify"):
        assert part in prose, part


@pytest.mark.parametrize("step", OWN, ids=lambda step: step.name)
def test_a_cell_is_one_call_of_the_guide_that_exists(step: Step) -> None:
    code = [cell for cell in cells(step) if cell.cell_type == "code"]
    assert code[0].metadata.tags == ["parameters"]
    assert code[1].source == "from aoai_analytics.setup import open_setup\n\nsetup = open_setup(config)"
    for cell in code[2:]:
        (statement,) = ast.parse(cell.source).body
        assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call), cell.source
        called = statement.value.func
        while isinstance(called, ast.Attribute) and isinstance(called.value, ast.Call):
            called = called.value.func
        assert isinstance(called, ast.Attribute) and hasattr(Guide, called.attr), cell.source


@pytest.mark.parametrize("step", [step for step in OWN if modules_of(step)], ids=lambda step: step.name)
def test_a_step_looks_before_it_deploys_and_verifies_after(step: Step) -> None:
    calls = [cell.source for cell in cells(step) if cell.cell_type == "code"][2:]
    order = [calls.index(f'setup.{call}("{step.name}")') for call in ("what_if", "deploy", "verify")]
    assert order == sorted(order)


def test_a_failed_notebook_stops_the_run_with_its_reason_and_the_way_to_go_on(
    azure: ArmService, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = {
        "error": {"code": "RequestDisallowedByPolicy", "message": "Resource was disallowed by policy 'regions'."}
    }
    azure.faults.append(Fault("PUT", "^" + GROUP, 403, refusal))
    azure.registered.add("Microsoft.ApiManagement")
    assert main(["setup", "run", "--config", str(config), "--output", str(tmp_path / "runs")]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert "RequestDisallowedByPolicy: Resource was disallowed by policy 'regions'" in lines[-1]
    assert "aoai setup run --from 00" in lines[-1]
    assert [path.stem for path in (tmp_path / "runs").glob("*")] == ["00-start"]


def test_the_clean_up_notebook_deletes_nothing_by_itself(guide: Guide, azure: ArmService, config: Path) -> None:
    guide.prepare()
    assert main(["setup", "run", "--only", "09", "--config", str(config), "--output", str(config.parent / "runs")]) == 0
    assert not [request for request in azure.requests if request[0] == "DELETE"]
    assert azure.state.get(GROUP)
