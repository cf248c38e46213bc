"""``notebooks/tutorial.ipynb`` runs in a real JupyterLab by "Run All Cells", and shows the numbers of its calls."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPO
from tests.jupyterlab import free_port, run_all_cells, running
from tests.reporting.render.test_browser import ARGUMENTS
from tests.sandbox.test_tutorial import steps
from tests.sandbox.waiting import wait_for

NOTEBOOK = REPO / "notebooks/tutorial.ipynb"
CODE = [
    "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"
]


def test_its_commands_and_questions_are_those_of_the_page() -> None:
    commands = [command for step in steps() for command in step.commands]
    sandbox = [line.removeprefix("%aoai ").replace('"', "") for line in CODE if line.startswith("%aoai sandbox")]
    assert sandbox == [" ".join(words) for words in commands if words[0] == "sandbox"]
    shown = re.findall(r'report\.show\("([^"]+)"\)', "\n".join(CODE))
    assert shown == [words[1] for words in commands if words[0] == "query"]
    assert any(line.startswith("%aoai export workbook") for line in CODE)


def test_a_codespace_opens_on_it() -> None:
    settings = (REPO / ".devcontainer/devcontainer.json").read_text("utf-8")
    assert f'"openFiles": ["{NOTEBOOK.relative_to(REPO).as_posix()}"]' in settings


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """A JupyterLab in a folder with the notebook, its sandbox at a free port; the notebook's address."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    sandbox = f" --port {free_port()}"
    for cell in notebook["cells"]:
        if re.match("%aoai (--background )?sandbox", text := "".join(cell["source"])):
            cell["source"] = text + sandbox
    (tmp_path / "tutorial.ipynb").write_text(json.dumps(notebook), "utf-8")
    with running(tmp_path, "tutorial.ipynb") as address:
        yield address


def test_it_runs_in_jupyterlab_and_shows_the_numbers_of_the_calls(lab: str, chromium: str, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1400, "height": 2400})
        run_all_cells(page, lab)
        wait_for((tmp_path / "sandbox/workbook.json").exists, 180)
        page.keyboard.press("Control+s")
        wait_for(lambda: len(outputs(tmp_path)) == len(CODE) - 2, 60)
        browser.close()

    done = outputs(tmp_path)
    assert not [name for name, text in done.items() if '"output_type": "error"' in text]
    assert done["call-finance"].count("200  14 + 7 tokens  The capital of France is Paris.") == 3
    assert done["call-limited"].count("429  Token limit is exceeded.") == 2
    assert "sub-finance" in done["show-teams"] and "63" in done["show-teams"]
    assert "aoai-swedencentral" in done["show-failover"]
    assert "silver" in done["show-throttling"]


def outputs(folder: Path) -> dict[str, str]:
    """Cell -> what it shows, in the saved notebook; nothing while it is being saved."""
    try:
        cells: list[dict[str, Any]] = json.loads((folder / "tutorial.ipynb").read_text("utf-8"))["cells"]
    except ValueError:
        return {}
    return {cell["id"]: json.dumps(cell["outputs"]) for cell in cells if cell.get("outputs")}
