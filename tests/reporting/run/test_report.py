"""From the names of notebooks to a folder of pages."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from aoai_analytics.errors import LakeError, SourceError, UnknownName, WrongUse
from aoai_analytics.reporting.run.notebooks import notebooks
from aoai_analytics.reporting.run.report import make_report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Notebooks of one's own: one whose second question fails."""
    cells = [
        new_markdown_cell("# Partly\n\nIt half works."),
        new_code_cell("source = start = end = None\ntime_zone = 'UTC'\nshow_prompts = False"),
        new_code_cell("from aoai_analytics.reporting import open_report\nreport = open_report(source, start, end)"),
        new_code_cell("report.show('no/such-question')"),
        new_code_cell("report.show('models/usage')"),
    ]
    cells[1].metadata["tags"] = ["parameters"]
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(new_notebook(cells=cells), folder / "partly.ipynb")
    return folder


def test_the_tokens_report_is_made_of_sample_traffic(tokens_report: Path, sample_lake: Path) -> None:
    manifest = json.loads((tokens_report / "manifest.json").read_text("utf-8"))
    assert manifest["failed"] is False and manifest["source"] == str(sample_lake)
    (page,) = manifest["pages"]
    assert page["coverage"]["Requests"] == 600
    assert [query["name"] for query in page["queries"]] == [
        "tokens/over-time",
        "tokens/by-subscription",
        "tokens/by-caller-and-model",
        "models/usage",
        "users/top",
    ]
    assert all(query["rows"] > 0 and len(query["digest"]) == 64 for query in page["queries"])
    assert sorted(path.name for path in tokens_report.iterdir()) == manifest["files"]
    text = (tokens_report / "tokens.html").read_text("utf-8")
    assert text.count("data-figure=") == 5 and text.count("<summary>KQL</summary>") == 5
    assert "600 requests" in text and "600" in (tokens_report / "index.html").read_text("utf-8")


def test_a_report_of_a_month_is_under_six_megabytes(tokens_report: Path) -> None:
    assert sum(path.stat().st_size for path in tokens_report.iterdir()) < 6_000_000


def test_a_failing_question_is_said_and_the_rest_delivered(folder: Path, sample_lake: Path, tmp_path: Path) -> None:
    result = make_report(["partly"], source=sample_lake, out=tmp_path / "out", folder=folder)
    assert result.failed and len(result.failures) == 1 and "no/such-question" in result.failures[0]
    text = (tmp_path / "out/partly.html").read_text("utf-8")
    assert "Do not rely" in text and text.count("data-figure=") == 1
    assert json.loads((tmp_path / "out/manifest.json").read_text("utf-8"))["failed"] is True


def test_the_analysis_notebooks_are_found() -> None:
    assert "tokens" in notebooks()


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"names": ["tokns"]}, UnknownName, "tokens"),
        ({"names": []}, WrongUse, "at least one"),
        ({"start": "2026-11-02", "end": "2026-11-01"}, WrongUse, "before it starts"),
        ({"time_zone": "Mars"}, WrongUse, "IANA"),
        ({"source": "nowhere"}, LakeError, "not a lake"),
        ({"source": "ftp://logs"}, SourceError, "unknown source"),
    ],
)
def test_wrong_use_is_said_before_anything_runs(
    arguments: dict[str, object], error: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        make_report(**({"names": ["tokens"], "source": tmp_path, "out": tmp_path / "out"} | arguments))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
