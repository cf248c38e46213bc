"""A notebook that is opened where it lies runs: its kernel starts in its folder, not at the project's root."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, sample_lake: Path) -> Path:
    """A checkout after ``make report``."""
    shutil.copytree(sample_lake, tmp_path / "sample" / "lake")
    (tmp_path / "notebooks" / "analysis").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def _run(project: Path, *cells: str) -> list[str]:
    """What each cell shows, as text, run in the folder of the notebooks; errors as their traceback."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    folder = project / "notebooks" / "analysis"
    client = NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": str(folder)}}, timeout=240)
    client.execute()
    shown = []
    for cell in notebook.cells:
        parts = [
            "\n".join(output["traceback"])
            if output["output_type"] == "error"
            else output.get("text") or "\n".join(map(str, output.get("data", {}).values()))
            for output in cell.outputs
        ]
        shown.append("\n".join(parts))
    return shown


def test_run_all_works_without_a_source_and_errors_are_one_line(project: Path) -> None:
    explore = nbformat.read(REPO / "notebooks" / "analysis" / "explore.ipynb", as_version=4)
    parameters, opening = [cell.source for cell in explore.cells if cell.cell_type == "code"][:2]
    head, given, wrong, setup = _run(
        project,
        f"{parameters}\n{opening}",
        "open_report('sample/lake')",
        "report.show('tokens/by-subscriptoin')",
        "from aoai_analytics.setup import open_setup\nopen_setup()",
    )
    assert "sample/lake" in head and "Traceback" not in head
    assert "sample/lake" in given and "LakeError" not in given
    assert wrong.startswith("UnknownName: ") and "\n" not in wrong.strip()
    assert setup.startswith("WrongUse: aoai.toml: no such file") and "\n" not in setup.strip()
