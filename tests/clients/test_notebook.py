"""The notebook of clients: the documentation's programs, with one's own deployments, run from top to bottom."""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

import papermill
import pytest

from tests.clients.conftest import needs
from tests.clients.gateway import Gateway
from tests.clients.snippets import Snippet, snippets
from tests.conftest import REPO

NOTEBOOK = REPO / "notebooks/setup/08-clients.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
OWN = {"parameters", "settings", "ask-claude", "ask-mcp"}
#: The page's programs as the notebook has them: deployments are parameters.
PROGRAMS = {
    snippet.code.strip().replace('"chat-mini"', "chat_deployment").replace('"embed-small"', "embeddings_deployment"): (
        snippet
    )
    for snippet in snippets()
    if snippet.language == "python"
}


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_each_cell_is_a_program_of_the_documentation_after_a_cell_of_prose() -> None:
    for before, cell in pairwise(CELLS):
        if cell["cell_type"] == "code" and cell["id"] not in OWN:
            assert source(cell) in PROGRAMS, f"{cell['id']} is not in docs/clients.md"
            assert before["cell_type"] == "markdown"


def program_of(title: str) -> Snippet:
    return next(snippet for snippet in snippets() if snippet.title == title)


def test_the_cell_for_claude_is_the_documentation_s_program_where_there_is_claude() -> None:
    (text,) = [source(cell) for cell in CELLS if cell["id"] == "ask-claude"]
    imports, _, asked = text.partition("\nif claude_deployment:\n")
    program = f"{imports}\n{dedent(asked)}".replace("claude_deployment", '"claude"')
    assert program == program_of("Claude with a key").code.strip()


def test_the_program_in_its_prose_is_the_documentation_s() -> None:
    fenced = [
        text for cell in CELLS for text in source(cell).split("```python\n")[1:] if cell["cell_type"] == "markdown"
    ]
    assert fenced
    for text in fenced:
        assert text.partition("\n```")[0] in {snippet.code.strip() for snippet in snippets()}


def test_it_runs_by_papermill_and_prints_what_the_documentation_says(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for snippet in PROGRAMS.values():
        for module in sorted(snippet.modules()):
            needs(module)
    monkeypatch.delenv("GATEWAY_URL")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    done = papermill.execute_notebook(
        NOTEBOOK,
        tmp_path / "done.ipynb",
        parameters={"gateway_url": gateway.url, "claude_deployment": "claude"},
        kernel_name="python3",
        progress_bar=False,
        cwd=tmp_path,
    )
    ran = [cell for cell in done.cells if cell.source in PROGRAMS]
    assert len(ran) == sum(cell["cell_type"] == "code" for cell in CELLS) - len(OWN)
    for cell in ran:
        printed = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
        # What the programs before used is gone from the limits.
        shown = [re.sub(r"\d+(?= (tokens )?left of)", "N", text) for text in (printed, PROGRAMS[cell.source].output)]
        assert shown[0] == shown[1], cell.source
    (claude,) = [cell for cell in done.cells if cell.id == "ask-claude"]
    assert [output.text for output in claude.outputs] == [program_of("Claude with a key").output]
    assert os.environ["GATEWAY_KEY"] not in (tmp_path / "done.ipynb").read_text("utf-8")
