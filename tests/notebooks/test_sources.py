"""Every analysis notebook answers on every kind of source: its cells are run in this process, one after another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from aoai_analytics.reporting.render.blocks import Answer, Head, Overview
from aoai_analytics.reporting.session import report
from tests.conftest import REPO

NOTEBOOKS = sorted((REPO / "notebooks/analysis").glob("*.ipynb"))
LONG_AGO = {"start": "2020-01-01", "end": "2020-02-01"}
# source -> the fixture of its lake, and parameters
SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "the sample": ("sample_lake", {"time_zone": "Europe/Berlin", "show_prompts": True}),
    "real-shaped logs": ("shared_lake", {}),
    "an empty period": ("sample_lake", LONG_AGO),
    "a single request": ("single_lake", {"show_prompts": True}),
    "nothing known": ("unknown_lake", {}),
    "no LLM log": ("lake_without_llm_log", {}),
}


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the cells show."""
    shown: list[Any] = []
    monkeypatch.setattr(report, "display_block", shown.append)
    return shown


def run(path: Path, **parameters: Any) -> None:
    """Run the code cells of a notebook, the parameters set as papermill sets them."""
    names: dict[str, Any] = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, str(path), "exec"), names)
            if "parameters" in cell.metadata.get("tags", []):
                assert parameters.keys() <= names.keys()
                names |= parameters


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_answers_all_its_questions_on(
    path: Path, kind: str, blocks: list[Any], request: pytest.FixtureRequest
) -> None:
    fixture, parameters = SOURCES[kind]
    run(path, source=str(request.getfixturevalue(fixture)), **parameters)
    head, *answers = blocks
    assert isinstance(head, Head) and head.empty == (parameters == LONG_AGO)
    assert head.show_prompts == parameters.get("show_prompts", False)
    shows = sum(cell.source.count("report.show") for cell in nbformat.read(path, as_version=4).cells)
    assert len(answers) == shows > 0
    overviews = [block for block in answers if isinstance(block, Overview)]
    for answer in answers:
        assert isinstance(answer, Answer | Overview) and answer.problems == ()
    if head.empty:
        assert "Possible reasons" in head.lines[0] and "The source has 600 requests" in head.lines[1]
    elif path.stem in ("mcp", "invoice"):
        assert not any(answer.rows for answer in answers), "these lakes hold no MCP traffic and no invoice"
    else:
        assert any(answer.rows for answer in answers if isinstance(answer, Answer)) or overviews[0].measures


def test_each_notebook_runs_from_top_to_bottom_in_a_fresh_kernel(sample_lake: Path, tmp_path: Path) -> None:
    """After the above, which leave beside the lake what its questions are translated to."""
    options = ("--nbval-lax", "--nbval-current-env", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *NOTEBOOKS],
        env=os.environ | {"AOAI_SOURCE": str(sample_lake), "PYTHONPATH": str(REPO)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
